// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace ikefrag {

/// A quick 64-bit digest, keyed: tells a fragment that comes again from another one. Not
/// cryptographic, and need not be: who makes two fragments meet has only his own dropped.
class FragmentDigest {
public:
    explicit FragmentDigest(std::uint64_t key) noexcept : key_(key | 1) {}

    [[nodiscard]] std::uint64_t
    operator()(std::uint32_t offset, bool more_fragments, Bytes bytes) const noexcept {
        const auto size = bytes.size();
        // Four chains, so that the multiplications of one step do not wait for each other.
        std::array<std::uint64_t, 4> lanes{
            key_ ^ size, key_ + offset, key_ ^ (more_fragments ? 0x5bd1e995u : 0u), ~key_};
        const auto* at = bytes.data();
        auto left = size;
        for (; left >= 32; left -= 32, at += 32)
            for (std::size_t lane = 0; lane < 4; ++lane) absorb(lanes[lane], at + 8 * lane, 8);
        for (std::size_t lane = 0; left > 0; ++lane) {
            const auto taken = left < 8 ? left : 8;
            absorb(lanes[lane], at, taken);
            at += taken;
            left -= taken;
        }
        std::uint64_t digest = 0;
        for (const auto lane : lanes) digest = mix(digest ^ lane);
        return digest;
    }

private:
    static constexpr std::uint64_t odd = 0x9e3779b97f4a7c15u;

    static std::uint64_t mix(std::uint64_t word) noexcept {
        word *= odd;
        return word ^ (word >> 29);
    }
    static void absorb(std::uint64_t& lane, const std::uint8_t* at, std::size_t count) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, at, count);
        lane = mix(lane ^ word);
    }

    std::uint64_t key_;
};

} // namespace ikefrag
