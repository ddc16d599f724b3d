// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace ikefrag {

/// Reads the fields of a capture file, in the byte order the file has. Stays failed after the first
/// read past the end and then yields zeros and empty spans.
class FieldReader {
public:
    FieldReader(Bytes bytes, std::endian order) noexcept : bytes_(bytes), order_(order) {}

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] Bytes rest() const noexcept { return bytes_; }

    Bytes take(std::size_t count) noexcept {
        if (count > bytes_.size()) {
            failed_ = true;
            bytes_ = {};
            return {};
        }
        const Bytes taken = bytes_.first(count);
        bytes_ = bytes_.subspan(count);
        return taken;
    }
    std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() noexcept { return number(8); }

private:
    std::uint64_t number(std::size_t size) noexcept {
        const Bytes field = take(size);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < field.size(); ++i) {
            const std::size_t at = order_ == std::endian::big ? i : field.size() - 1 - i;
            value = value << 8 | field[at];
        }
        return value;
    }

    Bytes bytes_;
    std::endian order_;
    bool failed_ = false;
};

} // namespace ikefrag
