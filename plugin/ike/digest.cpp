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

std::uint64_t word_at(const std::uint8_t* from) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, from, word_bytes);
    return word;
}

std::uint64_t mix(std::uint64_t state, std::uint64_t word) noexcept {
    return std::rotl((state ^ word) * first_factor, 29) * second_factor;
}

} // namespace

std::uint64_t digest_of(Bytes bytes) noexcept {
    // Every message goes through here whole: pointers within `bytes`, not a reader's steps.
    const auto* at = bytes.data();
    auto left = bytes.size();
    std::array<std::uint64_t, lanes> state{left, 1, 2, 3};
    for (; left >= lanes * word_bytes; at += lanes * word_bytes, left -= lanes * word_bytes) {
        state[0] = mix(state[0], word_at(at));
        state[1] = mix(state[1], word_at(at + word_bytes));
        state[2] = mix(state[2], word_at(at + 2 * word_bytes));
        state[3] = mix(state[3], word_at(at + 3 * word_bytes));
    }
    auto sum = state[0];
    for (std::size_t i = 1; i < lanes; ++i) sum = mix(sum, state[i]);
    for (; left >= word_bytes; at += word_bytes, left -= word_bytes) sum = mix(sum, word_at(at));
    if (left > 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, left);
        sum = mix(sum, word);
    }
    sum ^= sum >> 32;
    sum *= first_factor;
    return sum ^ sum >> 29;
}

} // namespace ikefrag
