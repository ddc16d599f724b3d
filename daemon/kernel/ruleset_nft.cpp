// SPDX-License-Identifier: GPL-2.0-or-later
// nftables' JSON, as libnftables-json(5) has it, with numbers for names.
#include "daemon/json/members.hpp"
#include "daemon/kernel/ruleset.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace ikefrag::ruleset {
namespace {

namespace json = boost::json;

constexpr std::uint16_t udp = 17;

struct Name {
    std::string_view text;
    std::uint64_t number;
};
/// Those that stay names in some version's numeric output.
constexpr std::array names{
    Name{"udp",       udp},
    Name{"tcp",       6  },
    Name{"icmp",      1  },
    Name{"icmpv6",    58 },
    Name{"ipv6-icmp", 58 },
    Name{"esp",       50 },
    Name{"ah",        51 },
    Name{"sctp",      132},
    Name{"ipv6-frag", 44 },
    Name{"ipv4",      2  },
    Name{"ipv6",      10 },
    Name{"ip",        2  },
    Name{"ip6",       10 },
    Name{"invalid",   1  },
    Name{"new",       8  },
    Name{"related",   4  },
    Name{"untracked", 64 },
};

std::optional<std::uint64_t> number_of(const json::value& value) {
    if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
        return static_cast<std::uint64_t>(*number);
    if (const auto* number = value.if_uint64()) return *number;
    if (const auto* yes = value.if_bool()) return *yes ? 1 : 0;
    const auto* const found = std::ranges::find(names, text_of(&value), &Name::text);
    return found == names.end() ? std::nullopt : std::optional(found->number);
}

/// Whether an expression looks behind the IP header, where trailing fragments have nothing.
bool reads_transport(const json::value& left) {
    if (const auto* list = left.if_array()) return std::ranges::any_of(*list, reads_transport);
    const auto* object = left.if_object();
    if (object == nullptr) return false;
    if (const auto* payload = object->if_contains("payload")) {
        const auto protocol = text_of(member(*payload, "protocol"));
        const auto base = text_of(member(*payload, "base"));
        return base == "th" || base == "ih" ||
               (base.empty() && protocol != "ip" && protocol != "ip6" && protocol != "ether" &&
                protocol != "vlan" && protocol != "arp");
    }
    return std::ranges::any_of(*object,
                               [](const auto& part) { return reads_transport(part.value()); });
}

/// The family whose header an expression reads; empty where it reads none.
std::optional<Family> family_of(const json::value& left) {
    const auto* list = left.if_array();
    if (const auto* parts = member(left, "concat")) list = parts->if_array();
    if (list != nullptr)
        for (const auto& part : *list)
            if (const auto family = family_of(part)) return family;
    const auto* payload = member(left, "payload");
    const auto protocol = payload != nullptr ? text_of(member(*payload, "protocol")) : "";
    if (protocol == "ip") return Family::ipv4;
    return protocol == "ip6" ? std::optional(Family::ipv6) : std::nullopt;
}

void describe_payload(const json::value& payload, Match& match) {
    const auto protocol = text_of(member(payload, "protocol"));
    const auto field = text_of(member(payload, "field"));
    if (protocol == "ip" || protocol == "ip6") {
        match.family = protocol == "ip" ? Family::ipv4 : Family::ipv6;
        match.subject = field == "saddr"      ? Subject::source
                        : field == "daddr"    ? Subject::destination
                        : field == "protocol" ? Subject::protocol
                        : field == "nexthdr"  ? Subject::next_header
                        : field == "frag-off" ? Subject::fragment_word
                                              : Subject::unknown;
    } else if (protocol == "udp" || protocol == "th") {
        match.subject = field == "dport"   ? Subject::destination_port
                        : field == "sport" ? Subject::source_port
                                           : Subject::transport;
    } else if (text_of(member(payload, "base")) == "nh") {
        // IPv4's flags and offset or the last bits of them, as older tools write them. IPv6 has
        // others there.
        const auto* offset = member(payload, "offset");
        const auto* size = member(payload, "len");
        const auto from = offset != nullptr ? number_of(*offset).value_or(0) : 0;
        const auto bits = size != nullptr ? number_of(*size).value_or(0) : 0;
        if (from >= 48 && from < 64 && bits == 64 - from) {
            match.subject = Subject::fragment_word;
            match.family = Family::ipv4;
            match.mask = (1u << bits) - 1;
        }
    } else if (!protocol.empty() && protocol != "ether" && protocol != "vlan") {
        match.subject = Subject::never;
    } else if (!text_of(member(payload, "base")).starts_with("l")) {
        match.subject = Subject::transport;
    }
}

void describe_meta(std::string_view key, Match& match) {
    match.subject = key == "l4proto"                       ? Subject::protocol
                    : key == "nfproto"                     ? Subject::family
                    : key == "mark"                        ? Subject::mark
                    : key == "iifname" || key == "oifname" ? Subject::loopback
                    : key == "iif" || key == "oif"         ? Subject::loopback
                                                           : Subject::unknown;
}

void describe_fragment_header(std::string_view field, Match& match) {
    match.family = Family::ipv6;
    match.subject = field.empty()               ? Subject::has_fragment_header
                    : field == "frag-off"       ? Subject::fragment_offset
                    : field == "more-fragments" ? Subject::more_fragments
                                                : Subject::fragment_header;
}

/// What a match's left side looks at.
void describe(const json::value& left, Match& match) {
    if (const auto* both = member(left, "&")) {
        const auto* list = both->if_array();
        if (list != nullptr && list->size() == 2) {
            const auto mask = number_of((*list)[1]);
            describe((*list)[0], match);
            match.mask &= mask.value_or(0);
            match.known = match.known && mask;
            return;
        }
    }
    if (const auto* payload = member(left, "payload"))
        describe_payload(*payload, match);
    else if (const auto* header = member(left, "exthdr");
             header != nullptr && text_of(member(*header, "name")) == "frag")
        describe_fragment_header(text_of(member(*header, "field")), match);
    else if (const auto* meta = member(left, "meta"))
        describe_meta(text_of(member(*meta, "key")), match);
    else if (const auto* ct = member(left, "ct"))
        match.subject = text_of(member(*ct, "key")) == "state" ? Subject::tracking : Subject::never;
    else {
        match.family = family_of(left);
        if (reads_transport(left)) match.subject = Subject::transport;
    }
}

void read_text(std::string_view text, Match& match) {
    if (match.subject == Subject::loopback) {
        match.values.push_back(text == "lo" ? Range{1, 1} : Range{0, 0});
        // Which of a host's other interfaces IKE takes, nobody has told us.
        match.known = match.known && text == "lo";
    } else if (const auto address = parse_prefix(text)) {
        match.networks.push_back(*address);
    } else {
        match.known = false;
    }
}

/// The values on a match's right side.
void read_values(const json::value& right, Match& match) {
    if (const auto* list = right.if_array()) {
        for (const auto& one : *list) read_values(one, match);
    } else if (const auto* set = member(right, "set")) {
        read_values(*set, match);
    } else if (const auto* element = member(right, "elem"); element != nullptr) {
        if (const auto* value = member(*element, "val")) read_values(*value, match);
    } else if (const auto* range = member(right, "range")) {
        const auto* ends = range->if_array();
        const auto first = ends != nullptr && ends->size() == 2 ? number_of((*ends)[0])
                                                                : std::optional<std::uint64_t>();
        const auto last = first ? number_of((*ends)[1]) : first;
        if (last)
            match.values.push_back({*first, *last});
        else
            match.known = false;
    } else if (const auto* prefix = member(right, "prefix")) {
        const auto* length = member(*prefix, "len");
        const auto bits = length != nullptr ? number_of(*length) : std::nullopt;
        const auto network = parse_prefix(std::string(text_of(member(*prefix, "addr"))) + "/" +
                                          std::to_string(bits.value_or(999)));
        if (network)
            match.networks.push_back(*network);
        else
            match.known = false;
    } else if (const auto number = number_of(right); number && match.subject != Subject::loopback) {
        match.values.push_back({*number, *number});
    } else {
        read_text(text_of(&right), match);
    }
}

/// "<" and its like: the values on the right side become ranges.
void compare(std::string_view op, Match& match) {
    match.negated = op == "!=";
    if (!op.starts_with('<') && !op.starts_with('>')) return;
    if (match.values.size() != 1) {
        match.known = false;
        return;
    }
    const auto value = match.values[0].first;
    const bool with = op.ends_with('=');
    if (op.starts_with('<'))
        match.values[0] = with || value == 0 ? Range{0, value} : Range{0, value - 1};
    else
        match.values[0] = {with ? value : value + 1, ~std::uint64_t{0}};
}

/// Empty where the left side has another value each time.
std::string key_of(const json::value& left, std::string_view op, const json::value& right) {
    auto key = json::serialize(left);
    if (key.find("random") != std::string::npos || key.find("numgen") != std::string::npos)
        return {};
    // Whether it is one of them, is asked in three ways.
    if (op != "!=" && op != "==" && op != "in") key += op;
    return key + json::serialize(right);
}

Match read_match(const json::value& expression) {
    Match match;
    const auto* left = member(expression, "left");
    const auto* right = member(expression, "right");
    if (left == nullptr || right == nullptr) return match;
    const auto op = text_of(member(expression, "op"));
    describe(*left, match);
    read_values(*right, match);
    compare(op, match);
    match.key = key_of(*left, op, *right);
    return match;
}

/// An extension of iptables, of which nft shows only the name.
Match read_extension(std::string_view name) {
    Match match;
    match.known = false;
    if (name == "udp" || name == "multiport")
        match.subject = Subject::transport;
    else if (name == "tcp" || name == "icmp" || name == "icmp6" || name == "sctp")
        match.subject = Subject::never;
    else if (name == "frag" || name == "ipv6header" || name == "u32")
        match.subject = Subject::fragment_header;
    return match;
}

/// Whether a statement ends the rule for some packets: a limit, or one for each element of a set.
bool is_limit(const json::value& statement) {
    if (const auto* list = statement.if_array()) return std::ranges::any_of(*list, is_limit);
    for (const char* word : {"set", "meter"})
        if (const auto* set = member(statement, word)) {
            const auto* inner = member(*set, "stmt");
            return inner != nullptr && is_limit(*inner);
        }
    return member(statement, "limit") != nullptr || member(statement, "quota") != nullptr ||
           member(statement, "ct count") != nullptr;
}

Move move_of_target(std::string_view name) {
    if (name == "DROP" || name == "REJECT" || name == "TARPIT") return Move::drop;
    if (name == "ACCEPT" || name == "NFQUEUE" || name == "DNAT" || name == "SNAT" ||
        name == "REDIRECT" || name == "MASQUERADE" || name == "TPROXY")
        return Move::accept;
    return Move::go_on;
}

/// Puts a statement's verdict into the rule. Out: whether it has one
bool read_verdict(const json::value& statement, Rule& rule) {
    constexpr std::array accepting{
        "accept", "queue", "dnat", "snat", "masquerade", "redirect", "tproxy", "synproxy", "fwd"};
    if (member(statement, "drop") != nullptr || member(statement, "reject") != nullptr)
        rule.move = Move::drop;
    else if (member(statement, "return") != nullptr)
        rule.move = Move::back;
    else if (const auto* jump = member(statement, "jump")) {
        rule.move = Move::call;
        rule.target = text_of(member(*jump, "target"));
    } else if (const auto* leave = member(statement, "goto")) {
        rule.move = Move::leave_for;
        rule.target = text_of(member(*leave, "target"));
    } else if (std::ranges::any_of(
                   accepting, [&](const char* word) { return member(statement, word) != nullptr; }))
        rule.move = Move::accept;
    return rule.move != Move::go_on;
}

Match read_element(const json::value& key, const json::value& element) {
    Match match;
    describe(key, match);
    read_values(element, match);
    match.key = key_of(key, "==", element);
    return match;
}

/// A verdict map is a rule for each of its elements: they exclude each other.
void read_verdict_map(const json::value& map, const Rule& before, std::vector<Rule>& rules) {
    const auto* key = member(map, "key");
    const auto* data = member(map, "data");
    const auto* set = data != nullptr ? member(*data, "set") : nullptr;
    const auto* elements = set != nullptr ? set->if_array() : nullptr;
    if (key == nullptr || data == nullptr) return;
    if (elements == nullptr) {
        Rule rule = before;
        rule.matches.push_back(read_element(*key, *data));
        rule.matches.back().known = false;
        rule.move = Move::untold;
        rules.push_back(std::move(rule));
        return;
    }
    for (const auto& element : *elements) {
        const auto* pair = element.if_array();
        if (pair == nullptr || pair->size() != 2) continue;
        Rule rule = before;
        rule.matches.push_back((*pair)[0] == "*" ? Match() : read_element(*key, (*pair)[0]));
        read_verdict((*pair)[1], rule);
        rules.push_back(std::move(rule));
    }
}

void read_rule(const json::array& statements, std::string text, Ruleset& all, Chain& chain) {
    Rule rule{.matches = {}, .text = std::move(text)};
    for (const auto& statement : statements) {
        if (const auto* match = member(statement, "match")) {
            rule.matches.push_back(read_match(*match));
        } else if (const auto* extension = member(statement, "xt")) {
            const auto name = text_of(member(*extension, "name"));
            if (text_of(member(*extension, "type")) == "match") {
                if (name != "comment") rule.matches.push_back(read_extension(name));
            } else {
                rule.move = move_of_target(name);
                all.sets_marks = all.sets_marks || name == "MARK" || name == "CONNMARK";
            }
        } else if (const auto* map = member(statement, "vmap")) {
            return read_verdict_map(*map, rule, chain.rules);
        } else if (is_limit(statement)) {
            rule.matches.emplace_back();
        } else if (const auto* change = member(statement, "mangle")) {
            const auto* key = member(*change, "key");
            const auto* meta = key != nullptr ? member(*key, "meta") : nullptr;
            all.sets_marks =
                all.sets_marks || (meta != nullptr && text_of(member(*meta, "key")) == "mark");
        } else {
            read_verdict(statement, rule);
        }
    }
    chain.rules.push_back(std::move(rule));
}

Table& table_of(std::string_view family, std::string_view name, Ruleset& all) {
    const auto title = std::string(family) + " " + std::string(name);
    const auto found = std::ranges::find(all.tables, title, &Table::title);
    if (found != all.tables.end()) return *found;
    return all.tables.emplace_back(
        Table{.title = title, .ipv4 = family != "ip6", .ipv6 = family != "ip"});
}

void read_chain(const json::value& entry, Table& table) {
    auto& chain = table.chains[std::string(text_of(member(entry, "name")))];
    const auto hook = text_of(member(entry, "hook"));
    if (hook.empty()) return;
    const auto* priority = member(entry, "prio");
    chain.hook = Hook{.name = std::string(hook),
                      .priority = priority != nullptr && priority->is_int64()
                                      ? static_cast<std::int32_t>(priority->get_int64())
                                      : 0,
                      .drops = text_of(member(entry, "policy")) == "drop"};
}

} // namespace

