// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/checksum.hpp"

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

} // namespace

void InternetSum::add(Bytes piece) noexcept {
    // Two accumulators of 32-bit words: no carry can be lost below 2^32 words.
    std::uint64_t even = 0;
    std::uint64_t odd = 0;
    const auto* at = piece.data();
    auto left = piece.size();
    for (; left >= 16; left -= 16, at += 16) {
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        std::memcpy(&a, at, 8);
        std::memcpy(&b, at + 8, 8);
        even += (a & 0xffffffffu) + (b & 0xffffffffu);
        odd += (a >> 32) + (b >> 32);
    }
    for (; left >= 2; left -= 2, at += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, at, 2);
        even += word;
    }
    if (left == 1) {
        std::uint16_t word = 0;
        std::memcpy(&word, at, 1);
        even += word;
    }
    sum_ += swapped_fold(fold_to_32(even) + fold_to_32(odd));
}

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
