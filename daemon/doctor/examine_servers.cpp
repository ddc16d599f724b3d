// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/counted.hpp"
#include "daemon/doctor/examine.hpp"
#include "daemon/escape.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace ikefrag::doctor {
namespace {

/// A firewall of clients sees many a server.
constexpr std::size_t most_proposals = 8;
constexpr std::uint16_t natt_port = 4500;
constexpr std::uint16_t ike_port = 500;

Mode wanted_mode(const HostFacts& facts) {
    if (facts.daemon) return facts.daemon->mode;
    return facts.config ? facts.config->policy->mode : Mode::observe;
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

} // namespace

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

void examine_servers(const HostFacts& facts, Rows& rows) {
    if (!facts.config) return;
    const auto& servers = facts.config->policy->servers;
    if (servers.empty()) {
        rows.push_back({"servers",
                        wanted_mode(facts) == Mode::observe ? Standing::note : Standing::warning,
                        "no server is configured: every IKE responder counts as one",
                        propose_servers(facts)});
    } else {
        rows.push_back(
            {"servers", Standing::good, counted(servers.size(), "server") + " configured", ""});
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

} // namespace ikefrag::doctor
