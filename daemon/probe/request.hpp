// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

/// The messages a probe sends. It never finishes a handshake: its public keys are ones everybody
/// knows.
namespace ikefrag::probe {

/// All SPIs of a probe begin so; ikefragd in the path knows it by that and takes it for no client.
inline constexpr std::array<std::uint8_t, 4> spi_prefix{0x69, 0x6b, 0x70, 0x62};

/// An IKE_SA_INIT request (RFC 7296 §1.2) that offers IKE fragmentation and what most servers take.
struct InitRequest {
    Spi spi{};
    std::array<std::uint8_t, 32> nonce{};
    std::uint16_t group = 31;         ///< of the key exchange; what a server asked for, else x25519
    std::vector<std::uint8_t> cookie; ///< what the server wants to have repeated; empty: none
    std::size_t bytes = 0; ///< filled up to this size with notifies nobody knows; 0: none
};

/// Whether a key for this Diffie-Hellman group can be made up.
[[nodiscard]] bool knows_group(std::uint16_t group) noexcept;

/// Out: the message; larger than `bytes` where that is too little
/// In:  a group that knows_group()
[[nodiscard]] std::vector<std::uint8_t> encode_init(const InitRequest& request);

/// A message of major version 3, which servers answer with INVALID_MAJOR_VERSION and without
/// keeping anything (RFC 7296 §2.5). In: `bytes` of at least smallest_version3
[[nodiscard]] std::vector<std::uint8_t> encode_version3(const Spi& spi, std::size_t bytes);
inline constexpr std::size_t smallest_version3 = 32;

} // namespace ikefrag::probe
