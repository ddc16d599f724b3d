// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace ikefrag {

/// No element: the end of a chain, an empty place.
inline constexpr std::uint32_t no_index = 0xffffffff;

/// Keeps objects in blocks and names them by a 32-bit index; an object never moves while it lives.
template <class T>
class Slab {
public:
    Slab() = default;
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    ~Slab() {
        for (std::uint32_t i = 0; i < used_.size(); ++i)
            if (used_[i]) at(i).~T();
    }

    template <class... Arguments>
    std::uint32_t make(Arguments&&... arguments) {
        if (free_.empty()) grow();
        const auto index = free_.back();
        ::new (place(index)) T(std::forward<Arguments>(arguments)...);
        free_.pop_back();
        used_[index] = true;
        ++size_;
        return index;
    }
    void destroy(std::uint32_t index) {
        at(index).~T();
        used_[index] = false;
        free_.push_back(index);
        --size_;
    }
    [[nodiscard]] bool holds(std::uint32_t index) const noexcept {
        return index < used_.size() && used_[index];
    }
    [[nodiscard]] T& at(std::uint32_t index) noexcept {
        assert(holds(index));
        return *std::launder(static_cast<T*>(place(index)));
    }
    [[nodiscard]] const T& at(std::uint32_t index) const noexcept {
        assert(holds(index));
        return *std::launder(static_cast<const T*>(place(index)));
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::uint32_t block_items = 256;
    struct Block {
        alignas(T) std::byte bytes[block_items * sizeof(T)];
    };

    [[nodiscard]] void* place(std::uint32_t index) const noexcept {
        return blocks_[index / block_items]->bytes + index % block_items * sizeof(T);
    }
    void grow() {
        const auto first = static_cast<std::uint32_t>(used_.size());
        blocks_.push_back(std::unique_ptr<Block>(new Block));
        used_.resize(first + block_items, false);
        for (std::uint32_t i = block_items; i > 0; --i) free_.push_back(first + i - 1);
    }

    std::vector<std::unique_ptr<Block>> blocks_;
    std::vector<bool> used_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

/// Neighbours in an IndexList.
struct Links {
    std::uint32_t before = no_index;
    std::uint32_t after = no_index;
};

/// A list through the objects of a Slab, by one of their Links members.
template <class T, Links T::*links>
class IndexList {
public:
    void push_back(Slab<T>& slab, std::uint32_t index) noexcept {
        auto& own = slab.at(index).*links;
        own = {last_, no_index};
        (last_ == no_index ? first_ : (slab.at(last_).*links).after) = index;
        last_ = index;
        ++size_;
    }
    void remove(Slab<T>& slab, std::uint32_t index) noexcept {
        auto& own = slab.at(index).*links;
        (own.before == no_index ? first_ : (slab.at(own.before).*links).after) = own.after;
        (own.after == no_index ? last_ : (slab.at(own.after).*links).before) = own.before;
        own = {};
        --size_;
    }
    void move_to_back(Slab<T>& slab, std::uint32_t index) noexcept {
        if (index == last_) return;
        remove(slab, index);
        push_back(slab, index);
    }
    [[nodiscard]] std::uint32_t first() const noexcept { return first_; }
    [[nodiscard]] std::uint32_t last() const noexcept { return last_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::uint32_t first_ = no_index;
    std::uint32_t last_ = no_index;
    std::size_t size_ = 0;
};

} // namespace ikefrag
