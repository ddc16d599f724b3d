// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"

#include <boost/json.hpp>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// The most a daemon gives, and keeps (its limit of peers).
constexpr int all_peers = 100'000;

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
    // A file is read by programs, which do not see that it was cut: all there are.
    if (arguments.has("--csv") && !request.contains("limit")) request["limit"] = all_peers;
    const auto result = ask(arguments, "peers", request);
    if (!result) return refuse(result.error(), terminal);
    const auto peers = oldest_first(*result, "peers");
    const bool is_cut = shown(*result, "more") != "0" && shown(*result, "more") != "-";
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else if (arguments.has("--csv")) {
        terminal.write(peers_csv(peers));
        if (is_cut)
            terminal.complain(counted(*result, "more", "more peer") + " not listed (--limit)");
    } else {
        terminal.say(list_peers(peers, terminal, peers.size()));
        if (is_cut) terminal.say("  … and " + shown(*result, "more") + " more (--limit)\n");
    }
    return ExitCode::ok;
}

ExitCode show_history(const Arguments& arguments, Terminal& terminal) {
    json::object request;
    copy_text(arguments, "ADDRESS", request, "address");
    const auto result = ask(arguments, "history", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json) {
        terminal.write(json::serialize(*result) + '\n');
        return ExitCode::ok;
    }
    const auto* rows = result->if_contains("history");
    TextTable table({"from (UTC)", "fragmentation", "intermediate"});
    if (rows != nullptr && rows->is_array())
        for (const auto& row : rows->get_array())
            if (const auto* change = row.if_object())
                table.add({shown_time(*change, "time"),
                           shown(*change, "fragmentation"),
                           shown(*change, "intermediate")});
    if (table.empty())
        terminal.complain("nothing is known of what " + *arguments.value("ADDRESS") + " can do");
    else
        terminal.say(table.text("  "));
    return table.empty() ? ExitCode::failure : ExitCode::ok;
}

ExitCode forget(const Arguments& arguments, Terminal& terminal) {
    json::object request;
    copy_text(arguments, "ADDRESS", request, "address");
    const auto result = ask(arguments, "forget", request);
    if (!result) return refuse(result.error(), terminal);
    const bool was_known = shown(*result, "forgotten") == "yes";
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else if (was_known)
        terminal.say("forgotten: " + *arguments.value("ADDRESS") + '\n');
    else
        terminal.complain("nothing is known of " + *arguments.value("ADDRESS"));
    return was_known ? ExitCode::ok : ExitCode::failure;
}

constexpr Option list_options[] = {
    {"--missing-fragmentation", "",        "only those that do not do IKE fragmentation"},
    {"--role",                  "ROLE",    "only these: client, server"                 },
    {"--address",               "ADDRESS", "only this one"                              },
    {"--csv",                   "",        "as CSV, for a spreadsheet"                  },
    limit_option,
};
constexpr Positional history_positionals[] = {
    {"ADDRESS", "the peer to tell of"},
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

const Command peers_history_command{
    .name = "peers history",
    .needs = Needs::daemon,
    .help = "Tell what an address could do and from when on, the last eight changes",
    .positionals = history_positionals,
    .options = {},
    .run = show_history,
};

const Command peers_forget_command{
    .name = "peers forget",
    .needs = Needs::root,
    .help = "Forget an address: its record and capability, in memory and on disk, and its captures",
    .positionals = forget_positionals,
    .options = {},
    .run = forget,
};

} // namespace ikefrag::ctl
