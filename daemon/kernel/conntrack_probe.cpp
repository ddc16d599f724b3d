// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/conntrack_probe.hpp"

#include "daemon/kernel/nftables.hpp"
#include "daemon/kernel/table_text.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <spawn.h>

namespace ikefrag {

namespace {

/// Where the kernel puts fragments together; what comes before still sees them.
constexpr std::int32_t defragmentation = -400;
/// A ruleset of more text is not read rule by rule: to make and read its JSON takes some 130 times
/// that memory (0.97 MB: 139 MB), in the thread that feeds the watchdog.
constexpr std::size_t most_judged_bytes = std::size_t{512} * 1024;
/// Behind it nft writes a rule's number.
constexpr std::string_view handle_mark = " # handle ";

std::string_view trimmed(std::string_view text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return text.substr(0, text.find_last_not_of(" \t\n") + 1);
}

/// Takes the first line off a text, without the spaces around it.
std::string_view take_line(std::string_view& text) noexcept {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return trimmed(line);
}

/// Quoted text in a rule is somebody's comment or name, not what it does.
std::string without_quotes(std::string_view line) {
    std::string out;
    bool quoted = false;
    for (const char letter : line) {
        if (letter == '"')
            quoted = !quoted;
        else if (!quoted)
            out += letter;
    }
    return out;
}

/// Takes a statement: a line, and those on which its sets go on.
std::string take_statement(std::string_view& text) {
    std::string statement(take_line(text));
    const auto is_open = [&] {
        const auto plain = without_quotes(statement);
        return std::ranges::count(plain, '{') > std::ranges::count(plain, '}');
    };
    if (statement.starts_with("table ") || statement.starts_with("chain ")) return statement;
    while (is_open() && !text.empty()) (statement += ' ') += take_line(text);
    return statement;
}

/// Whether `word` stands in the text as a word of its own.
bool has_word(std::string_view text, std::string_view word) noexcept {
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string_view::npos; ++at) {
        const auto is_letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '-';
        };
        const bool begins = at == 0 || !is_letter(text[at - 1]);
        const auto end = at + word.size();
        if (begins && (end == text.size() || !is_letter(text[end]))) return true;
    }
    return false;
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
    return std::ranges::any_of(words, [&](auto word) { return has_word(text, word); });
}

/// The word behind another in a line: "hook" → "prerouting". Empty if it is not there.
std::string_view word_after(std::string_view line, std::string_view word) noexcept {
    const auto at = line.find(std::string(word) + " ");
    if (at == std::string_view::npos) return {};
    line.remove_prefix(at + word.size() + 1);
    return line.substr(0, line.find_first_of(" ;"));
}

/// Where we are in a listing.
struct Place {
    std::string family;
    std::string table;
    std::string chain;
    std::string hook;
    std::optional<std::int32_t> priority;

    [[nodiscard]] RuleFound found(std::string_view text) const {
        const bool both = family == "inet" || family == "bridge" || family == "netdev";
        return {family + " " + table + " " + chain,
                std::string(text),
                hook,
                priority,
                both || family == "ip",
                both || family == "ip6"};
    }
    [[nodiscard]] bool is_ours() const { return family == "inet" && table == table_name; }
};

void read_hook_line(std::string_view line, Place& place, ConntrackFacts& facts) {
    place.hook = word_after(line, "hook");
    const auto number = word_after(line, "priority");
    std::int32_t value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc())
        place.priority = value;
    const bool before_us = place.hook == "ingress" || (place.hook == "prerouting" &&
                                                       place.priority.value_or(0) < our_priority);
    if (before_us) facts.earlier_hooks.push_back(place.found(line));
}

void read_nft_rule(std::string_view line, const Place& place, ConntrackFacts& facts) {
    const std::string rule = without_quotes(line);
    if (has_any(rule, {"ct", "masquerade", "snat", "dnat", "redirect", "synproxy"}) ||
        (has_word(rule, "xt") && has_any(rule,
                                         {"conntrack",
                                          "state",
                                          "connmark",
                                          "CONNMARK",
                                          "MASQUERADE",
                                          "SNAT",
                                          "DNAT",
                                          "REDIRECT",
                                          "socket"})))
        facts.conntrack_users.push_back(place.found(line));
}

bool is_before_defragmentation(const RuleFound& rule) noexcept {
    return rule.hook == "prerouting" && rule.priority.value_or(0) < defragmentation;
}

/// Runs a program without a shell and gives what it printed. Errors: empty, it could not be run or
/// did not end well.
std::optional<std::string> output_of(const char* program) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return std::nullopt;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string name(program);
    std::array<char*, 2> arguments{name.data(), nullptr};
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, program, &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    std::string text;
    std::array<char, 4096> part{};
    while (error == 0) {
        const auto size = ::read(pipe[0], part.data(), part.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        text.append(part.data(), static_cast<std::size_t>(size));
    }
    ::close(pipe[0]);
    int status = 0;
    if (error != 0) return std::nullopt;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
    return text;
}

} // namespace

std::uint64_t tracked_connections() {
    std::ifstream file("/proc/sys/net/netfilter/nf_conntrack_count");
    std::uint64_t count = 0;
    file >> count;
    return count;
}

