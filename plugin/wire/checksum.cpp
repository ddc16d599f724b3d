// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/checksum.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace ikefrag {
namespace {

std::uint64_t fold_to_32(std::uint64_t sum) noexcept { return (sum & 0xffffffffu) + (sum >> 32); }

/// The sum of words in the machine's own byte order, folded to 16 bits and swapped to big-endian:
/// one's complement addition does not mind the order (RFC 1071 §2 B).
std::uint16_t swapped_fold(std::uint64_t sum) noexcept {
    sum = fold_to_32(fold_to_32(sum));
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    const auto word = static_cast<std::uint16_t>(sum);
    if constexpr (std::endian::native == std::endian::little)
        return static_cast<std::uint16_t>(word << 8 | word >> 8);
    return word;
}

std::uint64_t add_around(std::uint64_t a, std::uint64_t b) noexcept {
    const auto sum = a + b;
    return sum + (sum < b ? 1u : 0u);
}

/// In: count: at most 8; what is missing of 8 is zero
std::uint64_t word_at(const std::uint8_t* at, std::size_t count) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, at, count);
    return word;
}

} // namespace

std::uint64_t sum_of_words(Bytes piece) noexcept {
    // Four sums, so that none waits for the one before.
    std::array<std::uint64_t, 4> sums{};
    const auto* at = piece.data();
    auto left = piece.size();
    for (; left >= 32; left -= 32, at += 32) {
        sums[0] = add_around(sums[0], word_at(at, 8));
        sums[1] = add_around(sums[1], word_at(at + 8, 8));
        sums[2] = add_around(sums[2], word_at(at + 16, 8));
        sums[3] = add_around(sums[3], word_at(at + 24, 8));
    }
    for (; left >= 8; left -= 8, at += 8) sums[0] = add_around(sums[0], word_at(at, 8));
    if (left > 0) sums[1] = add_around(sums[1], word_at(at, left));
    return add_around(add_around(sums[0], sums[1]), add_around(sums[2], sums[3]));
}

void InternetSum::add_words(std::uint64_t sum) noexcept { sum_ += swapped_fold(sum); }

std::uint16_t InternetSum::folded() const noexcept {
    auto sum = fold_to_32(fold_to_32(sum_));
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

InternetSum pseudo_header_sum(const IpAddress& source,
                              const IpAddress& destination,
                              std::uint8_t protocol,
                              std::uint32_t length) noexcept {
    InternetSum sum;
    sum.add(source.view());
    sum.add(destination.view());
    sum.add_word(protocol);
    sum.add_word(length >> 16);
    sum.add_word(length & 0xffffu);
    return sum;
}

} // namespace ikefrag
