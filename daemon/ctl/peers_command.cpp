// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"

#include <boost/json.hpp>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

ExitCode list(const Arguments& arguments, Terminal& terminal) {
    json::object request;
    copy_text(arguments, "--address", request, "address");
    copy_text(arguments, "--role", request, "role");
    if (arguments.has("--missing-fragmentation")) request["missing_fragmentation"] = true;
    if (arguments.has("--csv") && terminal.json) {
        terminal.complain("--csv and --json exclude each other");
        return ExitCode::usage;
    }
    if (!copy_limit(arguments, request, terminal)) return ExitCode::usage;
    const auto result = ask(arguments, "peers", request);
    if (!result) return refuse(result.error(), terminal);
    const auto peers = oldest_first(*result, "peers");
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else if (arguments.has("--csv"))
        terminal.write(peers_csv(peers));
    else {
        terminal.say(list_peers(peers, terminal, peers.size()));
        if (shown(*result, "more") != "0" && shown(*result, "more") != "-")
            terminal.say("  … and " + shown(*result, "more") + " more (--limit)\n");
    }
    return ExitCode::ok;
}

ExitCode forget(const Arguments& arguments, Terminal& terminal) {
    json::object request;
    copy_text(arguments, "ADDRESS", request, "address");
    const auto result = ask(arguments, "forget", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else
        terminal.say("forgotten: " + *arguments.value("ADDRESS") + '\n');
    return ExitCode::ok;
}

constexpr Option list_options[] = {
    {"--missing-fragmentation", "",        "only those that do not do IKE fragmentation"},
    {"--role",                  "ROLE",    "only these: client, server"                 },
    {"--address",               "ADDRESS", "only this one"                              },
    {"--csv",                   "",        "as CSV, for a spreadsheet"                  },
    limit_option,
};
constexpr Positional forget_positionals[] = {
    {"ADDRESS", "the peer to forget"},
};

} // namespace

const Command peers_command{
    .name = "peers",
    .needs = Needs::daemon,
    .help = "List peers and what they can do",
    .positionals = {},
    .options = list_options,
    .run = list,
};

const Command peers_forget_command{
    .name = "peers forget",
    .needs = Needs::root,
    .help = "Forget an address: its record, its capability, in memory and on disk",
    .positionals = forget_positionals,
    .options = {},
    .run = forget,
};

} // namespace ikefrag::ctl
