// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace ikefrag {

/// A list that is mostly empty, and then only a pointer; else one allocation. It grows from one
/// item, twofold.
template <class T>
class SeldomList {
public:
    SeldomList() = default;
    SeldomList(const SeldomList& other) {
        if (other.empty()) return;
        auto copy = with_room(other.size());
        std::uninitialized_copy(other.begin(), other.end(), copy.first());
        copy.block_->size = other.block_->size;
        std::swap(block_, copy.block_);
    }
    SeldomList(SeldomList&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    SeldomList& operator=(SeldomList other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SeldomList() {
        if (block_ == nullptr) return;
        std::destroy(begin(), end());
        ::operator delete(block_);
    }

    [[nodiscard]] T* begin() noexcept { return block_ != nullptr ? first() : nullptr; }
    [[nodiscard]] T* end() noexcept { return begin() + size(); }
    [[nodiscard]] const T* begin() const noexcept { return block_ != nullptr ? first() : nullptr; }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }
    [[nodiscard]] std::size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return begin()[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return begin()[i]; }
    [[nodiscard]] T& back() noexcept { return end()[-1]; }
    [[nodiscard]] const T& back() const noexcept { return end()[-1]; }

    void push_back(T item) {
        if (block_ == nullptr || block_->size == block_->room) grow();
        ::new (static_cast<void*>(end())) T(std::move(item));
        ++block_->size;
    }
    /// In: not empty
    void pop_front() noexcept {
        std::move(begin() + 1, end(), begin());
        std::destroy_at(end() - 1);
        --block_->size;
    }

private:
    /// In front of the items.
    struct Block {
        std::uint32_t size;
        std::uint32_t room;
    };
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    static constexpr std::size_t items_at =
        (sizeof(Block) + alignof(T) - 1) / alignof(T) * alignof(T);

    [[nodiscard]] static SeldomList with_room(std::size_t items) {
        SeldomList list;
        list.block_ = ::new (::operator new(items_at + items * sizeof(T)))
            Block{0, static_cast<std::uint32_t>(items)};
        return list;
    }
    void grow() {
        auto larger = with_room(std::max<std::size_t>(1, 2 * size()));
        std::uninitialized_move(begin(), end(), larger.first());
        larger.block_->size = static_cast<std::uint32_t>(size());
        std::swap(block_, larger.block_);
    }
    [[nodiscard]] T* first() const noexcept {
        return std::launder(
            static_cast<T*>(static_cast<void*>(reinterpret_cast<std::byte*>(block_) + items_at)));
    }

    Block* block_ = nullptr;
};

} // namespace ikefrag
