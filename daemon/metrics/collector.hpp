// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/metrics/snapshot.hpp"
#include "daemon/metrics/unseen_packets.hpp"

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
    mutable UnseenPackets unseen_;
};

} // namespace ikefrag
