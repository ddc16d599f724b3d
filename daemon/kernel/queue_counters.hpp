// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/counter.hpp"

#include <array>

namespace ikefrag {

/// Bounds in seconds of the verdict latency buckets; the last bucket is everything above.
inline constexpr std::array<double, 9> verdict_latency_bounds{
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.01, 0.1};

/// Raised by the worker's thread, read by any.
struct QueueCounters {
    Counter received;      ///< packets read
    Counter last_id;       ///< highest packet id seen: as many were put into the queue
    Counter socket_missed; ///< ids given out but never read: the socket's buffer was full (gauge)
    Counter verdicts_sent; ///< packets answered
    Counter verdict_sends; ///< system calls they took
    Counter send_failures; ///< verdicts the kernel would not take
    Counter vanished;      ///< verdicts for packets the kernel no longer had (ENOENT)
    Counter vanished_accepts; ///< those of them that would have let the packet go
    Counter enobufs;          ///< times the socket's buffer was full
    Counter unreadable;       ///< messages that could not be read
    Counter other_errors;     ///< refusals other than ENOENT
    /// From reading a packet to sending the verdict it caused; held time is not in it.
    std::array<Counter, verdict_latency_bounds.size() + 1> latency;
    Counter latency_sum_ns;
    Counter beat_ns; ///< the clock when the loop last turned, at least once a second
    /// When the socket was last found empty: the packets read until then, and a time (the clock's)
    /// before that look. Raised in this order.
    Counter received_when_empty;
    Counter emptied_ns;
};

} // namespace ikefrag
