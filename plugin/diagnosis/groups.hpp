// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/policy.hpp"

#include <string>

namespace ikefrag {

/// The group a client counts in for D35: its transition technology, carrier-grade NAT, or its /16
/// (IPv4) or /32 (IPv6).
[[nodiscard]] std::string group_of(const IpAddress& client, const Policy& policy);
/// What usually helps such a group.
[[nodiscard]] std::string group_hint(const IpAddress& client, const Policy& policy);

} // namespace ikefrag
