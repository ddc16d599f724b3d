// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/json/json.hpp"
#include "daemon/kernel/table_text.hpp"
#include "daemon/observer/table_keeper.hpp"

#include <boost/json.hpp>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// The configuration named, else the installed one, else the one shipped.
Result<Config, Diagnostics> configuration(const Arguments& arguments) {
    if (const auto path = arguments.value("--config"))
        return read_config(*path, "", Ownership::lenient);
    if (::access(installed_config, F_OK) == 0)
        return read_config(installed_config, "", Ownership::lenient);
    const TextFile config{"built-in", std::string(shipped_config())};
    const std::vector<TextFile> rules{shipped_rule_file()};
    return parse_config(config, rules);
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto word = arguments.value("--mode");
    const auto mode = word ? parse_word<Mode>(*word) : std::optional<Mode>();
    if (word && !mode) {
        terminal.complain("--mode " + escape_terminal(*word) +
                          " is none of observe, guard, exclusive");
        return ExitCode::usage;
    }
    const auto config = configuration(arguments);
    if (!config) {
        std::fputs(to_string(config.error()).c_str(), terminal.err());
        return ExitCode::invalid;
    }
    Policy policy = *config->policy;
    if (mode) policy.mode = *mode;
    const std::string table = print_table(table_settings(policy, config->settings));
    if (!terminal.json) {
        terminal.write(table);
        return ExitCode::ok;
    }
    const json::object object{
        {"format", 1                                   },
        {"mode",   json::string(to_string(policy.mode))},
        {"table",  json_text(table)                    }
    };
    terminal.write(json::serialize(object) + '\n');
    return ExitCode::ok;
}

constexpr Option options[] = {
    {"--config", "FILE", "for this ikefragd.toml (the installed one, else the one shipped)"},
    {"--mode",   "MODE", "as it is in this mode: observe, guard, exclusive"                },
};

} // namespace

const Command nft_command{
    .name = "nft",
    .needs = Needs::nothing,
    .help = "Print the kernel table, for admins who load it themselves (manage_nft = false)",
    .positionals = {},
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
