// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"

#include <cstdint>

namespace ikefrag {

/// The one's complement sum of a piece's 64-bit words as the machine reads them, the last one
/// filled up with zeros: what InternetSum is made of.
[[nodiscard]] std::uint64_t sum_of_words(Bytes piece) noexcept;

/// One's complement sum of 16-bit big-endian words, built up piece by piece. Each piece but the
/// last must have an even size, as the pieces of an IP datagram have.
/// Source: RFC 1071
class InternetSum {
public:
    void add(Bytes piece) noexcept { add_words(sum_of_words(piece)); }
    /// Adds a piece. In: its sum_of_words()
    void add_words(std::uint64_t sum) noexcept;
    void add_word(std::uint32_t word) noexcept { sum_ += word; }
    /// The sum folded to 16 bits: 0xffff over data that holds its own right checksum.
    [[nodiscard]] std::uint16_t folded() const noexcept;
    /// What goes into a checksum field that was zero while summing.
    [[nodiscard]] std::uint16_t checksum() const noexcept {
        return static_cast<std::uint16_t>(~folded());
    }

private:
    std::uint64_t sum_ = 0;
};

/// The pseudo header of UDP, over IPv4 (RFC 768) or IPv6 (RFC 8200 §8.1).
[[nodiscard]] InternetSum pseudo_header_sum(const IpAddress& source,
                                            const IpAddress& destination,
                                            std::uint8_t protocol,
                                            std::uint32_t length) noexcept;

} // namespace ikefrag
