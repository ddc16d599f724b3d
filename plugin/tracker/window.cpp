// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/window.hpp"

#include <algorithm>
#include <utility>

namespace ikefrag {

namespace {

/// So far is looked back for the request that follows a response, and ahead for the response that a
/// request follows. On the host of a busy server some hundred messages are on their way at once.
constexpr std::ptrdiff_t most_looked_at = 1024;

const IkeHeader* version_2_header(const Item& item) noexcept {
    const auto* message = std::get_if<MessageItem>(&item.what);
    if (message == nullptr || !message->facts || message->facts->header.major != 2) return nullptr;
    return &message->facts->header;
}

/// Whether `later` can only have been sent by somebody who had the response `unstamped` (RFC 7296
/// §2.3: the next message id follows the answer to the one before).
bool follows(const Item& later_item, const Item& unstamped) noexcept {
    if (!unstamped.at_latest) return false;
    const auto* response = version_2_header(unstamped);
    const auto* later = version_2_header(later_item);
    return response != nullptr && later != nullptr && response->is_response() &&
           !later->is_response() && later->initiator_spi == response->initiator_spi &&
           later->is_from_initiator() != response->is_from_initiator() &&
           later->message_id > response->message_id;
}

} // namespace

void ReorderWindow::add(Item item) {
    auto place = order_.end();
    // Under a flood of fragments copies are late by thousands of observations.
    if (!order_.empty() && order_.back().order > item.time)
        place = std::upper_bound(
            order_.begin(), place, item.time, [](TimePoint time, const Waiting& waiting) {
                return time < waiting.order;
            });
    if (item.at_latest) {
        ++unstamped_;
        const auto begin = place - std::min(most_looked_at, place - order_.begin());
        const auto later = std::find_if(begin, place, [&](const auto& waiting) {
            return follows(items_.at(waiting.item), item);
        });
        if (later != place) item.time = later->order;
        place = later;
    }
    // Mostly nothing is behind it, or nothing that has no stamp.
    const auto time = item.time;
    auto left = unstamped_ == 0 ? 0 : std::min(most_looked_at, order_.end() - place);
    for (auto behind = place; left > 0; ++behind, --left) {
        if (!follows(item, items_.at(behind->item))) continue;
        behind->order = items_.at(behind->item).time = time;
        place = std::rotate(place, behind, std::next(behind));
    }
    order_.insert(place, {time, items_.make(item)});
}

const Item* ReorderWindow::oldest(TimePoint until) const noexcept {
    if (order_.empty()) return nullptr;
    if (order_.front().order > until && order_.size() <= max_items) return nullptr;
    return &items_.at(order_.front().item);
}

void ReorderWindow::remove_oldest() {
    if (items_.at(order_.front().item).at_latest) --unstamped_;
    items_.destroy(order_.front().item);
    order_.pop_front();
}

std::optional<TimePoint> ReorderWindow::oldest_time() const noexcept {
    if (order_.empty()) return std::nullopt;
    return order_.front().order;
}

} // namespace ikefrag
