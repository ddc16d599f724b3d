// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/kernel_table.hpp"
#include "daemon/observer/totals.hpp"
#include "plugin/policy.hpp"
#include "plugin/tracker.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace prometheus {
struct MetricFamily;
}

namespace ikefrag {

/// What the process itself uses; zeros where /proc does not tell.
struct ProcessFacts {
    double cpu_seconds = 0;
    double resident_bytes = 0;
    double virtual_bytes = 0;
    double open_files = 0;
    double max_files = 0;
    double start_seconds = 0;
};
[[nodiscard]] ProcessFacts read_process_facts();

/// One queue as its metrics show it: packets = Σ verdicts + waiting + vanished + unseen.
struct QueueMetrics {
    QueueTotals totals;
    std::uint64_t packets = 0;
    std::uint64_t waiting = 0;
    std::uint64_t unseen = 0;
};

/// Captures of failed handshakes.
struct CaptureMetrics {
    bool enabled = false;
    std::uint64_t ring_bytes = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t files = 0;
    std::uint64_t files_failed = 0;
    std::uint64_t files_suppressed = 0;
};

/// What happened to peers.db.
struct DatabaseMetrics {
    std::uint64_t failures = 0;
    std::uint64_t waiting = 0;
    std::uint64_t lost = 0;
    std::uint64_t unreadable = 0;
};

/// Everything the metrics show, as it was at one moment. Views of the caller's; nothing is copied
/// that is large.
struct MetricsSnapshot {
    const Policy& policy;
    const TrackerTotals& tracker;
    const std::vector<ExchangeTotals>& servers; ///< one for each of policy, then unlisted
    const FailedHandshakes& failed;
    const std::vector<std::string>& rule_rows; ///< names by row of GateTotals::rule_matches
    std::vector<QueueMetrics> queues{};
    GateTotals gates{}; ///< of all gates, the observing one included
    /// Whole packets this host sent itself.
    std::array<std::array<std::uint64_t, count_of<PacketClass> + 1>, 2> sent_packets{};
    TableCounts table{};
    ProcessFacts process{};
    TrackerLimits limits{};
    CaptureMetrics capture{};
    std::string config_hash{};
    std::size_t handshakes = 0; ///< known, ended ones included
    std::size_t peers = 0;
    std::uint64_t held_datagrams = 0;
    std::uint64_t copies = 0;
    std::uint64_t events_lost = 0;
    DatabaseMetrics database{};
    std::uint64_t reloads = 0;
    std::uint64_t table_repairs = 0;
    std::uint64_t kernel_emptied = 0;
    double start_seconds = 0;
    double configured_seconds = 0;
    double clock_step_seconds = 0; ///< by which somebody set the wall clock since the start
    bool last_reload_successful = true;
    bool table_present = false;
    bool conntrack_active = false;
};

/// All families of metric_table(), in its order; every series that can occur is there.
[[nodiscard]] std::vector<prometheus::MetricFamily> export_metrics(const MetricsSnapshot& snapshot);

} // namespace ikefrag
