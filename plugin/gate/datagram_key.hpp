// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/siphash.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace ikefrag {

/// Which datagram a fragment belongs to: family, source, destination, id, VLAN or VRF, and on IPv4
/// the protocol (RFC 791 §2.3, RFC 8200 §4.5). Not the interface: two uplinks may bring half each.
struct DatagramKey {
    /// IPv4: addresses, id and domain, protocol; IPv6: both addresses, id and domain.
    std::array<std::uint64_t, 6> words{};
    bool operator==(const DatagramKey&) const = default;
};

[[nodiscard]] inline std::uint64_t word_at(const IpAddress& address, std::size_t offset) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, address.bytes.data() + offset, sizeof word);
    return word;
}

[[nodiscard]] inline DatagramKey key_of(const IpPacket& ip, std::uint32_t domain) noexcept {
    const auto id_and_domain = std::uint64_t{ip.id} << 32 | domain;
    if (ip.family == Family::ipv4)
        return {
            {word_at(ip.source, 0) << 32 | (word_at(ip.destination, 0) & 0xffffffffu),
             id_and_domain, 0x400u | ip.protocol,
             0, 0,
             0}
        };
    return {
        {word_at(ip.source, 0),
         word_at(ip.source, 8),
         word_at(ip.destination, 0),
         word_at(ip.destination, 8),
         id_and_domain, 0x600u}
    };
}

[[nodiscard]] inline std::uint64_t hash_of(const SipHash& hash, const DatagramKey& key) noexcept {
    const std::size_t words = key.words[5] == 0 ? 3 : 6;
    return hash(std::span(key.words).first(words));
}

} // namespace ikefrag
