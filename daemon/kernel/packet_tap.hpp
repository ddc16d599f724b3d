// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/record_ring.hpp"
#include "plugin/bytes.hpp"
#include "plugin/counter.hpp"
#include "plugin/time.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

/// A packet as a queue worker read it.
struct TappedPacket {
    TimePoint time;
    Bytes bytes; ///< from the IP header on; valid until the next pop()
    std::uint32_t packet_bytes = 0;
};

/// Carries copies of the packets a queue worker reads to the observation thread, while captures of
/// failing handshakes are wanted. One writer, one reader; the writer never waits: what finds no
/// room is lost to the capture and counted. It wakes nobody: the reader comes by itself.
class PacketTap {
public:
    explicit PacketTap(std::size_t capacity = std::size_t{1} << 20) : ring_(capacity) {}

    /// Writer.
    void push(const TappedPacket& packet) noexcept;
    /// Reader: the oldest packet; empty: drained.
    std::optional<TappedPacket> pop() noexcept;

    [[nodiscard]] const Counter& lost() const noexcept { return lost_; }

private:
    RecordRing ring_;
    Counter lost_;
};

} // namespace ikefrag
