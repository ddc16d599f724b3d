// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/protocol.hpp"

#include <filesystem>

namespace ikefrag {

/// Asks the running daemon one thing; waits at most control_deadline for each step.
/// Errors: not_running: nobody listens; permission: the socket is not ours to open; failure: no
/// answer in time, or none of ours; what the daemon itself said.
[[nodiscard]] ControlAnswer ask_daemon(const std::filesystem::path& socket,
                                       const ControlRequest& request);

} // namespace ikefrag
