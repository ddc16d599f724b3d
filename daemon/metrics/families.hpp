// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/metrics/metric_table.hpp"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ikefrag::metrics {

/// The metric families in the table's order, filled by name.
class Families {
public:
    Families();

    using Values = std::vector<std::string>; ///< of the row's labels, in its order

    void set(std::string_view name, Values values, double number) {
        auto& metric = add(name, std::move(values));
        metric.counter.value = number;
        metric.gauge.value = number;
    }
    void set(std::string_view name, Values values, std::uint64_t number) {
        set(name, std::move(values), static_cast<double>(number));
    }

    template <class Bounds, class Counts>
    void histogram(std::string_view name,
                   Values values,
                   const Bounds& bounds,
                   const Counts& counts,
                   double sum) {
        auto& histogram = add(name, std::move(values)).histogram;
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i <= bounds.size(); ++i) {
            cumulative += i < counts.size() ? counts[i] : 0;
            const auto bound =
                i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
            histogram.bucket.push_back({cumulative, bound});
        }
        histogram.sample_count = cumulative;
        histogram.sample_sum = sum;
    }

    std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

private:
    prometheus::ClientMetric& add(std::string_view name, Values values);

    std::vector<prometheus::MetricFamily> families_;
    std::size_t at_ = 0;
};

// What values of labels are made of.
inline std::string text(std::string_view view) { return std::string(view); }
template <class E>
std::string word(E value) {
    return std::string(to_string(value));
}

inline double seconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

} // namespace ikefrag::metrics
