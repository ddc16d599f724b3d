// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker/slab.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// Some objects of a Slab, the one with the smallest key first: a binary heap of indexes whose
/// members know their place (`T::*place`, no_index outside), so that any of them can leave.
///
/// In: `T::*key()` never changes while an object is a member; no two members have the same key
template <class T, auto key, std::uint32_t T::*place>
class IndexHeap {
public:
    void insert(Slab<T>& slab, std::uint32_t index) {
        assert(slab.at(index).*place == no_index);
        heap_.push_back(index);
        rise(slab, heap_.size() - 1, index);
    }
    void remove(Slab<T>& slab, std::uint32_t index) noexcept {
        const std::size_t at = slab.at(index).*place;
        assert(at < heap_.size() && heap_[at] == index);
        slab.at(index).*place = no_index;
        const auto last = heap_.back();
        heap_.pop_back();
        if (at == heap_.size()) return;
        if (at > 0 && is_before(slab, last, heap_[parent(at)]))
            rise(slab, at, last);
        else
            sink(slab, at, last);
    }
    [[nodiscard]] std::uint32_t first() const noexcept {
        return heap_.empty() ? no_index : heap_.front();
    }

private:
    static std::size_t parent(std::size_t at) noexcept { return (at - 1) / 2; }
    static bool is_before(const Slab<T>& slab, std::uint32_t a, std::uint32_t b) noexcept {
        return (slab.at(a).*key)() < (slab.at(b).*key)();
    }
    void put(Slab<T>& slab, std::size_t at, std::uint32_t index) noexcept {
        heap_[at] = index;
        slab.at(index).*place = static_cast<std::uint32_t>(at);
    }
    void rise(Slab<T>& slab, std::size_t at, std::uint32_t index) noexcept {
        while (at > 0 && is_before(slab, index, heap_[parent(at)])) {
            put(slab, at, heap_[parent(at)]);
            at = parent(at);
        }
        put(slab, at, index);
    }
    void sink(Slab<T>& slab, std::size_t at, std::uint32_t index) noexcept {
        for (;;) {
            auto child = 2 * at + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && is_before(slab, heap_[child + 1], heap_[child]))
                ++child;
            if (is_before(slab, index, heap_[child])) break;
            put(slab, at, heap_[child]);
            at = child;
        }
        put(slab, at, index);
    }

    std::vector<std::uint32_t> heap_;
};

} // namespace ikefrag
