// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/seldom_list.hpp"

#include <cstdint>

namespace ikefrag {

/// Which of the numbers 1 to `max_number` were seen. Those of a usual set stand in place; numbers
/// beyond them take room of their own, once.
class NumberSet {
public:
    static constexpr std::uint16_t max_number = 1024;

    /// Whether it was added; false beyond `max_number`.
    [[nodiscard]] bool has(std::uint16_t number) const noexcept;
    /// In: from 1; what is beyond `max_number` is not kept
    void add(std::uint16_t number);

private:
    static constexpr std::uint16_t in_place = 64;

    std::uint64_t first_ = 0;
    SeldomList<std::uint64_t> beyond_;
};

} // namespace ikefrag
