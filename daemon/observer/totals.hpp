// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/queue_worker.hpp"
#include "plugin/gate.hpp"
#include "plugin/policy.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

/// Counts as plain numbers: taken from the threads' counters when somebody asks, added up over
/// workers that came and went.
namespace ikefrag {

/// What one queue did since the daemon's start.
struct QueueTotals {
    std::uint16_t number = 0;
    std::uint64_t given = 0;    ///< ids the kernel gave: packets it put into the queue
    std::uint64_t received = 0; ///< packets read
    std::uint64_t missed = 0;   ///< given, but never read: the socket's buffer was full
    std::uint64_t vanished = 0;
    std::uint64_t enobufs = 0;
    std::uint64_t observations_lost = 0;
    std::array<std::uint64_t, count_of<Verdict>> verdicts{};
    std::array<std::uint64_t, verdict_latency_bounds.size() + 1> latency{};
    std::uint64_t latency_sum_ns = 0;
    // Gauges: of the worker that runs now.
    std::uint64_t held_packets = 0;
    std::uint64_t held_datagrams = 0;
    std::uint64_t held_bytes = 0;

    /// Adds another's counts; gauges too.
    void add(const QueueTotals& other) noexcept;
};
[[nodiscard]] QueueTotals read_totals(const QueueWorker& worker);

/// What a gate counted. Indices as in GateCounters.
struct GateTotals {
    std::array<std::array<std::array<std::uint64_t, 2>, count_of<PacketClass> + 1>, 2> packets{};
    std::array<std::array<std::array<std::uint64_t, 2>, count_of<Reason>>, 2> refusals{};
    std::array<std::array<std::uint64_t, count_of<DatagramOutcome>>, 2> datagrams{};
    std::array<std::array<std::uint64_t, hold_time_bounds.size() + 1>, 2> hold_time{};
    std::array<std::uint64_t, 2> hold_time_sum_ns{};
    /// [row of RuleRows][action]
    std::array<std::array<std::uint64_t, count_of<Action>>, RuleRows::capacity> rule_matches{};
    std::uint64_t reordered = 0;
    std::uint64_t evictions = 0;

    void add(const GateTotals& other) noexcept;
};
[[nodiscard]] GateTotals read_totals(const GateCounters& counters);

/// Failed handshakes by server ("unlisted"), version and slug of the finding that explains it.
using FailedHandshakes =
    std::map<std::tuple<std::string, std::uint8_t, std::string>, std::uint64_t>;

} // namespace ikefrag
