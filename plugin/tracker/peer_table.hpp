// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/peer.hpp"
#include "plugin/tracker/handshake_table.hpp"
#include "plugin/tracker/hash_index.hpp"
#include "plugin/tracker/slab.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace ikefrag {

/// Smallest size of the last hour, in two half hours.
class HourlyMinimum {
public:
    void add(std::uint32_t value, TimePoint now) noexcept;
    [[nodiscard]] std::uint32_t at(TimePoint now) const noexcept;

private:
    std::uint32_t latest_ = 0;   ///< of half hour `half_hour_`; 0 none
    std::uint32_t previous_ = 0; ///< of the one before
    std::int32_t half_hour_ = 0;
};

/// A peer and what only the tracker needs of it.
struct PeerEntry {
    Peer peer;
    HourlyMinimum path_mtu;
    std::uint16_t server = 0; ///< index of the totals it is counted under
    Links used;               ///< by when it last showed itself
};

/// Keeps peers by address; the one not seen for longest goes first.
class PeerTable {
public:
    PeerTable(const Keys& keys, std::size_t limit) : keys_(keys), limit_(limit) {}

    [[nodiscard]] PeerEntry* find(const IpAddress& address);
    [[nodiscard]] const PeerEntry* find(const IpAddress& address) const;
    /// Out: the entry, the newest now; and the one that had to go for it, if any
    struct Added {
        PeerEntry* entry = nullptr;
        std::optional<PeerEntry> evicted;
    };
    Added add(const Peer& peer);
    void touch(PeerEntry& entry);
    bool remove(const IpAddress& address);
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool is_full() const noexcept { return entries_.size() >= limit_; }

    /// Oldest first.
    template <class Visit>
    void for_each(Visit visit) const {
        for (auto i = used_.first(); i != no_index; i = entries_.at(i).used.after)
            visit(entries_.at(i));
    }
    template <class Visit>
    void for_each(Visit visit) {
        for (auto i = used_.first(); i != no_index; i = entries_.at(i).used.after)
            visit(entries_.at(i));
    }
    /// The last `count` that showed themselves, newest last.
    [[nodiscard]] std::vector<IpAddress> newest(std::size_t count) const;

private:
    [[nodiscard]] std::uint32_t index_of(const IpAddress& address) const;

    const Keys& keys_;
    std::size_t limit_;
    Slab<PeerEntry> entries_;
    HashIndex by_address_;
    IndexList<PeerEntry, &PeerEntry::used> used_;
};

} // namespace ikefrag
