// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace ikefrag {

/// A list that many owners share unchanged: clients of one kind say the same, and it is kept once.
/// To change it is to make an own copy. One pointer, where a std::shared_ptr takes two: there are
/// four in each handshake.
template <class T>
class SharedList {
public:
    SharedList() = default;
    SharedList(std::initializer_list<T> items) : SharedList(std::vector<T>(items)) {}
    explicit SharedList(std::vector<T> items)
        : shared_(items.empty() ? nullptr : new Shared{std::move(items)}) {}
    SharedList(const SharedList& other) noexcept : shared_(other.shared_) {
        if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    SharedList(SharedList&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    SharedList& operator=(SharedList other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~SharedList() {
        if (shared_ != nullptr && shared_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete shared_;
    }

    [[nodiscard]] const T* begin() const noexcept {
        return shared_ != nullptr ? shared_->items.data() : nullptr;
    }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }
    [[nodiscard]] std::size_t size() const noexcept {
        return shared_ != nullptr ? shared_->items.size() : 0;
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return shared_->items[i]; }
    [[nodiscard]] const T& front() const { return shared_->items.front(); }
    void push_back(T item) {
        auto items = shared_ != nullptr ? shared_->items : std::vector<T>{};
        items.push_back(std::move(item));
        *this = SharedList(std::move(items));
    }
    bool operator==(const SharedList& other) const {
        if (shared_ == other.shared_) return true;
        if (size() != other.size()) return false;
        return empty() || shared_->items == other.shared_->items;
    }

private:
    struct Shared {
        std::vector<T> items;
        std::atomic<std::uint32_t> owners{1};
    };
    Shared* shared_ = nullptr;
};

} // namespace ikefrag
