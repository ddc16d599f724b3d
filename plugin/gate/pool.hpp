// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ikefrag {

/// Places for objects of one type, got from the heap in blocks and given out again and again: once
/// the high-water mark is reached nothing allocates. Blocks stay until the pool ends.
template <class T, std::size_t objects_per_block = 32>
class Pool {
public:
    Pool() = default;
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    Pool(Pool&&) = delete;
    Pool& operator=(Pool&&) = delete;
    ~Pool() { assert(in_use_ == 0); }

    template <class... Arguments>
    [[nodiscard]] T* create(Arguments&&... arguments) {
        if (free_ == nullptr) grow();
        Place* const place = free_;
        free_ = place->next;
        ++in_use_;
        return std::construct_at(&place->object, std::forward<Arguments>(arguments)...);
    }

    void destroy(T* object) noexcept {
        std::destroy_at(object);
        // The object is a union's member, so it stands where the union does.
        auto* const place = static_cast<Place*>(static_cast<void*>(object));
        std::construct_at(&place->next, free_);
        free_ = place;
        --in_use_;
    }

    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    /// Of the blocks, with the count the compiler keeps in front of each, and of the list of them.
    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return blocks_.size() * (objects_per_block * sizeof(Place) + sizeof(std::size_t)) +
               blocks_.capacity() * sizeof(blocks_[0]);
    }

private:
    union Place {
        Place() noexcept : next(nullptr) {}
        ~Place() {} // NOLINT(*-equals-default): would be deleted, of a union
        Place* next;
        T object;
    };

    void grow() {
        blocks_.push_back(std::make_unique<Place[]>(objects_per_block));
        for (std::size_t i = objects_per_block; i-- > 0;) {
            auto& place = blocks_.back()[i];
            place.next = free_;
            free_ = &place;
        }
    }

    std::vector<std::unique_ptr<Place[]>> blocks_;
    Place* free_ = nullptr;
    std::size_t in_use_ = 0;
};

} // namespace ikefrag
