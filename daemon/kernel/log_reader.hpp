// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/links.hpp"
#include "daemon/kernel/netlink_socket.hpp"
#include "plugin/bytes.hpp"
#include "plugin/counter.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace ikefrag {

class Clock;

struct LogSettings {
    std::uint16_t group = 500;
    std::uint32_t receive_buffer_bytes = 32u << 20;
};

/// A packet the kernel copied to us: it has gone on already.
struct Copy {
    Bytes bytes; ///< from the IP header on
    Leg leg = Leg::prerouting;
    TimePoint time;              ///< the kernel's stamp, else as estimate_times() says
    std::uint32_t interface = 0; ///< where it came in (output, postrouting: goes out); 0 unknown
    std::uint32_t domain = 0;    ///< VLAN or VRF, 0 none or unknown
    bool truncated = false;      ///< shorter than the packet
    bool stamped = true;
};

/// Gives times to copies without a stamp: the kernel stamps what comes in, not what goes out.
///
/// They are no later than the next stamped copy of the datagram, or than its reading (the time they
/// have when they come here). What leaves after it came (postrouting) is as old as the copy before
/// it: that is its own packet, or one close to it.
///
/// In:      copies of one datagram, in the kernel's order
void estimate_times(std::span<Copy> copies) noexcept;

/// Raised by the reader's thread, read by any.
struct LogCounters {
    Counter copies;  ///< read
    Counter lost;    ///< by the kernel's sequence numbers: copied, but not read by us
    Counter enobufs; ///< the socket's buffer was full
    Counter unknown; ///< messages that could not be read
};

/// Reads the packets the kernel table copies to a log group. One thread.
///
/// Cost of a copy: the kernel puts 64 into one datagram, so 1/64 recv; no copy by us, no allocation
/// in steady state.
class LogReader {
public:
    /// Binds the group. Errors: std::system_error ("log group 500 …"); a group that another process
    /// reads is EPERM.
    LogReader(const LogSettings& settings, const Clock& clock);

    /// Readable when copies wait.
    [[nodiscard]] int descriptor() const noexcept;

    /// Reads one datagram of copies, oldest first; never blocks.
    ///
    /// Out:     views valid until the next call; empty: nothing waits
    [[nodiscard]] std::span<const Copy> read();

    /// Copies lost since the last time this was asked: muted findings of silence.
    [[nodiscard]] std::uint64_t take_lost() noexcept;

    void set_domains(InterfaceDomainsPointer domains) { domains_ = std::move(domains); }

    [[nodiscard]] const LogCounters& counters() const noexcept { return counters_; }
    /// Bytes of receive buffer the kernel gave.
    [[nodiscard]] std::uint32_t receive_buffer() const noexcept { return receive_buffer_; }

private:
    void parse(std::size_t size);
    void count(std::optional<std::uint32_t> sequence);

    const Clock* clock_;
    NetlinkSocket socket_;
    std::uint32_t receive_buffer_ = 0;
    std::vector<std::uint8_t> buffer_;
    std::vector<Copy> copies_;
    std::uint32_t next_sequence_ = 0;
    std::uint64_t lost_untaken_ = 0;
    InterfaceDomainsPointer domains_;
    LogCounters counters_;
};

} // namespace ikefrag
