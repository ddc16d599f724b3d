// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/rule_effect.hpp"
#include "plugin/diagnosis.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// Facts about this network namespace that tell what `pass` will do.
struct ConntrackFacts {
    /// The kernel's defragmentation runs: behind -400 fragments are whole datagrams, cut anew on
    /// the way out.
    bool conntrack_active = false; ///< for either family
    bool active_ipv4 = false;
    bool active_ipv6 = false;
    std::vector<RuleFound> conntrack_users; ///< what switched it on
    std::vector<RuleFound> fragment_drops;  ///< of IKE that passes whole
    std::vector<RuleFound> earlier_hooks;   ///< base chains that see packets before our -450
    std::vector<std::string> unread;        ///< rulesets that could not be looked at, and why
    bool nftables_read = true;              ///< false: they are among the unread
    std::vector<std::string> not_judged;    ///< chains or rulesets that may drop fragments or not
};

/// Whether programs may be run: the sandboxed daemon may not, so that it sees iptables-legacy's
/// rules only by their effect (the kernel's count of tracked connections).
enum class ProbeMay : std::uint8_t { only_read, run_programs };

/// Looks at the rulesets of nftables and, if it may, of iptables-legacy. Some milliseconds.
[[nodiscard]] ConntrackFacts probe_conntrack(const IkeTraffic& traffic,
                                             ProbeMay may = ProbeMay::only_read);

/// Connections the kernel tracks in this namespace now; 0 also where that cannot be read. Cheap.
[[nodiscard]] std::uint64_t tracked_connections();

/// The parts that read text: pure.
///
/// What switches connection tracking on, and who hooks before us.
///
/// In:      what `nft -a -y -t list ruleset` prints (priorities as numbers, rules with handles)
/// Out:     the rules' texts
ruleset::RuleTexts read_nft_ruleset(std::string_view text, ConntrackFacts& facts);
/// In:      tool: iptables-legacy or ip6tables-legacy; text: what its -save prints
void read_iptables_save(std::string_view tool, std::string_view text, ConntrackFacts& facts);
/// Adds what drops fragments of IKE.
void look_for_fragment_drops(const ruleset::Ruleset& rules,
                             const IkeTraffic& traffic,
                             ConntrackFacts& facts);
/// Puts together what was found: which rules bite. A default drop that does not is none: behind
/// connection tracking a fragment has the ports of its datagram.
///
/// In:      tracked: connections the kernel tracks in this namespace, 0 if that cannot be read
void conclude_conntrack(std::uint64_t tracked, ConntrackFacts& facts);

/// The rule for each family that surely drops trailing fragments on their way to a server, behind
/// our hook; empty where none does.
[[nodiscard]] FragmentDrops fragment_drops_behind_us(const ConntrackFacts& facts);

} // namespace ikefrag
