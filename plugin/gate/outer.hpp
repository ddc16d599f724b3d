// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/observation.hpp"
#include "plugin/policy.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <optional>

namespace ikefrag {

/// The port of Teredo's servers and relays. Source: RFC 4380 §2.7.
inline constexpr std::uint16_t teredo_port = 3544;

/// Compares the two sources of a 6to4 packet. What is inside is not followed.
///
/// In:      a whole IPv4 packet of protocol 41
/// Out:     empty: its inner source is no 6to4 address, or was cut off
[[nodiscard]] std::optional<OuterSeen> look_at_six_to_four(const Policy& policy,
                                                           const IpPacket& ip) noexcept;

/// Compares the two sources of a Teredo packet on its way from a client to a server or relay.
///
/// In:      `body`: of a UDP datagram to teredo_port over IPv4
/// Out:     empty: its inner source is no Teredo address or was cut off; a server forwards it
///          (it bears an origin indication); or the client is still behind its NAT here
[[nodiscard]] std::optional<OuterSeen>
look_at_teredo(const Policy& policy, const IpAddress& outer_source, Bytes body) noexcept;

} // namespace ikefrag
