// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/observation.hpp"
#include "plugin/policy.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <optional>

namespace ikefrag {

/// Reads an ICMP error that quotes IKE: IPv4 types 3, 11, 12; IPv6 types 1 to 4.
///
/// In:      packet: whole, protocol ICMP of its own family; its payload may be cut
/// Out:     views into the packet; quoted_message is empty where the quote ends at or before the
///          UDP header, as RFC 792's 8 bytes do
/// Errors:  empty: no error message, or what it quotes is not a first or only piece of UDP on an
///          IKE port, is ESP in UDP as far as shown, or is no IP packet of its family
/// Source:  RFC 792, RFC 1191 §4, RFC 4443 §2.4 and §3
[[nodiscard]] std::optional<IcmpSeen> parse_icmp_quote(const Ports& ports,
                                                       const IpPacket& packet) noexcept;

} // namespace ikefrag
