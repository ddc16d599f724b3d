// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/sha1.hpp"

#include "plugin/ike/padded_blocks.hpp"
#include "plugin/wire/byte_reader.hpp"

#include <bit>
#include <cstddef>

namespace ikefrag {

namespace {

using State = std::array<std::uint32_t, 5>;

/// Source: FIPS 180-4 §6.1.2.
void add_block(State& state, Bytes block) noexcept {
    std::array<std::uint32_t, 80> w;
    ByteReader reader(block);
    for (std::size_t i = 0; i < 16; ++i) w[i] = reader.u32();
    for (std::size_t i = 16; i < w.size(); ++i)
        w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    // Plain variables: clang 14 cannot capture structured bindings.
    auto a = state[0];
    auto b = state[1];
    auto c = state[2];
    auto d = state[3];
    auto e = state[4];
    const auto step = [&](std::uint32_t f, std::uint32_t k, std::uint32_t word) {
        const auto next = std::rotl(a, 5) + f + e + k + word;
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    };
    for (std::size_t i = 0; i < 20; ++i) step((b & c) | (~b & d), 0x5a827999, w[i]);
    for (std::size_t i = 20; i < 40; ++i) step(b ^ c ^ d, 0x6ed9eba1, w[i]);
    for (std::size_t i = 40; i < 60; ++i) step((b & c) | (b & d) | (c & d), 0x8f1bbcdc, w[i]);
    for (std::size_t i = 60; i < 80; ++i) step(b ^ c ^ d, 0xca62c1d6, w[i]);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

} // namespace

std::array<std::uint8_t, 20> sha1(Bytes bytes) noexcept {
    State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for_each_padded_block(
        bytes, LengthOrder::big_endian, [&state](Bytes block) { add_block(state, block); });
    std::array<std::uint8_t, 20> digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

} // namespace ikefrag
