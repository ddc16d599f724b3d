// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
    /// A fragment rule only: it sees fragments at all. Behind the kernel's defragmentation (-400,
    /// on while conntrack is) packets are whole and such a rule never matches.
    bool bites = true;
};

/// Facts about this network namespace that tell what `pass` will do.
struct ConntrackFacts {
    /// The kernel's defragmentation runs: behind -400 fragments are whole datagrams, cut anew on
    /// the way out.
    bool conntrack_active = false; ///< for either family
    bool active_ipv4 = false;
    bool active_ipv6 = false;
    std::vector<RuleFound> conntrack_users; ///< what switched it on
    std::vector<RuleFound> fragment_drops;  ///< rules that drop by a packet's being a fragment
    std::vector<RuleFound> earlier_hooks;   ///< base chains that see packets before our -450
    std::vector<std::string> unread;        ///< rulesets that could not be looked at, and why
};

/// Whether programs may be run: the sandboxed daemon may not, so that it sees iptables-legacy's
/// rules only by their effect (the kernel's count of tracked connections).
enum class ProbeMay : std::uint8_t { only_read, run_programs };

/// Looks at the rulesets of nftables and, if it may, of iptables-legacy. Some milliseconds.
[[nodiscard]] ConntrackFacts probe_conntrack(ProbeMay may = ProbeMay::only_read);

/// Connections the kernel tracks in this namespace now; 0 also where that cannot be read. Cheap.
[[nodiscard]] std::uint64_t tracked_connections();

/// The parts that read text: pure.
///
/// In:      what `nft -y list ruleset` prints (priorities as numbers)
void read_nft_ruleset(std::string_view text, ConntrackFacts& facts);
/// In:      tool: iptables-legacy or ip6tables-legacy; text: what its -save prints
void read_iptables_save(std::string_view tool, std::string_view text, ConntrackFacts& facts);
/// Puts together what was found: which rules bite. In: tracked: connections the kernel tracks in
/// this namespace, 0 if that cannot be read
void conclude_conntrack(std::uint64_t tracked, ConntrackFacts& facts);

/// The first rule for each family that drops trailing fragments on their way behind our hook; empty
/// where none does. Which traffic else it asks for (an interface, a mark) is not worked out.
[[nodiscard]] FragmentDrops fragment_drops_behind_us(const ConntrackFacts& facts);

} // namespace ikefrag
