// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// T by deadline, the soonest first: a binary heap whose members know their place
/// (T::deadline, T::heap_place), so that any of them can leave. A new deadline is most often the
/// latest, and then costs one comparison.
template <class T>
class DeadlineHeap {
public:
    void reserve(std::size_t count) { heap_.reserve(count); }

    void insert(T* member) {
        heap_.push_back({});
        rise(heap_.size() - 1, {.deadline = member->deadline, .member = member});
    }

    void erase(const T* member) noexcept {
        const auto at = static_cast<std::size_t>(member->heap_place);
        assert(at < heap_.size() && heap_[at].member == member);
        const auto last = heap_.back();
        heap_.pop_back();
        if (at == heap_.size()) return;
        if (at > 0 && last.deadline < heap_[parent(at)].deadline)
            rise(at, last);
        else
            sink(at, last);
    }

    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
    [[nodiscard]] T* soonest() const noexcept { return heap_.front().member; }
    [[nodiscard]] TimePoint deadline() const noexcept { return heap_.front().deadline; }
    [[nodiscard]] T* at(std::size_t place) const noexcept { return heap_[place].member; }
    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return heap_.capacity() * sizeof(Place);
    }

private:
    struct Place {
        TimePoint deadline;
        T* member = nullptr;
    };

    static std::size_t parent(std::size_t at) noexcept { return (at - 1) / 2; }

    void set(std::size_t at, const Place& place) noexcept {
        heap_[at] = place;
        place.member->heap_place = static_cast<std::uint32_t>(at);
    }

    void rise(std::size_t at, const Place& place) noexcept {
        while (at > 0 && place.deadline < heap_[parent(at)].deadline) {
            set(at, heap_[parent(at)]);
            at = parent(at);
        }
        set(at, place);
    }

    void sink(std::size_t at, const Place& place) noexcept {
        for (;;) {
            auto child = 2 * at + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline)
                ++child;
            if (place.deadline <= heap_[child].deadline) break;
            set(at, heap_[child]);
            at = child;
        }
        set(at, place);
    }

    std::vector<Place> heap_;
};

} // namespace ikefrag
