// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/protocol.hpp"

namespace ikefrag {

std::string_view to_string(ControlFault fault) noexcept {
    switch (fault) {
    case ControlFault::usage: return "usage";
    case ControlFault::not_found: return "not_found";
    case ControlFault::config: return "config";
    case ControlFault::permission: return "permission";
    case ControlFault::failure: return "failure";
    case ControlFault::busy: return "busy";
    case ControlFault::not_running: return "not_running";
    case ControlFault::silent: return "silent";
    }
    return "failure";
}

int exit_code(ControlFault fault) noexcept {
    switch (fault) {
    case ControlFault::usage: return 2;
    case ControlFault::not_running:
    case ControlFault::silent: return 3;
    case ControlFault::config: return 4;
    case ControlFault::permission: return 5;
    case ControlFault::not_found:
    case ControlFault::failure:
    case ControlFault::busy: break;
    }
    return 1;
}

} // namespace ikefrag
