// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/number_set.hpp"

namespace ikefrag {

bool NumberSet::has(std::uint16_t number) const noexcept {
    if (number == 0 || number > max_number) return false;
    const auto bit = static_cast<unsigned>(number - 1) % 64;
    const auto word = static_cast<unsigned>(number - 1) / 64;
    if (word == 0) return (first_ >> bit & 1) != 0;
    return !beyond_.empty() && (beyond_[word - 1] >> bit & 1) != 0;
}

void NumberSet::add(std::uint16_t number) {
    if (number == 0 || number > max_number) return;
    const auto bit = std::uint64_t{1} << (static_cast<unsigned>(number - 1) % 64);
    const auto word = static_cast<unsigned>(number - 1) / 64;
    if (word == 0) {
        first_ |= bit;
        return;
    }
    while (beyond_.size() < (max_number - in_place) / 64) beyond_.push_back(0);
    beyond_[word - 1] |= bit;
}

} // namespace ikefrag
