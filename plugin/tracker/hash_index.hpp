// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker/slab.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// Finds slab indexes by a keyed hash: open addressing, nothing left behind by an erase. The
/// caller compares keys.
///
/// Bounds: at most 4/5 full (50 000 fit into 65 536 places); 8 bytes a place
class HashIndex {
public:
    /// In: `is_it(index)` tells whether that object has the key looked for
    template <class Predicate>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Predicate is_it) const {
        if (places_.empty()) return no_index;
        for (auto at = home(hash);; at = (at + 1) & mask()) {
            const auto& place = places_[at];
            if (place.index == no_index) return no_index;
            if (place.tag == tag_of(hash) && is_it(place.index)) return place.index;
        }
    }
    void insert(std::uint64_t hash, std::uint32_t index) {
        if ((size_ + 1) * 5 > places_.size() * 4) grow();
        put(hash, index);
        ++size_;
    }
    /// In: the hash `index` was inserted with
    void erase(std::uint64_t hash, std::uint32_t index) noexcept {
        auto hole = home(hash);
        while (places_[hole].index != index) {
            if (places_[hole].index == no_index) return;
            hole = (hole + 1) & mask();
        }
        close(hole);
        --size_;
    }
    /// Another object takes the place of one with the same key.
    void replace(std::uint64_t hash, std::uint32_t index, std::uint32_t by) noexcept {
        for (auto at = home(hash); places_[at].index != no_index; at = (at + 1) & mask()) {
            if (places_[at].index != index) continue;
            places_[at].index = by;
            return;
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return places_.size() * sizeof(Place); }

private:
    /// The hash's upper half finds the place, so that growing needs no key.
    struct Place {
        std::uint32_t tag = 0;
        std::uint32_t index = no_index;
    };

    [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
        return static_cast<std::uint32_t>(hash >> 32);
    }
    [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
        return tag_of(hash) & mask();
    }
    void put(std::uint64_t hash, std::uint32_t index) noexcept {
        auto at = home(hash);
        while (places_[at].index != no_index) at = (at + 1) & mask();
        places_[at] = {tag_of(hash), index};
    }
    void grow() {
        std::vector<Place> old(places_.empty() ? 64 : places_.size() * 2);
        old.swap(places_);
        for (const auto& place : old)
            if (place.index != no_index) put(std::uint64_t{place.tag} << 32, place.index);
    }
    /// Moves back what the hole cuts off from its home.
    void close(std::size_t hole) noexcept {
        for (auto at = (hole + 1) & mask(); places_[at].index != no_index; at = (at + 1) & mask()) {
            const auto wanted = places_[at].tag & mask();
            if (((at - wanted) & mask()) < ((at - hole) & mask())) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole] = {};
    }

    std::vector<Place> places_;
    std::size_t size_ = 0;
};

} // namespace ikefrag
