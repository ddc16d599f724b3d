// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace ikefrag {

/// SipHash-1-3 (Aumasson, Bernstein) of whole 64-bit words: a stranger who does not know the key
/// cannot choose packets that meet in one bucket. One round a word and three at the end are what
/// hash tables use (Linux's hsiphash, Rust's HashMap).
class SipHash {
public:
    explicit SipHash(const std::array<std::uint8_t, 16>& key) noexcept {
        std::memcpy(&k0_, key.data(), 8);
        std::memcpy(&k1_, key.data() + 8, 8);
    }

    [[nodiscard]] std::uint64_t operator()(std::span<const std::uint64_t> words) const noexcept {
        State s{k0_ ^ 0x736f6d6570736575u,
                k1_ ^ 0x646f72616e646f6du,
                k0_ ^ 0x6c7967656e657261u,
                k1_ ^ 0x7465646279746573u};
        for (const auto word : words) s.absorb(word);
        s.absorb(std::uint64_t{words.size() * 8} << 56);
        s.v2 ^= 0xff;
        for (int i = 0; i < 3; ++i) s.round();
        return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    }

private:
    struct State {
        std::uint64_t v0, v1, v2, v3;
        void round() noexcept {
            v0 += v1;
            v2 += v3;
            v1 = std::rotl(v1, 13) ^ v0;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 = std::rotl(v0, 32) + v3;
            v2 += v1;
            v1 = std::rotl(v1, 17) ^ v2;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 = std::rotl(v2, 32);
        }
        void absorb(std::uint64_t word) noexcept {
            v3 ^= word;
            round();
            v0 ^= word;
        }
    };

    std::uint64_t k0_ = 0;
    std::uint64_t k1_ = 0;
};

} // namespace ikefrag
