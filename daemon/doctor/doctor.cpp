// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/doctor/doctor.hpp"

#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace ikefrag {
namespace {

using Rows = std::vector<Examination>;

constexpr std::array<std::string_view, 4> standings{"good", "note", "warning", "wrong"};

/// 2025-01-01: a clock before our first release is wrong, and events would lie.
constexpr std::int64_t earliest_plausible_time = 1'735'689'600;
/// Seconds; what NTP corrects in passing is less.
constexpr std::int64_t step_worth_telling = 2;
/// Part of a queue's length from which it is called nearly full.
constexpr std::uint32_t nearly_full_percent = 80;
/// Sixteen of our largest datagrams, as the kernel counts memory.
constexpr std::uint64_t enough_for_fragments = 262'144;
/// A firewall of clients sees many a server.
constexpr std::size_t most_proposals = 8;
constexpr std::uint16_t natt_port = 4500;
constexpr std::uint16_t ike_port = 500;

std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

std::string show(const RuleFound& rule) {
    return escape_terminal(rule.where) + ": " + escape_terminal(rule.text);
}

std::string_view sysctl(const HostFacts& facts, std::string_view name) {
    const auto found = facts.sysctls.find(name);
    return found == facts.sysctls.end() ? std::string_view() : std::string_view(found->second);
}

Mode wanted_mode(const HostFacts& facts) {
    if (facts.daemon) return facts.daemon->mode;
    return facts.config ? facts.config->policy->mode : Mode::observe;
}

void examine_rights(const HostFacts& facts, Rows& rows) {
    if (facts.is_root)
        rows.push_back(
            {"rights", Standing::good, "running as root, everything can be looked at", ""});
    else
        rows.push_back({"rights",
                        Standing::warning,
                        "not root: rulesets and queues of this host cannot be read",
                        "run it as root: sudo ikefragctl doctor"});
}

void examine_config(const HostFacts& facts, Rows& rows) {
    if (!facts.config_exists)
        rows.push_back({"config",
                        Standing::warning,
                        facts.config_path + " does not exist: defaults apply",
                        "install the package's ikefragd.toml there"});
    else if (!facts.config)
        rows.push_back({"config",
                        Standing::wrong,
                        facts.config_path + " or its rules have " +
                            std::to_string(facts.config_mistakes) + " mistakes",
                        "ikefragd --check --config " + facts.config_path + " shows each place"});
    else if (facts.daemon && facts.daemon->config_hash != facts.config->hash)
        rows.push_back({"config",
                        Standing::warning,
                        "what is on disk is not what the daemon runs with",
                        "ikefragctl reload"});
    else
        rows.push_back({"config",
                        Standing::good,
                        std::to_string(facts.config->policy->rules.size()) + " rules, " +
                            std::to_string(facts.config->policy->servers.size()) +
                            " servers, no mistakes",
                        ""});
}

void examine_daemon(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon)
        rows.push_back({"daemon",
                        Standing::wrong,
                        "ikefragd is not running",
                        "systemctl enable --now ikefragd"});
    else
        rows.push_back({"daemon",
                        Standing::good,
                        "ikefragd " + escape_terminal(facts.daemon->version) + " runs in mode " +
                            std::string(to_string(facts.daemon->mode)),
                        ""});
}

void examine_table(const HostFacts& facts, Rows& rows) {
    if (!facts.table_present)
        rows.push_back(
            {"table", Standing::note, "nftables cannot be looked at from here", "run it as root"});
    else if (*facts.table_present && facts.daemon)
        rows.push_back({"table", Standing::good, "table inet ikefragd is loaded", ""});
    else if (*facts.table_present)
        rows.push_back({"table",
                        Standing::warning,
                        "table inet ikefragd is loaded but no daemon runs: left by a crash",
                        "systemctl start ikefragd takes it over; nft delete table inet ikefragd "
                        "removes it"});
    else if (facts.daemon && facts.config && !facts.config->settings.queue.manage_nft)
        rows.push_back({"table",
                        Standing::wrong,
                        "manage_nft is false and nobody has loaded table inet ikefragd",
                        "ikefragctl nft | nft -f -"});
    else if (facts.daemon)
        rows.push_back({"table",
                        Standing::wrong,
                        "table inet ikefragd is gone although the daemon runs: another tool "
                        "removes it again and again",
                        "look for 'flush ruleset' in /etc/nftables.conf and firewall scripts"});
    else
        rows.push_back({"table", Standing::note, "no table, as no daemon runs", ""});
}

