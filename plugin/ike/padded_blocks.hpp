// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace ikefrag {

enum class LengthOrder : std::uint8_t { big_endian, little_endian };

/// Gives `add` the blocks of 64 octets that MD5, SHA-1 and SHA-256 work on: the bytes, 0x80, zeros,
/// and the length in bits. Source: RFC 1321 §3.1, FIPS 180-4 §5.1.1.
template <class AddBlock>
void for_each_padded_block(Bytes bytes, LengthOrder order, const AddBlock& add) noexcept {
    constexpr std::size_t block_bytes = 64;
    constexpr std::size_t length_bytes = 8;
    const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
    while (bytes.size() >= block_bytes) {
        add(bytes.first(block_bytes));
        bytes = bytes.subspan(block_bytes);
    }
    std::array<std::uint8_t, 2 * block_bytes> tail{};
    std::copy(bytes.begin(), bytes.end(), tail.begin());
    tail[bytes.size()] = 0x80;
    const auto tail_bytes =
        bytes.size() + 1 + length_bytes <= block_bytes ? block_bytes : 2 * block_bytes;
    for (std::size_t i = 0; i < length_bytes; ++i) {
        const auto octet = static_cast<std::uint8_t>(bits >> (8 * i));
        const auto place = order == LengthOrder::big_endian ? length_bytes - 1 - i : i;
        tail[tail_bytes - length_bytes + place] = octet;
    }
    for (std::size_t at = 0; at < tail_bytes; at += block_bytes)
        add(Bytes(tail).subspan(at, block_bytes));
}

} // namespace ikefrag
