// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/protocol.hpp"
#include "plugin/result.hpp"

#include <boost/json/fwd.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace ikefrag {

/// How long an answer may take; one that tells whether the daemon lives may not take long.
inline constexpr std::chrono::seconds control_patience{30};
inline constexpr std::chrono::seconds short_control_patience{3};

/// Asks the running daemon one thing over its control socket, and waits for the answer.
///
/// In:      socket: path; command and arguments as in protocol.hpp
/// Out:     the answer's "result" object
/// Errors:  not_running: nobody listens there; silent: somebody does, but does not answer in time;
///          permission: the socket or the daemon refuses us;
///          failure: the daemon went away or its answer is no answer; else what the daemon said
/// Bounds:  waits at most `patience`; an answer of more than 256 MiB is a failure
[[nodiscard]] Result<boost::json::object, ControlError>
ask_daemon(const std::string& socket,
           std::string_view command,
           const boost::json::object& arguments,
           std::chrono::seconds patience = control_patience);

} // namespace ikefrag
