// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/policy.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

struct UdpHeader {
    static constexpr std::uint32_t size_bytes = 8;

    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t length = 0; ///< header included; a liar's may be anything
    std::uint16_t checksum = 0;

    /// Bytes behind the header by its length field.
    [[nodiscard]] std::uint32_t body_bytes() const noexcept {
        return length < size_bytes ? 0u : length - size_bytes;
    }
};

/// Errors: empty: fewer than 8 bytes. Source: RFC 768
[[nodiscard]] std::optional<UdpHeader> parse_udp(Bytes bytes) noexcept;

/// What a UDP datagram is by its ports and first bytes.
struct UdpKind {
    PacketClass packet_class = PacketClass::other;
    bool marked = false; ///< IKE behind the non-ESP marker
    bool shown = true;   ///< false: too little of it is here to tell; taken for IKE until told
};

/// Sorts a UDP datagram (RFC 3948 §2.2): IKE on a plain port, also behind a non-ESP marker if the
/// Length field then fits; on a marked port IKE only behind the marker, all else is ESP.
///
/// In:      body: behind the UDP header, maybe only its first bytes; body_bytes: all of it
///          server_port: that of the end known as a server, if any. With one port of each list it
///          decides: what comes to a server's 500 is IKE without a marker, whatever port a client
///          or its NAT chose. Without it the Length field does.
[[nodiscard]] UdpKind classify_udp(const Ports& ports,
                                   const UdpHeader& udp,
                                   Bytes body,
                                   std::uint32_t body_bytes,
                                   std::optional<std::uint16_t> server_port = {}) noexcept;

/// Whether the ports are one of each list: only then does classify_udp need to know the server's.
[[nodiscard]] bool is_of_both_kinds(const Ports& ports, const UdpHeader& udp) noexcept;

/// Size of the non-ESP marker (RFC 3948 §2.2).
inline constexpr std::uint32_t marker_bytes = 4;

} // namespace ikefrag
