// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace ikefrag {

/// A list that many owners share unchanged: clients of one kind say the same, and it is kept once.
/// To change it is to make an own copy. One pointer, where a std::shared_ptr takes two: there are
/// six in each handshake. One allocation, of the exact size: hostile clients all say something
/// else.
template <class T>
class SharedList {
public:
    SharedList() = default;
    SharedList(std::initializer_list<T> items) : SharedList(std::vector<T>(items)) {}
    explicit SharedList(std::vector<T> items) {
        if (items.empty()) return;
        auto* const block = ::operator new(items_at + items.size() * sizeof(T));
        shared_ = ::new (block) Shared{{1}, static_cast<std::uint32_t>(items.size())};
        // Moving throws nothing; what would, has no place in a list of facts.
        std::uninitialized_move(items.begin(), items.end(), first());
    }
    SharedList(const SharedList& other) noexcept : shared_(other.shared_) {
        if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    SharedList(SharedList&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    SharedList& operator=(SharedList other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~SharedList() {
        if (shared_ == nullptr || shared_->owners.fetch_sub(1, std::memory_order_acq_rel) != 1)
            return;
        std::destroy_n(first(), shared_->size);
        shared_->~Shared();
        ::operator delete(shared_);
    }

    [[nodiscard]] const T* begin() const noexcept { return shared_ != nullptr ? first() : nullptr; }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }
    [[nodiscard]] std::size_t size() const noexcept {
        return shared_ != nullptr ? shared_->size : 0;
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return begin()[i]; }
    [[nodiscard]] const T& front() const noexcept { return *begin(); }
    void push_back(T item) {
        std::vector<T> items;
        items.reserve(size() + 1);
        items.assign(begin(), end());
        items.push_back(std::move(item));
        *this = SharedList(std::move(items));
    }
    bool operator==(const SharedList& other) const {
        if (shared_ == other.shared_) return true;
        return std::equal(begin(), end(), other.begin(), other.end());
    }

private:
    /// In front of the items.
    struct Shared {
        std::atomic<std::uint32_t> owners;
        std::uint32_t size;
    };
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    static constexpr std::size_t items_at =
        (sizeof(Shared) + alignof(T) - 1) / alignof(T) * alignof(T);

    [[nodiscard]] T* first() const noexcept {
        return std::launder(
            static_cast<T*>(static_cast<void*>(reinterpret_cast<std::byte*>(shared_) + items_at)));
    }

    Shared* shared_ = nullptr;
};

} // namespace ikefrag
