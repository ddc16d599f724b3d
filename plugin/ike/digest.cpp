// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/digest.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace ikefrag {

namespace {

// Odd numbers with well spread bits (from the fraction of the golden ratio and of sqrt 3).
constexpr std::uint64_t first_factor = 0x9e3779b97f4a7c15;
constexpr std::uint64_t second_factor = 0xbb67ae8584caa73b;
constexpr std::size_t lanes = 4;
constexpr std::size_t word_bytes = 8;

std::uint64_t word_at(Bytes bytes) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), word_bytes);
    return word;
}

std::uint64_t mix(std::uint64_t state, std::uint64_t word) noexcept {
    return std::rotl((state ^ word) * first_factor, 29) * second_factor;
}

} // namespace

std::uint64_t digest_of(Bytes bytes) noexcept {
    std::array<std::uint64_t, lanes> state{bytes.size(), 1, 2, 3};
    while (bytes.size() >= lanes * word_bytes) {
        for (std::size_t i = 0; i < lanes; ++i)
            state[i] = mix(state[i], word_at(bytes.subspan(i * word_bytes, word_bytes)));
        bytes = bytes.subspan(lanes * word_bytes);
    }
    auto sum = state[0];
    for (std::size_t i = 1; i < lanes; ++i) sum = mix(sum, state[i]);
    while (bytes.size() >= word_bytes) {
        sum = mix(sum, word_at(bytes.first(word_bytes)));
        bytes = bytes.subspan(word_bytes);
    }
    if (!bytes.empty()) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), bytes.size());
        sum = mix(sum, word);
    }
    sum ^= sum >> 32;
    sum *= first_factor;
    return sum ^ sum >> 29;
}

} // namespace ikefrag
