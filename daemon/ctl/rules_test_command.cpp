// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/offline.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// What one rule did over all captures.
struct Hits {
    std::uint64_t packets = 0;
    std::array<std::uint64_t, count_of<Verdict>> verdicts{}; ///< as the rule wants them
};

struct Tally {
    std::vector<Hits> rules;
    Hits none; ///< packets no rule was asked about, or none matched
    VerdictTotals verdicts;

    void add(const Replay& replay) {
        for (const auto& decision : replay.packets()) {
            verdicts.add(decision);
            const auto rule = static_cast<std::size_t>(decision.rule);
            Hits& hits = decision.rule >= 0 && rule < rules.size() ? rules[rule] : none;
            ++hits.packets;
            ++hits.verdicts[index(decision.intended)];
        }
    }
};

json::object hits_json(const Hits& hits) {
    json::object object{
        {"packets", hits.packets}
    };
    for (const auto& word : words<Verdict>()) object[word.text] = hits.verdicts[index(word.value)];
    return object;
}

std::string tally_json(const Tally& tally,
                       const Policy& policy,
                       std::size_t captures,
                       const std::string& rules_from) {
    json::array rules;
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        json::object rule{
            {"name",    json_text(policy.rules[i].name)                },
            {"action",  json::string(to_string(policy.rules[i].action))},
            {"dry_run", policy.rules[i].dry_run                        }
        };
        for (auto& member : hits_json(tally.rules[i])) rule[member.key()] = member.value();
        rules.push_back(std::move(rule));
    }
    const json::object object{
        {"format",     1                                   },
        {"mode",       json::string(to_string(policy.mode))},
        {"captures",   captures                            },
        {"rules_from", json_text(rules_from)               },
        {"rules",      std::move(rules)                    },
        {"no_rule",    hits_json(tally.none)               },
        {"verdicts",   to_json(tally.verdicts)             }
    };
    return json::serialize(object) + '\n';
}

std::string tally_text(const Tally& tally, const Policy& policy) {
    TextTable table({"rule", "action", "packets", "accept", "drop", "replace", "merge"});
    const auto row = [&](std::string name, std::string action, const Hits& hits) {
        std::vector<std::string> cells{std::move(name), std::move(action)};
        cells.push_back(std::to_string(hits.packets));
        for (const auto count : hits.verdicts) cells.push_back(std::to_string(count));
        table.add(std::move(cells));
    };
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        const Rule& rule = policy.rules[i];
        row(escape_terminal(rule.name),
            std::string(to_string(rule.action)) + (rule.dry_run ? " (dry run)" : ""),
            tally.rules[i]);
    }
    row("(no rule asked)", "-", tally.none);
    std::string text = table.text();
    for (const auto& word : words<Reason>())
        if (const auto count = tally.verdicts.intended_drop_reasons[index(word.value)]; count != 0)
            text += "dropped as " + std::string(word.text) + ": " + std::to_string(count) + '\n';
    return text;
}

/// A finding (exit code 1) is a packet that would be dropped.
ExitCode run(const Arguments& arguments, Terminal& terminal) {
    std::string rules_from;
    auto chosen = choose_options_in_use(arguments, terminal, rules_from);
    if (const auto* code = std::get_if<ExitCode>(&chosen)) return *code;
    auto& options = std::get<ReplayOptions>(chosen);
    options.keep_packets = true;
    std::size_t failed = 0;
    const auto captures = open_captures(arguments.all("CAPTURE"), terminal, failed);
    Tally tally;
    tally.rules.resize(options.policy->rules.size());
    for (const auto& capture : captures) {
        const auto replay = replay_capture(capture, options, terminal);
        if (replay)
            tally.add(*replay);
        else
            ++failed;
    }
    if (terminal.json)
        terminal.write(tally_json(tally, *options.policy, captures.size(), rules_from));
    else
        terminal.say(tally_text(tally, *options.policy) + "rules of " +
                     escape_terminal(rules_from) + ", mode " +
                     std::string(to_string(options.policy->mode)) + '\n');
    const bool drops = tally.verdicts.intended[index(Verdict::drop)] != 0;
    return failed == 0 && !drops ? ExitCode::ok : ExitCode::failure;
}

constexpr Positional positionals[] = {
    {"CAPTURE", "pcap or pcapng files; - for standard input", true, true},
};
constexpr Option options[] = {
    {"--mode",   "MODE", "judge in this mode: observe, guard, exclusive (the configuration's)"      },
    {"--config",
     "FILE",             "take servers, limits and mode from this ikefragd.toml (the installed one)"},
    {"--rules",
     "PATH",             "take the rules from this file or directory (rules.d beside ikefragd.toml)"},
};

} // namespace

const Command rules_test_command{
    .name = "rules test",
    .needs = Needs::nothing,
    .help = "Try rules on captures: hits per rule; exit code 1 if any packet would be dropped",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
