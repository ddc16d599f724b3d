// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/families.hpp"

#include <cassert>

namespace ikefrag::metrics {

Families::Families() {
    for (const auto& row : metric_table()) {
        prometheus::MetricFamily family;
        family.name = row.name;
        family.help = row.help;
        family.type = row.kind == MetricKind::counter ? prometheus::MetricType::Counter
                      : row.kind == MetricKind::gauge ? prometheus::MetricType::Gauge
                                                      : prometheus::MetricType::Histogram;
        families_.push_back(std::move(family));
    }
}

prometheus::ClientMetric& Families::add(std::string_view name, Values values) {
    const auto rows = metric_table();
    // Filled in the table's order: the row wanted is the last one or comes soon after.
    while (rows[at_].name != name) at_ = (at_ + 1) % rows.size();
    const auto& labels = rows[at_].labels;
    assert(labels.size() == values.size());
    auto& metric = families_[at_].metric.emplace_back();
    metric.label.reserve(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i)
        metric.label.push_back({std::string(labels[i]), std::move(values[i])});
    return metric;
}

} // namespace ikefrag::metrics
