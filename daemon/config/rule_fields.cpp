// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/schema.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

using config::boolean_field;
using config::Field;
using config::integer_field;
using config::Reading;
using config::table_field;
using config::within;
using config::word_field;
using config::WrittenRule;

constexpr std::size_t max_list = 256;
/// Counters of a gate are one row a rule (GateCounters::max_counted_rules).
constexpr std::size_t max_rules = 256;
/// IFNAMSIZ, less the final zero.
constexpr std::size_t max_interface_name = 15;

struct ProtocolName {
    std::string_view name;
    std::uint8_t number;
};
/// Names as in /etc/protocols, for the protocols one meets on a firewall.
constexpr ProtocolName protocols[] = {
    {"icmp",      1  },
    {"ipip",      4  },
    {"tcp",       6  },
    {"udp",       17 },
    {"ipv6",      41 },
    {"gre",       47 },
    {"esp",       50 },
    {"ah",        51 },
    {"ipv6-icmp", 58 },
    {"ospf",      89 },
    {"sctp",      132},
    {"udplite",   136}
};

/// A list member of Match, read item by item.
template <class T, class ReadOne>
Field<Match> list_field(std::string_view key,
                        std::vector<T> Match::*member,
                        std::string type,
                        ReadOne read_one,
                        std::string_view doc) {
    auto read = [=](const TomlNode& node, Match& match, Reading& reading) {
        match.*member = config::read_list<T>(node, reading, read_one);
        if ((match.*member).size() > max_list)
            reading.unexpected(node, "at most " + std::to_string(max_list) + " values");
    };
    return {key, std::move(type), doc, std::move(read), [](const Match&) { return std::string(); }};
}

std::optional<std::string> read_interface(const TomlNode& node, Reading& reading) {
    const auto* name = std::get_if<std::string>(&node.value);
    const auto is_letter = [](char c) { return c > 0x20 && c < 0x7f && c != '/'; };
    if (name != nullptr && !name->empty() && name->size() <= max_interface_name &&
        std::all_of(name->begin(), name->end(), is_letter))
        return *name;
    reading.unexpected(node, "an interface name of 1 to 15 letters");
    return std::nullopt;
}

void read_protocol(const TomlNode& node, Match& match, Reading& reading) {
    std::vector<std::string_view> names;
    for (const auto& protocol : protocols) names.push_back(protocol.name);
    if (const auto* name = std::get_if<std::string>(&node.value)) {
        for (const auto& protocol : protocols)
            if (protocol.name == *name) {
                match.protocol = protocol.number;
                return;
            }
        return reading.unknown_word(node, names);
    }
    if (const auto number = config::read_integer(node, {0, 255}, reading))
        match.protocol = static_cast<std::uint8_t>(*number);
}

Field<Match> protocol_field() {
    const auto* doc = "IP protocol: a number, or one of icmp, ipip, tcp, udp, ipv6, gre, esp, ah, "
                      "ipv6-icmp, ospf, sctp, udplite.";
    return {"protocol", "integer 0..255, or a name", doc, read_protocol, [](const Match&) {
                return std::string();
            }};
}

const std::vector<Field<Match>>& match_fields() {
    using M = Match;
    static const std::vector<Field<M>> fields{
        word_field(
            "class",
            &M::packet_class,
            "What the first fragment shows: IKE, ESP in UDP, a NAT keepalive, ESP or AH (protocols "
            "50 and 51), anything else."),
        list_field<std::string>(
            "server",
            &M::server,
            "list of server names",
            config::read_name,
            "The datagram goes to or comes from one of these configured servers."),
        list_field("peer",
                   &M::peer,
                   "list of addresses or prefixes",
                   config::read_prefix,
                   "The side that is not the server is in one of these."),
        word_field("direction", &M::direction, "To the server, or from it to the peer."),
        word_field("family", &M::family, "IP version of the packet."),
        protocol_field(),
        list_field<std::string>("interface",
                                &M::interface,
                                "list of interface names",
                                read_interface,
                                "Where the fragment came in."),
        list_field("transition",
                   &M::transition,
                   "list of " + config::word_list<Transition>(),
                   config::read_word<Transition>,
                   "Transition technology of the peer's address; IPv4 is native."),
    };
    return fields;
}

