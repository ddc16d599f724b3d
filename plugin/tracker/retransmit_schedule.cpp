// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/retransmit_schedule.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>

namespace ikefrag {

namespace {

constexpr std::size_t known_gaps = 6;
constexpr std::size_t needed_gaps = 3;
constexpr double tolerance = 0.25;

struct Schedule {
    std::string_view stack;
    std::array<double, known_gaps> gaps_seconds; ///< 0: not known beyond
};

constexpr Schedule schedules[] = {
    {"windows",              {1, 2, 4, 8, 16, 16}     },
    {"strongswan",           {4, 7.2, 13, 23.3, 42, 0}},
    {"libreswan or android", {0.5, 1, 2, 4, 8, 16}    },
    {"mikrotik",             {5, 5, 5, 5, 5, 5}       },
    {"fortinet",             {6, 12, 24, 48, 0, 0}    },
    {"racoon or old ios",    {10, 10, 10, 10, 10, 10} },
};

double seconds(Duration duration) noexcept {
    return std::chrono::duration<double>(duration).count();
}

/// The largest relative distance of any gap; above tolerance: does not fit.
double distance(const Schedule& schedule, std::span<const Duration> gaps) noexcept {
    double worst = 0;
    for (std::size_t i = 0; i < std::min(gaps.size(), known_gaps); ++i) {
        const auto expected = schedule.gaps_seconds[i];
        if (expected == 0) return 1;
        worst = std::max(worst, std::abs(seconds(gaps[i]) - expected) / expected);
    }
    return worst;
}

} // namespace

std::string_view guess_stack(std::span<const Duration> gaps) noexcept {
    if (gaps.size() < needed_gaps) return {};
    std::string_view best;
    double best_distance = tolerance;
    for (const auto& schedule : schedules) {
        const auto far = distance(schedule, gaps);
        if (far > best_distance) continue;
        best_distance = far;
        best = schedule.stack;
    }
    return best;
}

} // namespace ikefrag
