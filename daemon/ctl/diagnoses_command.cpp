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
    copy_text(arguments, "--kind", request, "kind");
    if (arguments.has("--open")) request["open"] = true;
    if (!copy_limit(arguments, request, terminal)) return ExitCode::usage;
    const auto result = ask(arguments, "diagnoses", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else {
        const auto list = oldest_first(*result, "diagnoses");
        terminal.say(list_diagnoses(list, terminal, list.size()));
        if (shown(*result, "more") != "0" && shown(*result, "more") != "-")
            terminal.say("  … and " + shown(*result, "more") + " older ones (--limit)\n");
    }
    return ExitCode::ok;
}

constexpr Positional positionals[] = {
    {"ADDRESS", "only those about this client or server", false, false},
};
constexpr Option options[] = {
    {"--server", "NAME", "only those about this configured server"},
    {"--kind",   "WORD", "only these: failure, advice, fact"      },
    {"--open",   "",     "only those of attempts that still run"  },
    limit_option,
};

} // namespace

const Command diagnoses_command{
    .name = "diagnoses",
    .needs = Needs::daemon,
    .help = "List what was found: what happened, who must act, what to change",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