Ruleset read_nft_rules(std::string_view text, const RuleTexts& texts, std::string_view skipped) {
    Ruleset all;
    json::error_code error;
    const auto value = json::parse(text, error);
    const auto* list = error ? nullptr : member(value, "nftables");
    if (list == nullptr || !list->is_array()) return all;
    for (const auto& entry : list->get_array()) {
        const auto* chain = member(entry, "chain");
        const auto* rule = member(entry, "rule");
        const auto* either = chain != nullptr ? chain : rule;
        if (either == nullptr) continue;
        const auto family = text_of(member(*either, "family"));
        const auto name = text_of(member(*either, "table"));
        if (family == "arp" || (family == "inet" && name == skipped)) continue;
        auto& table = table_of(family, name, all);
        if (chain != nullptr) {
            read_chain(*chain, table);
            continue;
        }
        const auto* statements = member(*rule, "expr");
        if (statements == nullptr || !statements->is_array()) continue;
        const auto* handle = member(*rule, "handle");
        const auto number = handle != nullptr ? number_of(*handle).value_or(0) : 0;
        const auto shown = texts.find(table.title + " " + std::to_string(number));
        read_rule(statements->get_array(),
                  shown != texts.end() ? shown->second : "rule " + std::to_string(number),
                  all,
                  table.chains[std::string(text_of(member(*rule, "chain")))]);
    }
    return all;
}

} // namespace ikefrag::ruleset
