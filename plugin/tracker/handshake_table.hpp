// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/siphash.hpp"
#include "plugin/handshake.hpp"
#include "plugin/tracker/entry.hpp"
#include "plugin/tracker/hash_index.hpp"
#include "plugin/tracker/index_heap.hpp"
#include "plugin/tracker/keyed_lists.hpp"
#include "plugin/tracker/slab.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ikefrag {

/// Keyed hashes of what strangers choose.
class Keys {
public:
    explicit Keys(const std::array<std::uint8_t, 16>& seed) noexcept : hash_(seed) {}

    [[nodiscard]] std::uint64_t of(const Spi& spi, std::uint8_t version) const noexcept;
    [[nodiscard]] std::uint64_t of(const IpAddress& address) const noexcept;
    [[nodiscard]] std::uint64_t of(const Endpoint& endpoint) const noexcept;
    [[nodiscard]] std::uint64_t of(std::uint64_t number) const noexcept;
    [[nodiscard]] std::uint64_t of_words(std::span<const std::uint64_t> words) const noexcept {
        return hash_(words);
    }
    /// The same for both orders.
    [[nodiscard]] std::uint64_t of_pair(const IpAddress& a, const IpAddress& b) const noexcept;

private:
    SipHash hash_;
};

/// Keeps handshakes: found by initiator SPI and version, or by the pair of addresses.
///
/// Two lists by latest use: those whose client showed that it receives, and the others, so that
/// strangers push out strangers first.
class HandshakeTable {
public:
    explicit HandshakeTable(const Keys& keys) : keys_(keys) {}

    [[nodiscard]] std::uint32_t find(const Spi& spi, std::uint8_t version) const;
    [[nodiscard]] std::uint32_t find_number(std::uint64_t number) const;
    /// The first handshake between two addresses of which `is_it(index)` says so. Those whose
    /// client showed that it receives come before the others, of whom anybody can make many; of
    /// either the newest first. Bounds:  max_of_pair are asked of either
    template <class Predicate>
    [[nodiscard]] std::uint32_t find_pair(std::uint64_t pair, Predicate is_it) const {
        for (const bool strong : {true, false}) {
            auto index = newest_of_pair(pair, strong);
            for (unsigned i = 0; index != no_index && i < max_of_pair; ++i) {
                if (is_it(index)) return index;
                index = entries_.at(index).same_pair.after;
            }
        }
        return no_index;
    }
    std::uint32_t
    add(const Spi& spi, std::uint8_t version, std::uint64_t pair, std::uint64_t number);
    void remove(std::uint32_t index);
    void touch(std::uint32_t index);
    /// Its client showed that it receives.
    void promote(std::uint32_t index);
    /// Its latest addresses are another pair's now.
    void move_pair(std::uint32_t index, std::uint64_t pair);

    /// Whether it is among those not ended.
    void set_running(std::uint32_t index, bool is_running);
    /// It is to be reviewed then, whatever was said before.
    void set_review(std::uint32_t index, TimePoint due);
    /// It is not to be reviewed.
    void clear_review(std::uint32_t index) noexcept;
    /// The one to be reviewed first.
    [[nodiscard]] std::uint32_t first_review() const noexcept { return reviews_.first(); }

    /// The one not ended that was silent for longest.
    [[nodiscard]] std::uint32_t most_silent() const noexcept { return running_.first(); }
    /// The one to give up first.
    [[nodiscard]] std::uint32_t least_useful() const noexcept;
    [[nodiscard]] Entry& at(std::uint32_t index) noexcept { return entries_.at(index); }
    [[nodiscard]] const Entry& at(std::uint32_t index) const noexcept { return entries_.at(index); }
    [[nodiscard]] bool holds(std::uint32_t index) const noexcept { return entries_.holds(index); }
    [[nodiscard]] std::uint32_t first() const noexcept { return created_.first(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    static constexpr unsigned max_of_pair = 64;

    [[nodiscard]] std::uint32_t newest_of_pair(std::uint64_t pair, bool strong) const;
    void link_pair(std::uint32_t index);

    const Keys& keys_;
    Slab<Entry> entries_;
    HashIndex by_spi_;
    KeyedLists<Entry, &Entry::same_pair> by_pair_; ///< one list of the strong, one of the others
    HashIndex by_number_;
    IndexList<Entry, &Entry::created> created_;
    IndexList<Entry, &Entry::running> running_;
    IndexList<Entry, &Entry::used> weak_;
    IndexList<Entry, &Entry::used> strong_;
    IndexHeap<Entry, &Entry::review_order, &Entry::review_place> reviews_;
};

} // namespace ikefrag
