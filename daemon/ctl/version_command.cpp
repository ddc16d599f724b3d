// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/terminal.hpp"

#include <string>

namespace ikefrag::ctl {

namespace {

ExitCode run(const Arguments&, Terminal& terminal) {
    if (terminal.json)
        terminal.write("{\"format\":1,\"version\":\"" IKEFRAG_VERSION "\"}\n");
    else
        terminal.write("ikefragctl " IKEFRAG_VERSION "\n");
    return ExitCode::ok;
}

} // namespace

const Command version_command{
    .name = "version",
    .needs = Needs::nothing,
    .help = "Print this program's version",
    .positionals = {},
    .options = {},
    .run = run,
};

} // namespace ikefrag::ctl
