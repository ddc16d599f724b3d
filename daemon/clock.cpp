// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clock.hpp"

#include <algorithm>
#include <ctime>

namespace ikefrag {

using namespace std::chrono_literals;

namespace {

Duration read_clock(clockid_t clock) noexcept {
    timespec time{};
    clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace

Clock::Clock() : wall_less_monotonic_(read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC)) {}

TimePoint Clock::now() const noexcept {
    return TimePoint(read_clock(CLOCK_MONOTONIC) + wall_less_monotonic_);
}

TimePoint Clock::of_stamp(Duration stamp) const noexcept {
    // A copy waits 10 ms in the kernel; a second is more than any reader may lag and still be
    // believed about the order of things.
    const Duration age = std::clamp<Duration>(read_clock(CLOCK_REALTIME) - stamp, 0s, 1s);
    return now() - age;
}

Duration Clock::drift() const noexcept {
    return read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC) - wall_less_monotonic_;
}

} // namespace ikefrag
