// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker/hash_index.hpp"
#include "plugin/tracker/slab.hpp"

#include <cstdint>

namespace ikefrag {

/// Lists through the objects of a Slab by one of their Links members, one list for each key, the
/// newest first; `after` leads to the next older. Found by a keyed hash: the caller compares keys.
///
/// Bounds: every call takes a few steps, however long the lists are.
template <class T, Links T::*links>
class KeyedLists {
public:
    /// The newest object with a key, or no_index. In: as HashIndex::find
    template <class Predicate>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Predicate is_it) const {
        return firsts_.find(hash, is_it);
    }
    /// In: `first`: what find() gives for the object's key
    void push_front(Slab<T>& slab, std::uint64_t hash, std::uint32_t first, std::uint32_t index) {
        slab.at(index).*links = {no_index, first};
        if (first == no_index) {
            firsts_.insert(hash, index);
            return;
        }
        (slab.at(first).*links).before = index;
        firsts_.replace(hash, first, index);
    }
    /// In: the hash `index` was put in with
    void remove(Slab<T>& slab, std::uint64_t hash, std::uint32_t index) noexcept {
        auto& own = slab.at(index).*links;
        const auto [newer, older] = own;
        if (older != no_index) (slab.at(older).*links).before = newer;
        if (newer != no_index) {
            (slab.at(newer).*links).after = older;
        } else if (older != no_index) {
            firsts_.replace(hash, index, older);
        } else {
            firsts_.erase(hash, index);
        }
        own = {};
    }

private:
    HashIndex firsts_;
};

} // namespace ikefrag