ruleset::RuleTexts read_nft_ruleset(std::string_view text, ConntrackFacts& facts) {
    ruleset::RuleTexts texts;
    Place place;
    while (!text.empty()) {
        const auto line = take_statement(text);
        if (line.starts_with("table ")) {
            place = {};
            place.family = word_after(line, "table");
            place.table = word_after(line, place.family);
        } else if (line.starts_with("chain ")) {
            place.chain = word_after(line, "chain");
            place.hook.clear();
            place.priority.reset();
        } else if (line == "}") {
            place.chain.clear();
        } else if (place.chain.empty() || place.is_ours() || line.empty()) {
            continue;
        } else if (line.starts_with("type ") && !word_after(line, "hook").empty()) {
            read_hook_line(line, place, facts);
        } else {
            const auto end = std::min(line.rfind(handle_mark), line.size());
            const auto rule = line.substr(0, end);
            read_nft_rule(rule, place, facts);
            if (end < line.size())
                texts[place.family + " " + place.table + " " +
                      line.substr(end + handle_mark.size())] = rule;
        }
    }
    return texts;
}

void read_iptables_save(std::string_view tool, std::string_view text, ConntrackFacts& facts) {
    const bool ipv6 = tool.starts_with("ip6");
    std::string table;
    while (!text.empty()) {
        const auto line = take_line(text);
        if (line.starts_with("*")) table = line.substr(1);
        if (!line.starts_with("-A ")) continue;
        const auto chain = word_after(line, "-A");
        const std::string rule = without_quotes(line);
        if (has_any(rule,
                    {"-m conntrack", "-m state", "-m connmark", "-m connlimit", "-m socket"}) ||
            has_any(rule, {"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "CONNMARK", "NETMAP"}))
            facts.conntrack_users.push_back(
                {.where = std::string(tool) + " " + table + " " + std::string(chain),
                 .text = std::string(line),
                 .ipv4 = !ipv6,
                 .ipv6 = ipv6});
    }
}

void look_for_fragment_drops(const ruleset::Ruleset& rules,
                             const IkeTraffic& traffic,
                             ConntrackFacts& facts) {
    auto drops = find_fragment_drops(rules, traffic);
    std::ranges::move(drops.found, std::back_inserter(facts.fragment_drops));
    std::ranges::move(drops.not_judged, std::back_inserter(facts.not_judged));
}

void conclude_conntrack(std::uint64_t tracked, ConntrackFacts& facts) {
    for (const auto& user : facts.conntrack_users) {
        facts.active_ipv4 = facts.active_ipv4 || user.ipv4;
        facts.active_ipv6 = facts.active_ipv6 || user.ipv6;
    }
    // Something tracks that we cannot see: for which family, it does not say.
    if (tracked > 0 && facts.conntrack_users.empty()) facts.active_ipv4 = facts.active_ipv6 = true;
    facts.conntrack_active = facts.active_ipv4 || facts.active_ipv6;
    for (auto& rule : facts.fragment_drops) {
        const bool before = rule.where.starts_with("netdev") || rule.where.starts_with("bridge") ||
                            rule.hook == "ingress" || is_before_defragmentation(rule);
        const bool sees_ipv4 = rule.ipv4 && !facts.active_ipv4;
        const bool sees_ipv6 = rule.ipv6 && !facts.active_ipv6;
        rule.bites = before || sees_ipv4 || sees_ipv6;
    }
    std::erase_if(facts.fragment_drops,
                  [](const RuleFound& rule) { return rule.by_default && !rule.bites; });
}

FragmentDrops fragment_drops_behind_us(const ConntrackFacts& facts) {
    FragmentDrops drops;
    for (const auto& rule : facts.fragment_drops) {
        const bool on_the_way =
            rule.hook == "forward" || rule.hook == "postrouting" ||
            (rule.hook == "prerouting" && rule.priority.value_or(0) > our_priority);
        if (!on_the_way || !rule.surely_to_server) continue;
        const auto text = rule.where + ": " + rule.text;
        auto& ipv4 = drops[index(Family::ipv4)];
        auto& ipv6 = drops[index(Family::ipv6)];
        const bool early = is_before_defragmentation(rule);
        if (rule.ipv4 && (early || !facts.active_ipv4) && ipv4.empty()) ipv4 = text;
        if (rule.ipv6 && (early || !facts.active_ipv6) && ipv6.empty()) ipv6 = text;
    }
    return drops;
}

ConntrackFacts probe_conntrack(const IkeTraffic& traffic, ProbeMay may) {
    ConntrackFacts facts;
    Nftables shown(Nftables::Output::text);
    Nftables nftables;
    if (const auto ruleset = shown.run("list ruleset"); !ruleset) {
        facts.nftables_read = false;
        facts.unread.push_back("nftables: " + ruleset.error());
    } else if (const auto texts = read_nft_ruleset(*ruleset, facts);
               ruleset->size() > most_judged_bytes) {
        facts.not_judged.push_back("nftables: a ruleset of " + std::to_string(ruleset->size()) +
                                   " octets");
    } else if (const auto rules = nftables.run("list ruleset"); !rules) {
        facts.not_judged.push_back("nftables: " + rules.error());
    } else {
        // What comes or goes between the two has no text, or is not judged; then it is read again.
        look_for_fragment_drops(ruleset::read_nft_rules(*rules, texts, table_name), traffic, facts);
    }
    for (const char* tool : {"iptables-legacy", "ip6tables-legacy"}) {
        if (may == ProbeMay::only_read) {
            facts.unread.push_back(std::string(tool) + ": not looked at by the daemon");
            continue;
        }
        if (const auto text = output_of((std::string(tool) + "-save").c_str())) {
            read_iptables_save(tool, *text, facts);
            look_for_fragment_drops(ruleset::read_iptables_rules(tool, *text), traffic, facts);
        } else {
            facts.unread.push_back(std::string(tool) + ": " + tool + "-save could not be run");
        }
    }
    // Entries outlive the rules that made them, by days: they count only where some ruleset could
    // not be read.
    conclude_conntrack(facts.unread.empty() ? 0 : tracked_connections(), facts);
    return facts;
}

} // namespace ikefrag
