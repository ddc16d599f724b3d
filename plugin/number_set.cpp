// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/number_set.hpp"

namespace ikefrag {

bool NumberSet::has(std::uint16_t number) const noexcept {
    if (number == 0 || number > max_number) return false;
    const auto bit = static_cast<unsigned>(number - 1) % 64;
    const auto word = static_cast<unsigned>(number - 1) / 64;
    if (word < first_.size()) return (first_[word] >> bit & 1) != 0;
    return !beyond_.empty() && (beyond_[word - first_.size()] >> bit & 1) != 0;
}

void NumberSet::add(std::uint16_t number) {
    if (number == 0 || number > max_number) return;
    const auto bit = std::uint64_t{1} << (static_cast<unsigned>(number - 1) % 64);
    const auto word = static_cast<unsigned>(number - 1) / 64;
    if (word < first_.size()) {
        first_[word] |= bit;
        return;
    }
    auto& words = beyond_.edit();
    words.resize((max_number - in_place) / 64);
    words[word - first_.size()] |= bit;
}

} // namespace ikefrag
