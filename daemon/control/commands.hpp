// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/server.hpp"

namespace ikefrag {

class Daemon;
class MetricsCollector;

/// Answers a control request (protocol.hpp lists them). Runs on the io_context's thread; what it
/// gives is a copy of the moment.
[[nodiscard]] ControlResult answer_control(Daemon& daemon,
                                           const MetricsCollector& metrics,
                                           const ControlRequest& request,
                                           const Caller& caller);

} // namespace ikefrag
