// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"

#include <boost/json.hpp>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    json::object request;
    copy_text(arguments, "ADDRESS", request, "address");
    copy_text(arguments, "--server", request, "server");
    copy_text(arguments, "--outcome", request, "outcome");
    if (!copy_limit(arguments, request, terminal)) return ExitCode::usage;
    const auto result = ask(arguments, "handshakes", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else {
        const auto list = oldest_first(*result, "handshakes");
        terminal.say(list_handshakes(list, terminal, list.size()));
        if (shown(*result, "more") != "0" && shown(*result, "more") != "-")
            terminal.say("  … and " + shown(*result, "more") + " older ones (--limit)\n");
    }
    return ExitCode::ok;
}

constexpr Positional positionals[] = {
    {"ADDRESS", "only those of this client or server", false, false},
};
constexpr Option options[] = {
    {"--server",  "NAME", "only those with this configured server"               },
    {"--outcome", "WORD", "only these: in_progress, established, failed, unknown"},
    limit_option,
};

} // namespace

const Command handshakes_command{
    .name = "handshakes",
    .needs = Needs::daemon,
    .help = "List handshakes: who, how IKE_AUTH travelled, what came of it",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