const std::vector<Field<RuleLimits>>& rule_limit_fields() {
    static const auto fields = config::datagram_limit_fields<RuleLimits>();
    return fields;
}

Field<WrittenRule> name_field() {
    auto read = [](const TomlNode& node, WrittenRule& written, Reading& reading) {
        written.named = true;
        if (auto name = config::read_name(node, reading)) written.rule.name = *name;
    };
    const auto* doc = "Metric label of this rule; unique over all files. Required.";
    return {"name", "name", doc, read, [](const WrittenRule&) { return std::string(); }};
}

Field<WrittenRule> action_field() {
    auto read = [](const TomlNode& node, WrittenRule& written, Reading& reading) {
        written.acts = true;
        if (const auto action = config::read_word<Action>(node, reading))
            written.rule.action = *action;
    };
    const auto* doc =
        "pass: hold, check, release the original fragments. reassemble: hand on one rebuilt "
        "datagram (IPv4; IPv6 is passed). leave: neither hold nor check. drop. Required.";
    return {"action", config::word_list<Action>(), doc, read, [](const WrittenRule&) {
                return std::string();
            }};
}

const std::vector<Field<WrittenRule>>& rule_table_fields() {
    using W = WrittenRule;
    static const std::vector<Field<W>> fields{
        name_field(),
        within(&W::rule,
               table_field("match",
                           &Rule::match,
                           match_fields(),
                           "What the rule is for; empty or absent: everything.")),
        action_field(),
        within(&W::rule,
               table_field("limits",
                           &Rule::limits,
                           rule_limit_fields(),
                           "Limits of this rule's datagrams, in place of the global ones.")),
        within(&W::rule,
               boolean_field("dry_run",
                             &Rule::dry_run,
                             "Whether the rule only says what it would do, and accepts.")),
    };
    return fields;
}

/// Whether a key the rule does not know is meant to be this one.
bool is_mistyped(const TomlNode& rule, std::string_view wanted) {
    const auto* table = std::get_if<TomlNode::Table>(&rule.value);
    if (table == nullptr) return false;
    std::vector<std::string_view> known;
    for (const auto& field : rule_table_fields()) known.push_back(field.key);
    return std::any_of(table->begin(), table->end(), [&](const TomlMember& member) {
        return nearest_word(member.key, known) == wanted;
    });
}

} // namespace

void config::read_rules_text(const TomlNode& document,
                             std::vector<WrittenRule>& rules,
                             Reading& reading) {
    const auto* table = std::get_if<TomlNode::Table>(&document.value);
    if (table == nullptr) return;
    for (const auto& member : *table) {
        if (member.key != "rule") {
            unknown_key(member, "a rule file", {"rule"}, reading);
            continue;
        }
        reading.key = "rule";
        const auto* list = std::get_if<TomlNode::List>(&member.value.value);
        if (list == nullptr) {
            reading.unexpected(member.value, "[[rule]] tables");
            continue;
        }
        for (const auto& item : *list) {
            WrittenRule written;
            written.file = reading.file().name;
            written.position = item.position;
            written.source_line = line_of(reading.file().text, item.position.line);
            reading.places.clear();
            read_table(item, rule_table_fields(), "", written, reading);
            for (const auto& [key, position] : reading.places)
                if (position.line != 0)
                    written.places[key] = {
                        position, std::string(line_of(reading.file().text, position.line))};
            // A key that is mistyped has been told; that it is missing follows from it.
            if (!written.named && !is_mistyped(item, "name"))
                reading.mistake(item.position, "rule needs a name");
            if (!written.acts && !is_mistyped(item, "action"))
                reading.mistake(item.position, "rule needs an action");
            if (rules.size() == max_rules)
                reading.mistake(item.position, "more than " + std::to_string(max_rules) + " rules");
            if (rules.size() <= max_rules) rules.push_back(std::move(written));
        }
    }
}

std::vector<FieldHelp> rule_fields() {
    std::vector<FieldHelp> help;
    config::append_help(help, "[[rule]]", rule_table_fields());
    config::append_help(help, "match", match_fields());
    config::append_help(help, "limits", rule_limit_fields());
    return help;
}

} // namespace ikefrag