void examine_queue_support(const HostFacts& facts, Rows& rows) {
    if (!facts.nft_queue) return;
    if (*facts.nft_queue)
        rows.push_back(
            {"nft_queue", Standing::good, "the kernel has nftables' queue statement", ""});
    else
        rows.push_back({"nft_queue",
                        Standing::note,
                        "the kernel lacks nft_queue; the iptables target inside the nft table is "
                        "used instead and does the same",
                        "modprobe nft_queue, if your kernel ships it"});
}

/// Somebody else's hand on what the daemon will want.
void examine_taken(const HostFacts& facts, Rows& rows) {
    if (facts.daemon || !facts.config) return;
    const auto& wanted = facts.config->settings.queue;
    for (const auto& queue : facts.queues)
        if (queue.number >= wanted.first && queue.number < wanted.first + wanted.count)
            rows.push_back(
                {"queue",
                 Standing::wrong,
                 "queue " + std::to_string(queue.number) +
                     " is taken by another program (netlink port " + std::to_string(queue.port_id) +
                     "), or by an ikefragd that does not answer",
                 "another number: first in [queue]; `ss -f netlink -p` helps to find the "
                 "program"});
    const auto group = facts.config->settings.copy_group;
    if (std::ranges::find(facts.log_groups, group) != facts.log_groups.end())
        rows.push_back({"copy",
                        Standing::wrong,
                        "log group " + std::to_string(group) +
                            " is read by another program, or by an ikefragd that does not answer",
                        "another number: group in [copy]"});
}

void examine_queues(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || !facts.queues_readable) return;
    const auto& wanted = facts.config->settings.queue;
    if (facts.daemon->mode == Mode::observe) {
        rows.push_back(
            {"queue", Standing::good, "observe: nothing is queued, nothing can be held up", ""});
        return;
    }
    for (std::uint32_t number = wanted.first; number < std::uint32_t{wanted.first} + wanted.count;
         ++number) {
        const auto name = "queue " + std::to_string(number);
        const auto queue = std::ranges::find(
            facts.queues, static_cast<std::uint16_t>(number), &KernelQueue::number);
        if (queue == facts.queues.end())
            rows.push_back({"queue",
                            Standing::wrong,
                            name + " has no listener: fragments pass unseen (fail-open) or are "
                                   "dropped",
                            "systemctl restart ikefragd"});
        else if (queue->dropped_full + queue->dropped_socket > 0)
            rows.push_back({"queue",
                            Standing::warning,
                            name + " dropped " + std::to_string(queue->dropped_full) +
                                " packets when full and " + std::to_string(queue->dropped_socket) +
                                " for want of socket buffer",
                            "raise max_length, or count to use more cores, in [queue]"});
        else if (queue->waiting * 100 > wanted.max_length * nearly_full_percent)
            rows.push_back({"queue",
                            Standing::warning,
                            name + " holds " + std::to_string(queue->waiting) + " of " +
                                std::to_string(wanted.max_length) + " packets",
                            "see ikefrag_held_packets; raise max_length in [queue]"});
        else
            rows.push_back({"queue", Standing::good, name + " is served, nothing was lost", ""});
    }
}

void examine_copies(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || !facts.log_groups_readable) return;
    const auto group = facts.config->settings.copy_group;
    const bool bound = std::ranges::find(facts.log_groups, group) != facts.log_groups.end();
    rows.push_back({"copy",
                    bound ? Standing::good : Standing::wrong,
                    "log group " + std::to_string(group) +
                        (bound ? " is read" : " has no reader: whole IKE is not seen"),
                    bound ? "" : "systemctl restart ikefragd; does another tool use that group?"});
}

