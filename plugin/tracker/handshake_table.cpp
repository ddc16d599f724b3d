// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/handshake_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace ikefrag {

namespace {

// A live handshake is to cost 512 bytes at most besides its timeline. What it takes elsewhere (its
// places in three hash indexes and the heap of reviews, the block its vector came in, its part of
// the order window) is some 120.
static_assert(sizeof(Entry) <= 384);

std::array<std::uint64_t, 2> words_of(const IpAddress& address) noexcept {
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), address.bytes.data(), sizeof(words));
    return words;
}

} // namespace

std::uint64_t Keys::of(const Spi& spi, std::uint8_t version) const noexcept {
    std::array<std::uint64_t, 2> words{0, version};
    std::memcpy(words.data(), spi.data(), spi.size());
    return hash_(words);
}

std::uint64_t Keys::of(const IpAddress& address) const noexcept { return hash_(words_of(address)); }

std::uint64_t Keys::of(const Endpoint& endpoint) const noexcept {
    const auto words = words_of(endpoint.address);
    const std::array<std::uint64_t, 3> all{words[0], words[1], endpoint.port};
    return hash_(all);
}

std::uint64_t Keys::of(std::uint64_t number) const noexcept { return hash_(std::span(&number, 1)); }

std::uint64_t Keys::of_pair(const IpAddress& a, const IpAddress& b) const noexcept {
    const auto& low = std::min(a, b);
    const auto& high = std::max(a, b);
    const auto first = words_of(low);
    const auto second = words_of(high);
    const std::array<std::uint64_t, 4> all{first[0], first[1], second[0], second[1]};
    return hash_(all);
}

std::uint32_t HandshakeTable::find(const Spi& spi, std::uint8_t version) const {
    return by_spi_.find(keys_.of(spi, version), [&](std::uint32_t index) {
        const auto& handshake = entries_.at(index).handshake;
        return handshake.initiator_spi == spi && handshake.version == version;
    });
}

std::uint32_t HandshakeTable::newest_of_pair(std::uint64_t pair, bool strong) const {
    return by_pair_.find(pair, [&](std::uint32_t index) {
        const auto& entry = entries_.at(index);
        const bool is_strong = entry.strong;
        return entry.pair == pair && is_strong == strong;
    });
}

std::uint32_t HandshakeTable::find_number(std::uint64_t number) const {
    return by_number_.find(keys_.of(number), [&](std::uint32_t index) {
        return entries_.at(index).handshake.number == number;
    });
}

std::uint32_t HandshakeTable::add(const Spi& spi,
                                  std::uint8_t version,
                                  std::uint64_t pair,
                                  std::uint64_t number) {
    const auto index = entries_.make();
    auto& entry = entries_.at(index);
    entry.handshake.initiator_spi = spi;
    entry.handshake.version = version;
    entry.handshake.number = number;
    by_number_.insert(keys_.of(number), index);
    entry.pair = pair;
    by_spi_.insert(keys_.of(spi, version), index);
    link_pair(index);
    created_.push_back(entries_, index);
    weak_.push_back(entries_, index);
    return index;
}

void HandshakeTable::remove(std::uint32_t index) {
    const auto& entry = entries_.at(index);
    by_pair_.remove(entries_, entry.pair, index);
    by_spi_.erase(keys_.of(entry.handshake.initiator_spi, entry.handshake.version), index);
    by_number_.erase(keys_.of(entry.handshake.number), index);
    created_.remove(entries_, index);
    if (entry.running_now) running_.remove(entries_, index);
    clear_review(index);
    (entry.strong ? strong_ : weak_).remove(entries_, index);
    entries_.destroy(index);
}

void HandshakeTable::touch(std::uint32_t index) {
    const auto& entry = entries_.at(index);
    (entry.strong ? strong_ : weak_).move_to_back(entries_, index);
    if (entry.running_now) running_.move_to_back(entries_, index);
}

void HandshakeTable::set_running(std::uint32_t index, bool is_running) {
    auto& entry = entries_.at(index);
    const bool was_running = entry.running_now;
    if (was_running == is_running) return;
    entry.running_now = is_running;
    if (is_running) {
        running_.push_back(entries_, index);
    } else {
        running_.remove(entries_, index);
    }
}

void HandshakeTable::set_review(std::uint32_t index, TimePoint due) {
    clear_review(index);
    entries_.at(index).review_due = due;
    reviews_.insert(entries_, index);
}

void HandshakeTable::clear_review(std::uint32_t index) noexcept {
    if (entries_.at(index).review_place != no_index) reviews_.remove(entries_, index);
}

void HandshakeTable::promote(std::uint32_t index) {
    auto& entry = entries_.at(index);
    if (entry.strong) return;
    weak_.remove(entries_, index);
    strong_.push_back(entries_, index);
    by_pair_.remove(entries_, entry.pair, index);
    entry.strong = true;
    link_pair(index);
}

void HandshakeTable::move_pair(std::uint32_t index, std::uint64_t pair) {
    auto& entry = entries_.at(index);
    if (entry.pair == pair) return;
    by_pair_.remove(entries_, entry.pair, index);
    entry.pair = pair;
    link_pair(index);
}

void HandshakeTable::link_pair(std::uint32_t index) {
    const auto& entry = entries_.at(index);
    by_pair_.push_front(entries_, entry.pair, newest_of_pair(entry.pair, entry.strong), index);
}

std::uint32_t HandshakeTable::least_useful() const noexcept {
    // Strangers keep at most half of the table from those who showed themselves.
    if (weak_.size() >= strong_.size() || strong_.size() == 0) return weak_.first();
    return strong_.first();
}

} // namespace ikefrag
