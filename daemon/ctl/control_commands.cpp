// SPDX-License-Identifier: GPL-2.0-or-later
// The commands that only carry a question to the daemon and its answer back.
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"
#include "plugin/words.hpp"

#include <boost/json.hpp>

#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

ExitCode metrics(const Arguments& arguments, Terminal& terminal) {
    const auto result = ask(arguments, "metrics", {});
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else if (const auto* text = result->if_contains("text"); text != nullptr && text->is_string())
        terminal.write(text->get_string());
    return ExitCode::ok;
}

ExitCode reload(const Arguments& arguments, Terminal& terminal) {
    const auto result = ask(arguments, "reload", {});
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json) {
        terminal.write(json::serialize(*result) + '\n');
        return ExitCode::ok;
    }
    terminal.say("reloaded: " + counted(*result, "rules", "rule") + ", " +
                 counted(*result, "servers", "server") + ", configuration " +
                 shown(*result, "hash") + '\n');
    if (const auto* notes = result->if_contains("notes"); notes != nullptr && notes->is_array())
        for (const auto& note : notes->get_array()) terminal.say("note: " + shown(note) + '\n');
    return ExitCode::ok;
}

/// Without a word it tells the mode, with one it changes it.
ExitCode mode(const Arguments& arguments, Terminal& terminal) {
    const auto wanted = arguments.value("MODE");
    json::object request;
    if (wanted) request["mode"] = *wanted;
    if (wanted && !parse_word<Mode>(*wanted)) {
        terminal.complain("a mode is one of observe, guard, exclusive");
        return ExitCode::usage;
    }
    const auto result = ask(arguments, wanted ? "mode" : "status", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json && wanted)
        terminal.write(json::serialize(*result) + '\n');
    else if (terminal.json)
        terminal.write(json::serialize(json::object{
                           {"format",       1      },
                           { "mode", shown(*result, "mode")}
        }) +
                       '\n');
    else if (wanted)
        terminal.say("mode is now " + shown(*result, "mode") + " (was " + shown(*result, "before") +
                     ")\n");
    else
        terminal.say(shown(*result, "mode") + '\n');
    return ExitCode::ok;
}

constexpr Positional mode_positionals[] = {
    {"MODE", "observe, guard or exclusive; none: tell the mode", false, false},
};

} // namespace

const Command metrics_command{
    .name = "metrics",
    .needs = Needs::daemon,
    .help = "Print the metrics, as Prometheus would scrape them",
    .positionals = {},
    .options = {},
    .run = metrics,
};

const Command reload_command{
    .name = "reload",
    .needs = Needs::root,
    .help = "Read configuration and rules anew; a bad file changes nothing",
    .positionals = {},
    .options = {},
    .run = reload,
};

const Command mode_command{
    .name = "mode",
    .needs = Needs::root,
    .help = "Tell or change the mode, until the next restart or reload",
    .positionals = mode_positionals,
    .options = {},
    .run = mode,
};

} // namespace ikefrag::ctl
