// SPDX-License-Identifier: GPL-2.0-or-later
// iptables' own text, as iptables-save prints it.
#include "daemon/kernel/ruleset.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iomanip>
#include <sstream>

namespace ikefrag::ruleset {
namespace {

struct BuiltIn {
    std::string_view table;
    std::string_view chain;
    std::string_view hook;
    std::int32_t priority;
};
/// Tables in which a packet can be lost; that of NAT needs connection tracking.
constexpr std::array built_in{
    BuiltIn{"raw",      "PREROUTING",  "prerouting",  -300},
    BuiltIn{"mangle",   "PREROUTING",  "prerouting",  -150},
    BuiltIn{"mangle",   "INPUT",       "input",       -150},
    BuiltIn{"mangle",   "FORWARD",     "forward",     -150},
    BuiltIn{"mangle",   "POSTROUTING", "postrouting", -150},
    BuiltIn{"filter",   "INPUT",       "input",       0   },
    BuiltIn{"filter",   "FORWARD",     "forward",     0   },
    BuiltIn{"security", "INPUT",       "input",       50  },
    BuiltIn{"security", "FORWARD",     "forward",     50  },
};

std::optional<std::uint64_t> number_of(std::string_view text) {
    const int base = text.starts_with("0x") ? 16 : 10;
    if (base == 16) text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// "500", "500:510", "500,4500".
void read_ports(std::string_view text, Match& match) {
    while (!text.empty()) {
        const auto part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        const auto colon = std::min(part.find(':'), part.size());
        const auto first = number_of(part.substr(0, colon));
        const auto last = colon < part.size() ? number_of(part.substr(colon + 1)) : first;
        if (first && last)
            match.values.push_back({*first, *last});
        else
            match.known = false;
    }
}

void read_network(std::string_view text, Match& match) {
    if (const auto network = parse_prefix(text))
        match.networks.push_back(*network);
    else
        match.known = false;
}

Match read_protocol(std::string_view name) {
    Match match{.subject = Subject::protocol};
    if (name == "udp" || name == "17")
        match.values = {
            {17, 17}
        };
    else if (name == "all" || name == "0")
        match.values = {
            {0, 255}
        };
    return match;
}

/// "0x1/0xff".
Match read_mark(std::string_view text) {
    Match match{.subject = Subject::mark};
    const auto slash = std::min(text.find('/'), text.size());
    const auto value = number_of(text.substr(0, slash));
    const auto mask = slash < text.size() ? number_of(text.substr(slash + 1))
                                          : std::optional<std::uint64_t>(0xffffffff);
    match.known = value && mask;
    if (match.known) {
        match.mask = *mask;
        match.values.push_back({*value, *value});
    }
    return match;
}

/// What the name of an extension alone tells: those that have options we read tell nothing.
void read_extension(std::string_view name, Rule& rule) {
    if (name == "frag" || name == "ipv6header" || name == "u32")
        rule.matches.push_back({.subject = Subject::fragment_header, .known = false});
    else if (name != "udp" && name != "tcp" && name != "multiport" && name != "mark" &&
             name != "comment")
        rule.matches.emplace_back();
}

/// Extensions that may take one packet and leave another like it.
bool is_limit(std::string_view name) {
    constexpr std::array limits{"limit", "hashlimit", "statistic", "quota", "recent", "connlimit"};
    return std::ranges::find(limits, name) != limits.end();
}

/// Reads one option's value, where it tells fragments of IKE from others.
void read_option(const std::string& option, const std::string& value, Rule& rule) {
    Match match;
    if (option == "-p") {
        match = read_protocol(value);
    } else if (option == "-s" || option == "-d") {
        match.subject = option == "-s" ? Subject::source : Subject::destination;
        read_network(value, match);
    } else if (option == "-i" || option == "-o") {
        match.subject = Subject::loopback;
        match.known = value == "lo";
        match.values.push_back({1, 1});
    } else if (option == "--sport" || option == "--sports") {
        match.subject = Subject::source_port;
        read_ports(value, match);
    } else if (option == "--dport" || option == "--dports") {
        match.subject = Subject::destination_port;
        read_ports(value, match);
    } else if (option == "--ports") {
        match.subject = Subject::transport;
    } else if (option == "--mark") {
        match = read_mark(value);
    } else {
        return;
    }
    rule.matches.push_back(std::move(match));
}

Match trailing_fragment() {
    return {.subject = Subject::fragment_word,
            .family = Family::ipv4,
            .mask = 0x1fff,
            .negated = true,
            .values = {{0, 0}}};
}

void read_target(const std::string& name, bool jump, Rule& rule, Ruleset& all) {
    rule.target = name;
    rule.move = name == "ACCEPT" || name == "NFQUEUE" || name == "TPROXY" ? Move::accept
                : name == "DROP" || name == "REJECT"                      ? Move::drop
                : name == "RETURN"                                        ? Move::back
                : jump                                                    ? Move::call
                                                                          : Move::leave_for;
    all.sets_marks = all.sets_marks || name == "MARK" || name == "CONNMARK";
}

/// "-A FORWARD -p udp -j ACCEPT": the words behind the chain.
Rule read_rule(std::istringstream& words, Ruleset& all) {
    Rule rule;
    std::vector<std::string> all_words;
    for (std::string word; words >> std::quoted(word);) all_words.push_back(std::move(word));
    bool negated = false;
    std::optional<std::size_t> extension; // the match that the options are of
    for (std::size_t i = 0; i < all_words.size(); ++i) {
        const auto word = all_words[i];
        if (word == "!") {
            negated = true;
            continue;
        }
        const auto before = rule.matches.size();
        // An option behind another is no value of it; a comment may be anything.
        const bool has_value = i + 1 < all_words.size() &&
                               (word == "--comment" ||
                                (!all_words[i + 1].starts_with('-') && all_words[i + 1] != "!"));
        const auto value = has_value ? all_words[++i] : std::string();
        if (word == "-f")
            rule.matches.push_back(trailing_fragment());
        else if (word == "-m")
            read_extension(value, rule);
        else if (word == "-j" || word == "-g")
            read_target(value, word == "-j", rule, all);
        else
            read_option(word, value, rule);
        const auto words_read = word + ' ' + value;
        const bool added = rule.matches.size() > before;
        if (added && negated) rule.matches.back().negated = !rule.matches.back().negated;
        if (added && !(word == "-m" && is_limit(value))) rule.matches.back().key = words_read;
        if (word == "-m" || word == "-j" || word == "-g")
            extension = added && !is_limit(value) ? std::optional(before) : std::nullopt;
        else if (extension)
            rule.matches[*extension].key += (negated ? " ! " : " ") + words_read;
        negated = false;
    }
    return rule;
}

} // namespace

Ruleset read_iptables_rules(std::string_view tool, std::string_view text) {
    Ruleset all;
    const bool ipv6 = tool.starts_with("ip6");
    std::istringstream lines{std::string(text)};
    std::string table_name;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('*')) {
            table_name = line.substr(1);
            all.tables.push_back(
                {.title = std::string(tool) + " " + table_name, .ipv4 = !ipv6, .ipv6 = ipv6});
        }
        if (all.tables.empty()) continue;
        auto& chains = all.tables.back().chains;
        std::istringstream words(line);
        std::string word;
        std::string name;
        if (line.starts_with(':') && words >> name >> word) {
            name.erase(0, 1);
            auto& chain = chains[name];
            for (const auto& one : built_in)
                if (one.table == table_name && one.chain == name)
                    chain.hook = Hook{std::string(one.hook), one.priority, word == "DROP"};
        } else if (line.starts_with("-A ") && words >> word >> name) {
            auto rule = read_rule(words, all);
            rule.text = line;
            chains[name].rules.push_back(std::move(rule));
        }
    }
    return all;
}

} // namespace ikefrag::ruleset
