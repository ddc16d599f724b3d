// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

/// IP protocol numbers this project tells apart (IANA).
namespace protocol {
inline constexpr std::uint8_t hop_by_hop = 0;
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t ipv6 = 41;
inline constexpr std::uint8_t routing = 43;
inline constexpr std::uint8_t fragment = 44;
inline constexpr std::uint8_t esp = 50;
inline constexpr std::uint8_t ah = 51;
inline constexpr std::uint8_t icmpv6 = 58;
inline constexpr std::uint8_t no_next_header = 59;
inline constexpr std::uint8_t destination_options = 60;
inline constexpr std::uint8_t mobility = 135;
inline constexpr std::uint8_t hip = 139;
inline constexpr std::uint8_t shim6 = 140;
} // namespace protocol

/// One packet's IP header, read: IPv4 with its options, or IPv6 with its extension headers.
struct IpPacket {
    Family family = Family::ipv4;
    IpAddress source;
    IpAddress destination;
    /// Of a whole packet the upper-layer protocol; of a fragment what its fragmentable part begins
    /// with, which on IPv6 may be one more extension header.
    std::uint8_t protocol = 0;
    bool fragment =
        false; ///< has a fragment's IP header; atomic IPv6 fragments have not (RFC 6946)
    bool more_fragments = false;
    std::uint32_t offset = 0; ///< of the payload in its datagram, in bytes
    std::uint32_t id = 0;
    std::uint32_t header_bytes = 0; ///< in front of the payload
    std::uint32_t total_bytes = 0;  ///< by the header's length field
    Bytes header;                   ///< those bytes
    Bytes payload;                  ///< of a whole packet the upper layer's bytes
    /// What is wrong with the header though it can be read: checksum, ip_options, header_chain.
    Reason reason = Reason::none;

    [[nodiscard]] bool is_first() const noexcept { return offset == 0; }
    /// Bytes of the payload by the length field; `payload` is shorter where the copy was cut.
    [[nodiscard]] std::uint32_t payload_bytes() const noexcept {
        return total_bytes - header_bytes;
    }
};

/// Whether the bytes are all of the packet, or a copy that may end early.
enum class Copy : std::uint8_t { whole, cut };

/// Reads an IP packet from its first byte on. Bytes behind the length field's end (Ethernet
/// padding) are left out.
///
/// Errors:  empty (`unreadable`): not IPv4 or IPv6, header incomplete or its length fields
///          impossible, or, unless the copy is cut, fewer bytes than the length field says
/// Source:  RFC 791 §3.1, RFC 8200 §3 and §4, RFC 6946, RFC 5095 (type 0), RFC 7112
[[nodiscard]] std::optional<IpPacket> parse_ip(Bytes bytes, Copy copy = Copy::whole) noexcept;

/// What an IPv6 header chain leads to.
struct UpperLayer {
    std::uint8_t protocol = 0;
    std::uint32_t offset = 0; ///< of its first byte in the bytes given
    /// header_chain: the chain ends before an upper layer, has a type 0 routing header, one more
    /// Fragment header, or a hop-by-hop header that is not the first.
    Reason reason = Reason::none;
};

/// Follows extension headers to the upper layer. ESP and AH count as upper layers here: what is
/// behind them is theirs.
///
/// In:      first: what the bytes begin with; bytes: from that header on
/// Bounds:  one step for every 8 bytes
[[nodiscard]] UpperLayer find_upper_layer(std::uint8_t first, Bytes bytes) noexcept;

/// Whether an IPv6 header of this number may stand between the IP header and UDP.
[[nodiscard]] bool is_extension_header(std::uint8_t number) noexcept;

} // namespace ikefrag
