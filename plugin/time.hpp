// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>

namespace ikefrag {

/// The engine's clock: nanoseconds since 1970-01-01 UTC. It cannot be asked, only told: time goes
/// into the engine as an argument, so that a test or a capture sets it. The daemon tells it one
/// that never steps back.
struct EngineClock {
    // The names std::chrono asks of a clock.
    // NOLINTBEGIN(readability-identifier-naming)
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<EngineClock, duration>;
    // NOLINTEND(readability-identifier-naming)
    static constexpr bool is_steady = true;
};

using Duration = EngineClock::duration;
using TimePoint = EngineClock::time_point;

} // namespace ikefrag
