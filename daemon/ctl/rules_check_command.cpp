// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/offline.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/json/json.hpp"

#include <boost/json.hpp>

#include <string>
#include <utility>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

ExitCode tell(const Diagnostics& mistakes, const Terminal& terminal) {
    if (terminal.json) {
        const json::object object{
            {"format",   1                      },
            {"valid",    false                  },
            {"mistakes", mistakes_json(mistakes)},
            {"notes",    json::array()          }
        };
        terminal.write(json::serialize(object) + '\n');
    } else {
        std::fputs(to_string(mistakes).c_str(), terminal.err());
    }
    return ExitCode::invalid;
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    TextFile config{"built-in", ""};
    Diagnostics mistakes;
    const auto gather = [&](const Diagnostics& more) {
        mistakes.insert(mistakes.end(), more.begin(), more.end());
    };
    const auto config_path = config_in_use(arguments);
    if (config_path) {
        auto read = read_config_file(*config_path, Ownership::lenient);
        if (read)
            config = *std::move(read);
        else
            gather(read.error());
    }
    std::vector<TextFile> rules;
    for (const auto& path : arguments.all("PATH")) {
        auto read = read_rule_files(path, Ownership::lenient);
        if (!read)
            gather(read.error());
        else
            for (auto& file : *read) rules.push_back(std::move(file));
    }
    if (!mistakes.empty()) return tell(mistakes, terminal);
    const auto parsed = parse_config(config, rules);
    if (!parsed) return tell(parsed.error(), terminal);
    const auto count = parsed->policy->rules.size();
    if (terminal.json) {
        const json::object object{
            {"format",   1                                                           },
            {"valid",    true                                                        },
            {"files",    rules.size()                                                },
            {"config",   config_path ? json_text(*config_path) : json::value(nullptr)},
            {"rules",    count                                                       },
            {"mistakes", json::array()                                               },
            {"notes",    mistakes_json(parsed->notes)                                }
        };
        terminal.write(json::serialize(object) + '\n');
    } else {
        for (const auto& note : parsed->notes) terminal.say("note: " + to_string(note));
        terminal.say("valid: " + counted(count, "rule") + " in " + counted(rules.size(), "file") +
                     (config_path ? ", with " + escape_terminal(*config_path) : "") + '\n');
    }
    return ExitCode::ok;
}

constexpr Positional positionals[] = {
    {"PATH", "rule files, or directories of *.toml", true, true},
};
constexpr Option options[] = {
    {"--config",
     "FILE", "check against the servers and limits of this ikefragd.toml (the installed one)"},
};

} // namespace

const Command rules_check_command{
    .name = "rules check",
    .needs = Needs::nothing,
    .help =
        "Check rule files; every mistake is told with file:line:column, and what a rule cannot do",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
