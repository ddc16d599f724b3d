// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace ikefrag {

/// A list that many owners share unchanged: clients of one kind say the same, and it is kept once.
/// To change it is to make an own copy.
template <class T>
class SharedList {
public:
    SharedList() = default;
    SharedList(std::initializer_list<T> items)
        : items_(std::make_shared<const std::vector<T>>(items)) {}
    explicit SharedList(std::vector<T> items)
        : items_(items.empty() ? nullptr
                               : std::make_shared<const std::vector<T>>(std::move(items))) {}

    [[nodiscard]] const T* begin() const noexcept { return items_ ? items_->data() : nullptr; }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_ ? items_->size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return (*items_)[i]; }
    void push_back(T item) {
        auto items = items_ ? *items_ : std::vector<T>{};
        items.push_back(std::move(item));
        *this = SharedList(std::move(items));
    }
    bool operator==(const SharedList& other) const {
        if (items_ == other.items_) return true;
        if (size() != other.size()) return false;
        return empty() || *items_ == *other.items_;
    }

private:
    std::shared_ptr<const std::vector<T>> items_;
};

} // namespace ikefrag