void examine_conntrack(const HostFacts& facts, Rows& rows) {
    const auto& conntrack = facts.conntrack;
    if (conntrack.conntrack_active)
        rows.push_back({"conntrack",
                        Standing::good,
                        "conntrack is active: behind us the kernel puts fragments together, one "
                        "missing fragment means the server gets nothing",
                        ""});
    else
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
    for (const auto& rule : conntrack.fragment_drops) {
        // Measured: behind the kernel's defragmentation such a rule never sees a fragment.
        if (!rule.bites)
            rows.push_back(
                {"fragment_drop",
                 Standing::note,
                 "a rule drops fragments, but conntrack makes them whole before it: " + show(rule),
                 ""});
        else
            rows.push_back({"fragment_drop",
                            Standing::wrong,
                            "this host drops fragments behind us, IKE's too: " + show(rule),
                            "set mark = { value = 0x1, mask = 0x1 } in ikefragd.toml and exempt "
                            "that mark in the rule, or let mode exclusive replace the rule"});
    }
    for (const auto& rule : conntrack.earlier_hooks)
        rows.push_back({"hook_order",
                        Standing::warning,
                        "a chain sees packets before us: " + show(rule),
                        "what it drops we never see; give it a priority above -450"});
    if (conntrack.fragment_drops.empty())
        rows.push_back(
            {"fragment_drop", Standing::good, "no rule of this host drops fragments", ""});
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
    if (!any) rows.push_back({"offload", Standing::good, "no offload hides packets from us", ""});
}

bool is_own(const HostFacts& facts, const IpAddress& address) {
    return std::ranges::find(facts.own_addresses, address) != facts.own_addresses.end();
}

bool any_server_elsewhere(const HostFacts& facts, Family family) {
    return std::ranges::any_of(facts.config->policy->servers, [&](const Server& server) {
        return std::ranges::any_of(server.addresses, [&](const Prefix& prefix) {
            return prefix.address.family == family &&
                   (!is_own(facts, prefix.address) || !server.inside.empty());
        });
    });
}

void examine_forwarding(const HostFacts& facts, Rows& rows) {
    if (!facts.config) return;
    struct Way {
        Family family;
        const char* name;
        const char* setting;
    };
    for (const auto& way : {
             Way{Family::ipv4, "IPv4", "net.ipv4.ip_forward"         },
             Way{Family::ipv6, "IPv6", "net.ipv6.conf.all.forwarding"}
    }) {
        if (!any_server_elsewhere(facts, way.family)) continue;
        if (sysctl(facts, way.setting) == "0")
            rows.push_back(
                {"forwarding",
                 Standing::wrong,
                 std::string(way.name) + " is not forwarded, but a server stands behind this host",
                 "sysctl -w " + std::string(way.setting) + "=1"});
        else
            rows.push_back(
                {"forwarding", Standing::good, std::string(way.name) + " is forwarded", ""});
    }
}

std::string in_server_table(const IpAddress& address, const std::optional<IpAddress>& inside) {
    const auto addresses = "addresses = [\"" + to_string(address) + "\"]";
    return inside ? addresses + ", inside = [\"" + to_string(*inside) + "\"]" : addresses;
}

/// What [[server]] could say: by the NAT rules and, where those tell nothing, by who answered.
std::string propose_servers(const HostFacts& facts) {
    std::vector<std::string> proposals;
    for (const auto& forwarding : facts.forwardings)
        if (forwarding.outside &&
            std::ranges::find(forwarding.ports, ike_port) != forwarding.ports.end())
            proposals.push_back(in_server_table(*forwarding.outside, forwarding.inside));
    if (!proposals.empty()) return "the NAT rules say [[server]] " + join(proposals);
    if (facts.daemon)
        for (const auto& server : facts.daemon->servers_seen)
            if (proposals.size() < most_proposals)
                proposals.push_back(in_server_table(server.address, server.inside));
    if (!proposals.empty()) return "those that answered say [[server]] " + join(proposals);
    return "name your VPN gateways with [[server]] in " + facts.config_path;
}

/// Servers whose inside address the configuration lacks, by the answers the daemon saw.
void examine_inside_addresses(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon) return;
    const auto& policy = *facts.config->policy;
    for (const auto& seen : facts.daemon->servers_seen) {
        const auto server = policy.server_of(seen.address);
        if (!server || !seen.inside || policy.server_of(*seen.inside) == server) continue;
        // The NAT rules have told of those without any.
        if (policy.servers[*server].inside.empty() &&
            std::ranges::any_of(facts.forwardings, [&](const Forwarding& forwarding) {
                return forwarding.outside == seen.address && forwarding.inside == *seen.inside;
            }))
            continue;
        rows.push_back({"servers",
                        Standing::warning,
                        "server " + escape_terminal(policy.servers[*server].name) +
                            " answers from " + to_string(*seen.inside) +
                            ", but that inside address is not configured",
                        "inside = [\"" + to_string(*seen.inside) + "\"] in that [[server]]"});
    }
}

