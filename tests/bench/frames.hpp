// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

/// Ethernet frames for the benches, whole and valid: checksums, lengths, IKE headers.
namespace ikefrag::bench {

using Frame = std::vector<std::uint8_t>;

/// What is sent; addresses are the lab's (10.99.1.0/24 to 10.99.2.2, fd99:1::/64 to fd99:2::2).
struct Traffic {
    enum class Kind {
        ike,           ///< one IKE_SA_INIT request a packet, port 500, an SPI of its own each
        auth,          ///< IKE_AUTH requests of five fragments
        esp,           ///< ESP in UDP
        esp_fragments, ///< ESP in UDP, two fragments a datagram
        other,         ///< UDP on another port
    };
    Kind kind = Kind::ike;
    bool ipv6 = false;
    std::size_t size = 300;   ///< UDP payload
    std::size_t sources = 16; ///< addresses it comes from
    std::size_t count = 4096; ///< datagrams made
    std::array<std::uint8_t, 6> to{};
    std::array<std::uint8_t, 6> from{};
};

/// Out: the frames in the order they are to be sent
std::vector<Frame> make_frames(const Traffic& traffic);

/// Fragments a datagram of this traffic is sent in.
std::size_t fragments_of(const Traffic& traffic);

/// Whether the name is a kind of traffic.
bool parse_kind(const std::string& name, Traffic::Kind& kind);

/// "02:00:00:00:00:01" → bytes. Throws std::invalid_argument.
std::array<std::uint8_t, 6> parse_mac(const std::string& text);

} // namespace ikefrag::bench
