// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/arguments.hpp"
#include "daemon/control/server.hpp"
#include "daemon/observer/daemon.hpp"

#include <string>
#include <utility>

namespace ikefrag {

class MetricsCollector;

/// A control request on its way to its answer.
struct Asked {
    Daemon& daemon;
    const MetricsCollector& metrics;
    ControlArguments arguments;

    [[nodiscard]] const Tracker& tracker() const { return daemon.parts().tracker; }
};

inline Failure<ControlError> refuse(ControlFault fault, std::string message) {
    return fail(ControlError{fault, std::move(message), {}});
}

/// Lists, fetches, takes and switches captures.
[[nodiscard]] ControlResult answer_capture(Asked& asked);

} // namespace ikefrag
