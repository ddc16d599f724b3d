// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/protocol.hpp"
#include "plugin/result.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace ikefrag {

using ControlResult = Result<boost::json::object, ControlError>;

/// Reads one request line. Errors (usage): not JSON, nested deeper than 8, no object, no command.
struct ControlRequest {
    std::string command;
    boost::json::object arguments; ///< the object without "command"
};
[[nodiscard]] Result<ControlRequest, ControlError> parse_request(std::string_view line);
/// One line, its end included.
[[nodiscard]] std::string encode_result(const ControlResult& result);

} // namespace ikefrag