void examine_servers(const HostFacts& facts, Rows& rows) {
    if (!facts.config) return;
    const auto& servers = facts.config->policy->servers;
    if (servers.empty()) {
        rows.push_back({"servers",
                        wanted_mode(facts) == Mode::observe ? Standing::note : Standing::warning,
                        "no server is configured: every IKE responder counts as one",
                        propose_servers(facts)});
    } else {
        rows.push_back({"servers",
                        Standing::good,
                        std::to_string(servers.size()) + " servers configured",
                        ""});
    }
    for (const auto& forwarding : facts.forwardings) {
        const auto server = facts.config->policy->server_of(forwarding.outside ? *forwarding.outside
                                                                               : forwarding.inside);
        if (!server || !servers[*server].inside.empty()) continue;
        if (!forwarding.outside || *forwarding.outside == forwarding.inside) continue;
        rows.push_back({"servers",
                        Standing::warning,
                        "server " + escape_terminal(servers[*server].name) + " is reached by " +
                            escape_terminal(forwarding.where) +
                            ", but its inside address is not configured",
                        "inside = [\"" + to_string(forwarding.inside) + "\"] in that [[server]]"});
    }
    examine_inside_addresses(facts, rows);
}

/// IKE_SA_INIT goes to 500 and, behind NAT, all the rest to 4500: one without the other is D08.
void examine_dnat(const HostFacts& facts, Rows& rows) {
    bool complete = true;
    for (const auto& forwarding : facts.forwardings) {
        const auto has = [&](std::uint16_t port) {
            return std::ranges::any_of(facts.forwardings, [&](const Forwarding& other) {
                return other.inside == forwarding.inside &&
                       (other.ports.empty() ||
                        std::ranges::find(other.ports, port) != other.ports.end());
            });
        };
        for (const auto& [one, other] : {
                 std::pair{ike_port,  natt_port},
                 {natt_port, ike_port }
        }) {
            if (std::ranges::find(forwarding.ports, one) == forwarding.ports.end() || has(other))
                continue;
            complete = false;
            rows.push_back({"dnat",
                            Standing::wrong,
                            "UDP/" + std::to_string(one) + " is sent on to " +
                                to_string(forwarding.inside) + ", UDP/" + std::to_string(other) +
                                " is not: handshakes stop half-way",
                            "forward UDP/" + std::to_string(other) + " to the same address"});
        }
    }
    if (complete && !facts.forwardings.empty())
        rows.push_back({"dnat", Standing::good, "500 and 4500 are forwarded together", ""});
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

void examine_metrics(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || facts.config->settings.metrics_listen.empty()) return;
    const bool good = facts.metrics_status == 200;
    rows.push_back({"metrics",
                    good ? Standing::good : Standing::warning,
                    good                   ? "the metrics endpoint answers"
                    : facts.metrics_status ? "the metrics endpoint answers with HTTP status " +
                                                 std::to_string(*facts.metrics_status)
                                           : "the metrics endpoint does not answer",
                    good ? "" : "check listen in [metrics]: is another program on that port?"});
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

} // namespace

std::string_view to_string(Standing standing) noexcept {
    return standings[static_cast<std::size_t>(standing)];
}

std::vector<Examination> examine(const HostFacts& facts) {
    Rows rows;
    for (const auto part : {examine_rights,
                            examine_config,
                            examine_daemon,
                            examine_table,
                            examine_queue_support,
                            examine_taken,
                            examine_queues,
                            examine_copies,
                            examine_conntrack,
                            examine_fragment_drops,
                            examine_offloads,
                            examine_forwarding,
                            examine_servers,
                            examine_dnat,
                            examine_sysctls,
                            examine_metrics,
                            examine_clock})
        part(facts, rows);
    return rows;
}

bool has_finding(const std::vector<Examination>& rows) noexcept {
    return std::ranges::any_of(
        rows, [](const Examination& row) { return row.standing >= Standing::warning; });
}

boost::json::object to_json(const std::vector<Examination>& rows) {
    boost::json::array list;
    for (const auto& row : rows) {
        boost::json::object entry{
            {"check",    row.check              },
            {"standing", to_string(row.standing)},
            {"found",    escape_json(row.found) },
            {"fix",      nullptr                }
        };
        if (!row.fix.empty()) entry["fix"] = escape_json(row.fix);
        list.push_back(std::move(entry));
    }
    return {
        {"format",   1                },
        {"findings", has_finding(rows)},
        {"checks",   std::move(list)  }
    };
}

} // namespace ikefrag
