// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/groups.hpp"

#include "plugin/tracker.hpp"

namespace ikefrag {
namespace {

/// Carrier-grade NAT (RFC 6598).
const Prefix& carriers() {
    static const auto shared = parse_prefix("100.64.0.0/10").value();
    return shared;
}

} // namespace

ClientGroup group_of(const IpAddress& client, const Policy& policy) {
    ClientGroup group;
    group.transition = transition_of(client, policy).transition;
    if (group.transition != Transition::native) return group;
    group.network = carriers().contains(client)
                        ? carriers()
                        : prefix_of(client, client.family == Family::ipv4 ? 16 : 32);
    return group;
}

std::string to_string(const ClientGroup& group) {
    if (group.transition != Transition::native)
        return std::string(to_string(group.transition)) + " clients";
    if (group.network == carriers()) return "clients behind carrier-grade NAT (100.64.0.0/10)";
    return "clients of " + to_string(group.network);
}

std::string group_hint(const IpAddress& client, const Policy& policy) {
    switch (transition_of(client, policy).transition) {
    case Transition::six_to_four:
    case Transition::teredo:
    case Transition::isatap:
        return "disable that transition technology on the clients, or keep IKE fragments at 1280 "
               "octets.";
    case Transition::iphttps: return "keep IKE fragments at 1280 octets.";
    default:
        return "ask its operator whether IP fragments and UDP 4500 pass; IKE fragmentation at both "
               "ends avoids them.";
    }
}

} // namespace ikefrag
