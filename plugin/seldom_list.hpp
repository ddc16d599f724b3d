// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ikefrag {

/// A list that is mostly empty, and then only a pointer.
template <class T>
class SeldomList {
public:
    SeldomList() = default;
    SeldomList(const SeldomList& other)
        : items_(other.items_ ? std::make_unique<std::vector<T>>(*other.items_) : nullptr) {}
    SeldomList(SeldomList&&) noexcept = default;
    SeldomList& operator=(const SeldomList& other) {
        auto copy = other;
        std::swap(items_, copy.items_);
        return *this;
    }
    SeldomList& operator=(SeldomList&&) noexcept = default;
    ~SeldomList() = default;

    [[nodiscard]] T* begin() noexcept { return items_ ? items_->data() : nullptr; }
    [[nodiscard]] T* end() noexcept { return begin() + size(); }
    [[nodiscard]] const T* begin() const noexcept { return items_ ? items_->data() : nullptr; }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_ ? items_->size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return (*items_)[i]; }
    /// The list itself, to change it.
    [[nodiscard]] std::vector<T>& edit() {
        if (!items_) items_ = std::make_unique<std::vector<T>>();
        return *items_;
    }
    void push_back(T item) { edit().push_back(std::move(item)); }

private:
    std::unique_ptr<std::vector<T>> items_;
};

} // namespace ikefrag
