// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/policy.hpp"
#include "plugin/words.hpp"

#include <string>

namespace ikefrag {

/// The group a client counts in for D35: its transition technology, carrier-grade NAT, or its /16
/// (IPv4) or /32 (IPv6).
struct ClientGroup {
    Transition transition = Transition::native;
    Prefix network; ///< of native clients: theirs, or the one all carriers share
    auto operator<=>(const ClientGroup&) const = default;
};
[[nodiscard]] ClientGroup group_of(const IpAddress& client, const Policy& policy);
/// "clients of 198.51.0.0/16"
[[nodiscard]] std::string to_string(const ClientGroup& group);
/// What usually helps such a group.
[[nodiscard]] std::string group_hint(const IpAddress& client, const Policy& policy);

} // namespace ikefrag
