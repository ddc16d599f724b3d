// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/client.hpp"
#include "daemon/ctl/command.hpp"
#include "plugin/result.hpp"

#include <boost/json/fwd.hpp>

#include <chrono>
#include <string_view>

/// What the commands that ask the running daemon share.
namespace ikefrag::ctl {

/// Asks the daemon on --socket, else on the installed configuration's.
[[nodiscard]] Result<boost::json::object, ControlError>
ask(const Arguments& arguments,
    std::string_view command,
    const boost::json::object& request,
    std::chrono::seconds patience = control_patience);

/// Mistakes as --json has them.
[[nodiscard]] boost::json::array mistakes_json(const Diagnostics& mistakes);

/// Tells why there was no result. Out: the exit code it means
ExitCode refuse(const ControlError& error, const Terminal& terminal);

/// A positional or option as the request's string member, where it was given.
void copy_text(const Arguments& arguments,
               std::string_view from,
               boost::json::object& request,
               std::string_view to);
/// --limit as a number. Out: false (and told) where it is none
[[nodiscard]] bool
copy_limit(const Arguments& arguments, boost::json::object& request, const Terminal& terminal);

inline constexpr Option limit_option{"--limit", "N", "at most this many, newest first"};

/// The array a result has under `key`, oldest first; empty where there is none.
[[nodiscard]] boost::json::array oldest_first(const boost::json::object& result,
                                              std::string_view key);

} // namespace ikefrag::ctl
