// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// Every metric the daemon serves: the exporter, the manual and dashboards/README.md come from this
/// table, so that none can be there without the others.
namespace ikefrag {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };
[[nodiscard]] std::string_view to_string(MetricKind kind) noexcept;

struct MetricRow {
    std::string_view name;
    MetricKind kind = MetricKind::counter;
    std::vector<std::string_view> labels;
    std::string_view help; ///< one line
};

[[nodiscard]] std::span<const MetricRow> metric_table();
/// Errors: null for a name that is not in the table.
[[nodiscard]] const MetricRow* find_metric(std::string_view name);

} // namespace ikefrag
