// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/window.hpp"

#include <algorithm>
#include <utility>

namespace ikefrag {

void ReorderWindow::add(Item item) {
    const auto order = item.time;
    const Waiting waiting{order, items_.make(std::move(item))};
    auto place = order_.end();
    while (place != order_.begin() && std::prev(place)->order > order) --place;
    order_.insert(place, waiting);
}

const Item* ReorderWindow::oldest(TimePoint until) const noexcept {
    if (order_.empty()) return nullptr;
    if (order_.front().order > until && order_.size() <= max_items) return nullptr;
    return &items_.at(order_.front().item);
}

void ReorderWindow::remove_oldest() {
    items_.destroy(order_.front().item);
    order_.pop_front();
}

std::optional<TimePoint> ReorderWindow::oldest_time() const noexcept {
    if (order_.empty()) return std::nullopt;
    return order_.front().order;
}

} // namespace ikefrag
