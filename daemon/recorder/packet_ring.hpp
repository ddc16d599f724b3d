// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ikefrag {

/// A packet the daemon was shown.
struct RecordedPacket {
    TimePoint time;
    Leg leg = Leg::prerouting;
    Bytes bytes;                    ///< from the IP header on; may be cut
    std::uint32_t packet_bytes = 0; ///< its real size
};

/// Two addresses, whichever of them sent.
struct AddressPair {
    IpAddress one; ///< the smaller
    IpAddress other;
    AddressPair(const IpAddress& a, const IpAddress& b)
        : one(a < b ? a : b), other(a < b ? b : a) {}
    auto operator<=>(const AddressPair&) const = default;
};

/// Who talks in a packet, by its IP header. Empty: no whole IP header.
[[nodiscard]] std::optional<AddressPair> pair_of(Bytes packet) noexcept;
/// Who talked in the packet that an ICMP error quotes; empty where it is none.
[[nodiscard]] std::optional<AddressPair> quoted_pair_of(Bytes packet) noexcept;

/// The latest packets, for captures of attempts that turn out to fail. Lives on one thread.
///
/// Bounds: `capacity` bytes in all, bookkeeping included, allocated at once; the oldest go first.
/// One pair of addresses gets an eighth of it: more is left out, so that a flood from one place
/// cannot push out everybody else.
class PacketRing {
public:
    PacketRing(std::size_t capacity, Duration longest);

    /// Takes a copy. Out: false: left out, too large or beyond the pair's share
    bool add(const RecordedPacket& packet);
    /// Forgets what is too old.
    void expire(TimePoint now);

    /// Packets of these pairs, ICMP errors about them included, from `first` to `last`, by time.
    /// Out: views valid until the next add() or expire()
    [[nodiscard]] std::vector<RecordedPacket>
    select(std::span<const AddressPair> pairs, TimePoint first, TimePoint last) const;

    [[nodiscard]] std::size_t packets() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return used_; }
    /// When the oldest packet came; empty: there is none.
    [[nodiscard]] std::optional<TimePoint> oldest() const noexcept;

private:
    struct Entry {
        TimePoint time;
        std::uint32_t at = 0;
        std::uint32_t size = 0;
        std::uint32_t packet_bytes = 0;
        Leg leg = Leg::prerouting;
    };
    void forget_oldest();
    [[nodiscard]] Bytes bytes_of(const Entry& entry) const noexcept {
        return {ring_.get() + entry.at, entry.size};
    }

    std::size_t room_;        ///< of ring_
    std::size_t max_entries_; ///< a quarter of the capacity
    Duration longest_;
    std::unique_ptr<std::uint8_t[]> ring_;
    std::size_t end_ = 0; ///< where the next packet goes, unless it is too near the ring's end
    std::size_t used_ = 0;
    std::deque<Entry> entries_;
    std::map<AddressPair, std::size_t> shares_; ///< bytes by pair
};

} // namespace ikefrag
