// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/peer.hpp"
#include "plugin/tracker/handshake_table.hpp"
#include "plugin/tracker/hash_index.hpp"
#include "plugin/tracker/keyed_lists.hpp"
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
    Links same_source;        ///< `after`: the one of its source that showed itself before it
    Links source;             ///< of those that are the newest of their source
};

/// Keeps peers by address; the one not seen for longest goes first.
///
/// An IPv6 /64 is one source, as it is for the gate: whoever has one has all its addresses, and
/// must not push out everybody else.
class PeerTable {
public:
    /// Of one source. A household has fewer hosts; of an office's the newest are those that come.
    static constexpr std::size_t max_of_source = 64;

    PeerTable(const Keys& keys, std::size_t limit) : keys_(keys), limit_(limit) {}

    [[nodiscard]] PeerEntry* find(const IpAddress& address);
    [[nodiscard]] const PeerEntry* find(const IpAddress& address) const;
    /// Out: the entry, the newest now; and the one that had to go for it, of its own source or the
    ///      table, if any
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
    /// One address of each of the last `count` sources that showed themselves, newest last.
    [[nodiscard]] std::vector<IpAddress> newest(std::size_t count) const;

private:
    [[nodiscard]] std::uint32_t index_of(const IpAddress& address) const;
    [[nodiscard]] std::uint64_t source_of(const IpAddress& address) const;
    [[nodiscard]] std::uint32_t newest_of_source(const IpAddress& address) const;
    [[nodiscard]] std::uint32_t one_too_many(const IpAddress& address) const;
    void link_source(std::uint32_t index);
    void unlink_source(std::uint32_t index);

    const Keys& keys_;
    std::size_t limit_;
    Slab<PeerEntry> entries_;
    HashIndex by_address_;
    IndexList<PeerEntry, &PeerEntry::used> used_;
    KeyedLists<PeerEntry, &PeerEntry::same_source> by_source_;
    IndexList<PeerEntry, &PeerEntry::source> sources_;
};

} // namespace ikefrag
