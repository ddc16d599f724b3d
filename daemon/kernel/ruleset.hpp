// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Others' packet filters, as far as they can tell a fragment of IKE from a whole packet of it.
namespace ikefrag::ruleset {

/// What of a packet a match looks at.
enum class Subject : std::uint8_t {
    unknown,     ///< nothing we can answer: it may hold
    never,       ///< what no packet of IKE has: TCP flags, ICMP types
    family,      ///< 2 or 10, as nfproto
    protocol,    ///< IP protocol; of IPv6 behind all extension headers
    next_header, ///< IPv6's fixed header: 44 in a fragment
    source_port, ///< no trailing fragment has ports: no match on them holds, nor its reverse
    destination_port,
    transport,           ///< anything else behind the IP header
    fragment_word,       ///< IPv4's flags and offset, 16 bits
    has_fragment_header, ///< IPv6: 1 or 0
    fragment_offset,     ///< in the Fragment header
    more_fragments,
    fragment_header, ///< anything else in it
    mark,
    tracking, ///< ct state: 1 is invalid, as all is that nobody tracks
    source,
    destination,
    loopback, ///< 1: an interface of that kind
};

struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

struct Match {
    Subject subject = Subject::unknown;
    std::optional<Family> family{}; ///< holds for packets of this family alone
    std::uint64_t mask = ~std::uint64_t{0};
    bool negated = false;
    bool known = true; ///< false: the values are not: a named set's
    std::vector<Range> values{};
    std::vector<Prefix> networks{}; ///< for source and destination
    /// What it asks, without `negated`: of one packet, those with the same key hold alike. Empty:
    /// it may hold at one time and not at another, as a limit does.
    std::string key{};
};

enum class Move : std::uint8_t {
    go_on,
    accept,
    drop,
    back,
    call,
    leave_for,
    untold, ///< what a named verdict map's elements would tell
};

struct Rule {
    std::vector<Match> matches; ///< all must hold
    Move move = Move::go_on;
    std::string target{}; ///< of call and leave_for
    std::string text{};   ///< as its tool shows it
};

struct Hook {
    std::string name; ///< "prerouting", "ingress" …
    std::int32_t priority = 0;
    bool drops = false; ///< its policy: what no rule decides
};

struct Chain {
    std::optional<Hook> hook; ///< empty: reached from other chains only
    std::vector<Rule> rules;
};

struct Table {
    std::string title; ///< "inet filter", "iptables-legacy raw"
    bool ipv4 = true;
    bool ipv6 = true;
    std::map<std::string, Chain, std::less<>> chains{};
};

struct Ruleset {
    std::vector<Table> tables;
    bool sets_marks = false; ///< some rule sets marks: bits that are not ours may be anything
};

/// How nft shows rules: "inet filter 7" (family, table, handle) → "ip frag-off & 8191 != 0 drop".
using RuleTexts = std::map<std::string, std::string, std::less<>>;

/// Reads the JSON of `nft -j -n -t list ruleset`.
///
/// In:      texts: of the rules, where they are known; skipped: a table's name in family inet to
///          leave out (ours)
/// Errors:  empty where it is no JSON
[[nodiscard]] Ruleset
read_nft_rules(std::string_view json, const RuleTexts& texts, std::string_view skipped);

/// Reads what iptables-legacy-save or ip6tables-legacy-save prints.
[[nodiscard]] Ruleset read_iptables_rules(std::string_view tool, std::string_view text);

} // namespace ikefrag::ruleset
