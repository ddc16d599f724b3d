// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/metrics/snapshot.hpp"

#include <prometheus/collectable.h>

#include <string>
#include <vector>

namespace ikefrag {

class Daemon;

/// Makes the metrics when they are asked for: nothing is counted twice, and counting costs the
/// packets' threads nothing.
class MetricsCollector : public prometheus::Collectable {
public:
    explicit MetricsCollector(Daemon& daemon) : daemon_(daemon) {}

    /// On the io_context's thread only.
    [[nodiscard]] std::vector<prometheus::MetricFamily>
    Collect() const override; // NOLINT(readability-identifier-naming)

    /// One queue after the other, with the sum that must come out even.
    [[nodiscard]] std::vector<QueueMetrics> queues() const;

    /// In Prometheus' text format 0.0.4.
    [[nodiscard]] std::string text() const;

private:
    Daemon& daemon_;
    /// Packets that never reached us: a count may not go back, though it is a difference of counts
    /// that are read one after the other.
    mutable std::uint64_t unseen_ = 0;
    mutable std::uint64_t last_accounted_ = 0;
    mutable std::uint64_t repairs_ = 0;
    mutable std::uint64_t uncounted_ = 0; ///< by rules that were removed before we read them again
    mutable bool count_lost_ = false;
    mutable std::uint64_t last_rule_count_ = 0;
};

} // namespace ikefrag
