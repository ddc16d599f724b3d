// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/doctor/examine.hpp"
#include "daemon/escape.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

namespace ikefrag::doctor {
namespace {

/// 2025-01-01: a clock before our first release is wrong, and events would lie.
constexpr std::int64_t earliest_plausible_time = 1'735'689'600;
/// Seconds; what NTP corrects in passing is less.
constexpr std::int64_t step_worth_telling = 2;
/// Sixteen of our largest datagrams, as the kernel counts memory.
constexpr std::uint64_t enough_for_fragments = 262'144;

std::string show(const RuleFound& rule) {
    return escape_terminal(rule.where) + ": " + escape_terminal(rule.text);
}

Examination judge_drop(const RuleFound& rule) {
    // Measured: behind the kernel's defragmentation such a rule never sees a fragment.
    if (!rule.bites)
        return {"fragment_drop",
                Standing::note,
                "a rule drops fragments, but conntrack makes them whole before it: " + show(rule),
                ""};
    const bool before_us = rule.hook == "ingress" ||
                           (rule.hook == "prerouting" && rule.priority.value_or(0) < our_priority);
    const std::string where = before_us ? "before us" : "behind us";
    Examination row{"fragment_drop",
                    rule.surely ? Standing::wrong : Standing::warning,
                    rule.surely
                        ? "this host drops fragments " + where + ", IKE's too: " + show(rule)
                        : "this host may drop fragments of IKE " + where +
                              " (an interface, an address or a set decides): " + show(rule),
                    ""};
    if (rule.by_default && !before_us) {
        row.found += ": whole IKE is accepted by its ports, which later fragments do not have";
        row.fix =
            "set mark = { value = 0x1, mask = 0x1 } in ikefragd.toml and let the chain accept "
            "it: meta mark & 0x1 == 0x1 accept; or let connection tracking make them whole";
    } else if (before_us) {
        row.fix = "take the rule out, or let it spare the servers: what it drops we never see";
    } else {
        row.fix = "set mark = { value = 0x1, mask = 0x1 } in ikefragd.toml and exempt that mark in "
                  "the rule, or let mode exclusive replace the rule";
    }
    return row;
}

} // namespace

void examine_conntrack(const HostFacts& facts, Rows& rows) {
    const auto& conntrack = facts.conntrack;
    if (conntrack.conntrack_active)
        rows.push_back({"conntrack",
                        Standing::good,
                        "conntrack is active: behind us the kernel puts fragments together, one "
                        "missing fragment means the server gets nothing",
                        ""});
    else if (!not_read(facts, "conntrack", rows))
        rows.push_back({"conntrack",
                        Standing::good,
                        "no conntrack here: released fragments go on one by one, in order",
                        ""});
    for (const auto& unread : conntrack.unread)
        rows.push_back(
            {"conntrack", Standing::note, "not looked at: " + escape_terminal(unread), ""});
}

void examine_fragment_drops(const HostFacts& facts, Rows& rows) {
    const auto& conntrack = facts.conntrack;
    for (const auto* check : {"fragment_drop", "hook_order"}) not_read(facts, check, rows);
    for (const auto& rule : conntrack.fragment_drops) rows.push_back(judge_drop(rule));
    for (const auto& rule : conntrack.earlier_hooks)
        rows.push_back({"hook_order",
                        Standing::warning,
                        "a chain sees packets before us: " + show(rule),
                        "what it drops we never see; give it a priority above -450"});
    for (const auto& place : conntrack.not_judged)
        rows.push_back({"fragment_drop",
                        Standing::note,
                        "not judged, may drop fragments or not: " + escape_terminal(place),
                        ""});
    if (!conntrack.nftables_read) return;
    if (conntrack.fragment_drops.empty() && conntrack.not_judged.empty())
        rows.push_back(
            {"fragment_drop", Standing::good, "no rule of this host drops fragments of IKE", ""});
    if (conntrack.earlier_hooks.empty())
        rows.push_back({"hook_order", Standing::good, "nobody hooks before priority -450", ""});
}

void examine_offloads(const HostFacts& facts, Rows& rows) {
    if (!facts.flowtables.empty())
        rows.push_back(
            {"offload",
             Standing::note,
             "flow tables (" + escape_terminal(join(facts.flowtables)) +
                 ") take known flows past every rule: later IKE on 4500 is not seen; "
                 "fragments never take that way",
             "keep UDP 500 and 4500 out of the flow table if handshakes look cut short"});
    bool any = !facts.flowtables.empty();
    for (const auto& interface : facts.interfaces)
        if (interface.large_receive_offload) {
            any = true;
            rows.push_back({"offload",
                            Standing::warning,
                            escape_terminal(interface.name) +
                                " merges received packets (LRO), which a router must not",
                            "ethtool -K " + escape_terminal(interface.name) + " lro off"});
        }
    if (!any && !not_read(facts, "offload", rows))
        rows.push_back({"offload", Standing::good, "no offload hides packets from us", ""});
}

void examine_sysctls(const HostFacts& facts, Rows& rows) {
    if (sysctl(facts, "net.bridge.bridge-nf-call-iptables") == "1")
        rows.push_back({"sysctl",
                        Standing::note,
                        "bridged packets pass through iptables and are put together there",
                        "sysctl -w net.bridge.bridge-nf-call-iptables=0, unless you need it"});
    for (const auto* name : {"net.ipv4.ipfrag_time", "net.ipv6.ip6frag_time"}) {
        const auto value = sysctl(facts, name);
        if (!value.empty() && value.size() == 1 && value[0] < '5')
            rows.push_back({"sysctl",
                            Standing::warning,
                            std::string(name) + " is " + std::string(value) +
                                " s: slower fragments are lost behind us",
                            "sysctl -w " + std::string(name) + "=30"});
    }
    // 0 is how some harden a host: the kernel then puts nothing together, and drops every fragment
    // that conntrack or a program of this host would need whole.
    for (const auto* name : {"net.ipv4.ipfrag_high_thresh",
                             "net.ipv6.ip6frag_high_thresh",
                             "net.netfilter.nf_conntrack_frag6_high_thresh"}) {
        const auto value = sysctl(facts, name);
        std::uint64_t bytes = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), bytes);
        if (parsed.ec == std::errc() && bytes < enough_for_fragments)
            rows.push_back({"sysctl",
                            Standing::warning,
                            std::string(name) + " is " + std::string(value) +
                                ": the kernel has hardly any room to put fragments together, IKE's "
                                "neither",
                            "sysctl -w " + std::string(name) + "=4194304"});
    }
    if (std::ranges::none_of(rows, [](const auto& row) { return row.check == "sysctl"; }))
        rows.push_back({"sysctl", Standing::good, "kernel settings for fragments are sane", ""});
}

void examine_clock(const HostFacts& facts, Rows& rows) {
    const bool good = facts.clock_seconds >= earliest_plausible_time;
    rows.push_back({"clock",
                    good ? Standing::good : Standing::warning,
                    good ? "the clock is plausible" : "the clock is years behind: events will lie",
                    good ? "" : "timedatectl set-ntp true"});
    const auto step = facts.daemon ? facts.daemon->clock_step_seconds : 0;
    if (std::abs(step) < step_worth_telling) return;
    rows.push_back({"clock",
                    Standing::warning,
                    "the clock was set by " + std::to_string(step) +
                        " s since ikefragd started, which goes by the clock of its start: the "
                        "times it tells are off by that",
                    "systemctl restart ikefragd, once the clock is right"});
}

} // namespace ikefrag::doctor
