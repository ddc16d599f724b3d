// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/status_text.hpp"
#include "daemon/ctl/terminal.hpp"

#include <boost/json.hpp>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto result = ask(arguments, "status", {}, short_control_patience);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else
        terminal.say(status_text(*result, terminal));
    return ExitCode::ok;
}

} // namespace

const Command status_command{
    .name = "status",
    .needs = Needs::daemon,
    .help = "Tell at one glance what the daemon does and how it fares",
    .positionals = {},
    .options = {},
    .run = run,
};

} // namespace ikefrag::ctl
