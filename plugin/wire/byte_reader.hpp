// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ikefrag {

/// Reads numbers in network order and slices out of bytes, front to back.
///
/// Stays failed after the first read beyond the end and from then on yields zeros and empty slices,
/// so loops end and one look at failed() at the end is enough.
class ByteReader {
public:
    constexpr explicit ByteReader(Bytes bytes) noexcept : rest_(bytes) {}

    constexpr std::uint8_t u8() noexcept {
        const auto slice = take(1);
        return failed_ ? std::uint8_t{0} : slice[0];
    }
    constexpr std::uint16_t u16() noexcept {
        const auto s = take(2);
        return failed_ ? std::uint16_t{0} : static_cast<std::uint16_t>(s[0] << 8 | s[1]);
    }
    constexpr std::uint32_t u32() noexcept {
        const auto s = take(4);
        return failed_ ? 0u
                       : std::uint32_t{s[0]} << 24 | std::uint32_t{s[1]} << 16 |
                             std::uint32_t{s[2]} << 8 | std::uint32_t{s[3]};
    }
    template <std::size_t n>
    constexpr std::array<std::uint8_t, n> array() noexcept {
        std::array<std::uint8_t, n> result{};
        const auto slice = take(n);
        for (std::size_t i = 0; i < slice.size(); ++i) result[i] = slice[i];
        return result;
    }
    /// The next `length` bytes; empty and failed if there are fewer.
    constexpr Bytes take(std::size_t length) noexcept {
        if (failed_ || length > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        const auto slice = rest_.first(length);
        rest_ = rest_.subspan(length);
        return slice;
    }
    constexpr void skip(std::size_t length) noexcept { take(length); }
    [[nodiscard]] constexpr Bytes rest() const noexcept { return rest_; }
    [[nodiscard]] constexpr bool failed() const noexcept { return failed_; }

private:
    Bytes rest_;
    bool failed_ = false;
};

} // namespace ikefrag
