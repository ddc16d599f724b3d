// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/ruleset.hpp"
#include "daemon/kernel/verdict_sender.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// A rule or base chain of somebody else that matters to fragments.
struct RuleFound {
    std::string where;  ///< "ip filter FORWARD", "iptables-legacy raw PREROUTING"
    std::string text;   ///< the rule as its tool shows it; a chain's hook line
    std::string hook{}; ///< "prerouting", "ingress" …; empty: a chain others jump to
    std::optional<std::int32_t> priority{}; ///< of its hook
    bool ipv4 = false;                      ///< acts on IPv4
    bool ipv6 = false;
    // Of one that drops fragments only:
    /// It sees fragments at all. Behind the kernel's defragmentation (-400, on while conntrack is)
    /// packets are whole and such a rule never matches.
    bool bites = true;
    bool surely = true;      ///< false: it depends on what we do not know, such as an interface
    bool by_default = false; ///< it drops whatever no rule before it accepts
    bool to_server = false;  ///< surely or not: fragments on their way to a server
    bool to_peer = false;    ///< and on their way back
    bool surely_to_server = false;
};

struct DropsFound {
    std::vector<RuleFound> found;
    std::vector<std::string> not_judged{}; ///< base chains: "inet filter forward"
};

/// IKE on its way through this host, as far as others' rules can tell its packets apart.
struct IkeTraffic {
    std::vector<Prefix> servers;                 ///< outside and inside; empty: any
    std::vector<std::uint16_t> ports{500, 4500}; ///< of the servers
    std::optional<PacketMark> mark{};            ///< put on the fragments we let through
};

/// Before this priority of prerouting nothing bears our mark.
inline constexpr std::int32_t our_priority = -450;

/// What drops a fragment of IKE in a place that lets whole packets of the same IKE pass: each rule
/// or policy once. Rules in chains that no base chain leads to drop nothing. Follows a whole packet
/// and a fragment side by side, and where a match cannot be answered both ways.
///
/// Out:     not_judged: packets come to a named verdict map, or it takes too many steps; what is
///          found there nevertheless is never sure
/// Bounds:  a base chain that takes more than 10⁵ steps is not judged
[[nodiscard]] DropsFound find_fragment_drops(const ruleset::Ruleset& rules,
                                             const IkeTraffic& traffic);

} // namespace ikefrag
