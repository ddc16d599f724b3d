// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/protocol.hpp"
#include "plugin/result.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>

namespace ikefrag {

/// Asks the running daemon one thing over its control socket, and waits for the answer.
///
/// In:      socket: path; command and arguments as in protocol.hpp
/// Out:     the answer's "result" object
/// Errors:  not_running: nobody listens there; permission: the socket or the daemon refuses us;
///          failure: the daemon went away or its answer is no answer; else what the daemon said
/// Bounds:  waits at most 30 s; an answer of more than 256 MiB is a failure
[[nodiscard]] Result<boost::json::object, ControlError> ask_daemon(
    const std::string& socket, std::string_view command, const boost::json::object& arguments);

} // namespace ikefrag
