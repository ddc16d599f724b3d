// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

namespace ikefrag {

/// The one place where the daemon asks for the time: UTC when it was made, and from then on the
/// machine's monotonic clock, so that it never steps back whoever sets the wall clock. Immutable:
/// any thread may ask.
class Clock {
public:
    Clock();

    [[nodiscard]] TimePoint now() const noexcept;

    /// The engine's time of a kernel stamp (wall clock, nanoseconds since 1970).
    ///
    /// The stamp's age is taken on the wall clock and clamped to 0..1 s, so that a step of the wall
    /// clock cannot move a packet into the future or the far past.
    [[nodiscard]] TimePoint of_stamp(Duration stamp) const noexcept;

    /// Wall clock less engine time: 0 until somebody sets the wall clock. Added to a TimePoint it
    /// gives what people call that time now.
    [[nodiscard]] Duration drift() const noexcept;

private:
    Duration wall_less_monotonic_;
};

} // namespace ikefrag
