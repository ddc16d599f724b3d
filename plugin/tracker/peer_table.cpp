// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/peer_table.hpp"

#include <algorithm>
#include <chrono>

namespace ikefrag {

namespace {

std::int32_t half_hour_of(TimePoint time) noexcept {
    return static_cast<std::int32_t>(
        std::chrono::duration_cast<std::chrono::minutes>(time.time_since_epoch()).count() / 30);
}

std::uint32_t smaller_known(std::uint32_t a, std::uint32_t b) noexcept {
    if (a == 0) return b;
    return b == 0 ? a : std::min(a, b);
}

} // namespace

void HourlyMinimum::add(std::uint32_t value, TimePoint now) noexcept {
    const auto current = half_hour_of(now);
    if (current != half_hour_) {
        previous_ = current == half_hour_ + 1 ? latest_ : 0;
        latest_ = 0;
        half_hour_ = current;
    }
    latest_ = smaller_known(latest_, value);
}

std::uint32_t HourlyMinimum::at(TimePoint now) const noexcept {
    const auto current = half_hour_of(now);
    if (current == half_hour_) return smaller_known(latest_, previous_);
    return current == half_hour_ + 1 ? latest_ : 0;
}

std::uint32_t PeerTable::index_of(const IpAddress& address) const {
    return by_address_.find(keys_.of(address), [&](std::uint32_t index) {
        return entries_.at(index).peer.address == address;
    });
}

PeerEntry* PeerTable::find(const IpAddress& address) {
    const auto index = index_of(address);
    return index == no_index ? nullptr : &entries_.at(index);
}

const PeerEntry* PeerTable::find(const IpAddress& address) const {
    const auto index = index_of(address);
    return index == no_index ? nullptr : &entries_.at(index);
}

PeerTable::Added PeerTable::add(const Peer& peer) {
    Added added;
    if (is_full()) {
        added.evicted = entries_.at(used_.first());
        remove(added.evicted->peer.address);
    }
    const auto index = entries_.make();
    auto& entry = entries_.at(index);
    entry.peer = peer;
    by_address_.insert(keys_.of(peer.address), index);
    used_.push_back(entries_, index);
    added.entry = &entry;
    return added;
}

void PeerTable::touch(PeerEntry& entry) {
    used_.move_to_back(entries_, index_of(entry.peer.address));
}

bool PeerTable::remove(const IpAddress& address) {
    const auto index = index_of(address);
    if (index == no_index) return false;
    by_address_.erase(keys_.of(address), index);
    used_.remove(entries_, index);
    entries_.destroy(index);
    return true;
}

std::vector<IpAddress> PeerTable::newest(std::size_t count) const {
    std::vector<IpAddress> addresses;
    addresses.reserve(std::min(count, size()));
    for (auto i = used_.last(); i != no_index && addresses.size() < count;
         i = entries_.at(i).used.before)
        addresses.push_back(entries_.at(i).peer.address);
    std::reverse(addresses.begin(), addresses.end());
    return addresses;
}

} // namespace ikefrag
