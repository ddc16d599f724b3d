// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace ikefrag::test {

using ByteVector = std::vector<std::uint8_t>;

/// A fuzzer's input as a list of decisions: zeros behind its end.
class Choices {
public:
    Choices(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}
    std::uint8_t u8() {
        if (bytes_.empty()) return 0;
        const auto value = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return value;
    }
    std::uint16_t u16() { return static_cast<std::uint16_t>(u8() << 8 | u8()); }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    /// Up to `count` of the input's next bytes.
    ByteVector bytes(std::size_t count) {
        const auto taken = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] Bytes rest() const noexcept { return bytes_; }

private:
    Bytes bytes_;
};

/// A relation that must hold; asserts that no build turns off.
inline void must(bool holds) {
    if (!holds) std::abort();
}

/// Whether `part` lies within `whole`; an empty one lies anywhere.
inline bool lies_within(Bytes part, Bytes whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

} // namespace ikefrag::test
