// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace ikefrag {

/// A rule or hook that decides about fragments behind us, or makes the kernel put them together.
struct RuleFound {
    std::string where; ///< "ip filter FORWARD", "iptables-legacy raw PREROUTING"
    std::string text;  ///< the rule as its tool shows it
};

/// Facts about this network namespace that tell what `pass` will do.
struct ConntrackFacts {
    /// The kernel's defragmentation runs (-400): behind it fragments are whole datagrams.
    bool conntrack_active = false;
    std::vector<RuleFound> conntrack_users; ///< what switched it on
    std::vector<RuleFound> fragment_drops;  ///< rules behind us that drop fragments by their offset
    std::vector<RuleFound> earlier_hooks;   ///< others' base chains before ours
    std::vector<std::string> unread;        ///< rulesets that could not be looked at, and why
};

/// Looks at the rulesets of nftables (libnftables) and of iptables-legacy (iptables-save, where it
/// is installed and may be run). Takes some milliseconds: at start, on change and for the doctor.
[[nodiscard]] ConntrackFacts probe_conntrack();

/// The parts of it that read text: pure.
///
/// In: the JSON of `nft -j list ruleset`; the output of `iptables-legacy-save`
void read_nft_ruleset(const std::string& json, ConntrackFacts& facts);
void read_iptables_save(const std::string& tool, const std::string& text, ConntrackFacts& facts);

} // namespace ikefrag
