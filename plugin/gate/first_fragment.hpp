// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/compiled_policy.hpp"
#include "plugin/wire/ip_packet.hpp"
#include "plugin/wire/udp.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

/// What only a first fragment (or a protocol number) can tell of a datagram.
struct FirstFacts {
    std::uint8_t protocol = 0;               ///< upper layer
    std::uint32_t udp_offset = 0;            ///< where it begins in the payload
    std::optional<UdpHeader> udp;            ///< empty: not UDP
    UdpKind kind;                            ///< of UDP
    std::optional<PacketClass> packet_class; ///< empty: cannot be told
    Direction direction = Direction::to_server;
    /// header_chain: no upper layer, or no whole UDP header, in an IPv6 first fragment (RFC 7112);
    /// tiny_first: no UDP header in an IPv4 one
    Reason reason = Reason::none;
};

/// In: ip: a first fragment
[[nodiscard]] FirstFacts
read_first_fragment(const Policy& policy, const ServerEnds& ends, const IpPacket& ip) noexcept;

/// The class of a fragment that is not the first, where its IP protocol alone tells; empty for
/// what may be UDP. On IPv6 it never tells: receivers go by the first fragment's alone, so that of
/// any other may be a lie (RFC 8200 §4.5).
[[nodiscard]] std::optional<PacketClass> class_by_protocol(const IpPacket& ip) noexcept;

} // namespace ikefrag
