// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/peer_table.hpp"

#include "plugin/gate/shares.hpp"

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

std::uint64_t PeerTable::source_of(const IpAddress& address) const {
    return keys_.of_words(source_key_of(address, false).words);
}

std::uint32_t PeerTable::newest_of_source(const IpAddress& address) const {
    const auto key = source_key_of(address, false);
    return by_source_.find(source_of(address), [&](std::uint32_t index) {
        return source_key_of(entries_.at(index).peer.address, false) == key;
    });
}

/// The peer that must go before one of this address is added, or no_index.
std::uint32_t PeerTable::one_too_many(const IpAddress& address) const {
    std::size_t count = 0;
    auto oldest = no_index;
    for (auto i = newest_of_source(address); i != no_index; i = entries_.at(i).same_source.after) {
        oldest = i;
        ++count;
    }
    if (count >= max_of_source) return oldest;
    return is_full() ? used_.first() : no_index;
}

void PeerTable::link_source(std::uint32_t index) {
    const auto& address = entries_.at(index).peer.address;
    const auto before = newest_of_source(address);
    if (before != no_index) sources_.remove(entries_, before);
    by_source_.push_front(entries_, source_of(address), before, index);
    sources_.push_back(entries_, index);
}

void PeerTable::unlink_source(std::uint32_t index) {
    const auto& entry = entries_.at(index);
    const auto older = entry.same_source.after;
    const bool is_newest = entry.same_source.before == no_index;
    by_source_.remove(entries_, source_of(entry.peer.address), index);
    if (!is_newest) return;
    sources_.remove(entries_, index);
    if (older != no_index) sources_.push_back(entries_, older);
}

PeerTable::Added PeerTable::add(const Peer& peer) {
    Added added;
    if (const auto goes = one_too_many(peer.address); goes != no_index) {
        added.evicted = entries_.at(goes);
        remove(added.evicted->peer.address);
    }
    const auto index = entries_.make();
    auto& entry = entries_.at(index);
    entry.peer = peer;
    by_address_.insert(keys_.of(peer.address), index);
    used_.push_back(entries_, index);
    link_source(index);
    added.entry = &entry;
    return added;
}

void PeerTable::touch(PeerEntry& entry) {
    const auto index = index_of(entry.peer.address);
    used_.move_to_back(entries_, index);
    unlink_source(index);
    link_source(index);
}

bool PeerTable::remove(const IpAddress& address) {
    const auto index = index_of(address);
    if (index == no_index) return false;
    by_address_.erase(keys_.of(address), index);
    used_.remove(entries_, index);
    unlink_source(index);
    entries_.destroy(index);
    return true;
}

std::vector<IpAddress> PeerTable::newest(std::size_t count) const {
    std::vector<IpAddress> addresses;
    addresses.reserve(std::min(count, sources_.size()));
    for (auto i = sources_.last(); i != no_index && addresses.size() < count;
         i = entries_.at(i).source.before)
        addresses.push_back(entries_.at(i).peer.address);
    std::reverse(addresses.begin(), addresses.end());
    return addresses;
}

} // namespace ikefrag
