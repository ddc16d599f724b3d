// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/observation_queue.hpp"

#include <cstring>
#include <type_traits>
#include <utility>

namespace ikefrag {

namespace {

static_assert(std::is_trivially_copyable_v<Observation>, "observations are moved as bytes");

/// The one view an observation may have.
Bytes* view_of(Observation& observation) noexcept {
    if (auto* message = std::get_if<MessageSeen>(&observation.what)) return &message->message;
    if (auto* lost = std::get_if<DatagramLost>(&observation.what)) return &lost->message;
    if (auto* icmp = std::get_if<IcmpSeen>(&observation.what)) return &icmp->quoted_message;
    return nullptr;
}

} // namespace

ObservationQueue::ObservationQueue(std::size_t capacity) : ring_(capacity) {}

bool ObservationQueue::push(const Observation& observation) noexcept {
    Observation copy = observation;
    const Bytes* view = view_of(copy);
    const Bytes head(reinterpret_cast<const std::uint8_t*>(&copy), sizeof copy);
    if (!ring_.push(head, view != nullptr ? *view : Bytes{})) {
        lost_.add();
        return false;
    }
    pushed_.add();
    return true;
}

void ObservationQueue::wake() noexcept {
    // Pairs with the fence in pop(): either we see that the reader sleeps, or it sees our record.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (reader_sleeps_.load(std::memory_order_relaxed) &&
        reader_sleeps_.exchange(false, std::memory_order_relaxed))
        woken_.raise();
}

std::optional<Observation> ObservationQueue::pop() noexcept {
    auto record = ring_.pop();
    if (!record) {
        woken_.lower();
        reader_sleeps_.store(true, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        record = ring_.pop();
        if (!record) return std::nullopt;
        reader_sleeps_.store(false, std::memory_order_relaxed);
    }
    std::optional<Observation> observation(std::in_place);
    std::memcpy(&*observation, record->head.data(), sizeof(Observation));
    if (Bytes* view = view_of(*observation); view != nullptr) *view = record->body;
    return observation;
}

} // namespace ikefrag
