// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <cstdint>

namespace ikefrag {

enum class LinkContent : std::uint8_t {
    ip,         ///< an IPv4 or IPv6 packet
    other,      ///< something else, readable as such (ARP, LLDP, …)
    unreadable, ///< cut before its type was known, or a link type we do not know
};

/// A frame without its link layer.
struct Unwrapped {
    LinkContent content = LinkContent::unreadable;
    Bytes packet;             ///< from the IP header on, link-layer padding included
    std::uint32_t domain = 0; ///< VLAN ids, outermost first, 12 bits each; 0: untagged
};

/// Takes the link layer off a captured frame: Ethernet with VLAN and QinQ tags, SNAP and PPPoE;
/// raw IP; Linux cooked v1 and v2; BSD loopback; PPP.
///
/// In:      a LINKTYPE_ number and the frame's captured bytes
/// Bounds:  at most four VLAN tags are taken off; a frame with more is `other`
/// Source:  www.tcpdump.org/linktypes.html
[[nodiscard]] Unwrapped unwrap_link(std::uint32_t link_type, Bytes frame) noexcept;

namespace link_type {
inline constexpr std::uint32_t null = 0;
inline constexpr std::uint32_t ethernet = 1;
inline constexpr std::uint32_t ppp = 9;
inline constexpr std::uint32_t raw_openbsd = 12; ///< DLT_RAW where it is not 14, seen in files
inline constexpr std::uint32_t raw_bsd = 14;
inline constexpr std::uint32_t ppp_hdlc = 50;
inline constexpr std::uint32_t raw = 101;
inline constexpr std::uint32_t loop = 108;
inline constexpr std::uint32_t linux_sll = 113;
inline constexpr std::uint32_t ipv4 = 228;
inline constexpr std::uint32_t ipv6 = 229;
inline constexpr std::uint32_t linux_sll2 = 276;
} // namespace link_type

} // namespace ikefrag
