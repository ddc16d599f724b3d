// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// The control socket's language: one request, one answer, then the connection ends.
///
///     → {"command": "peers", "arguments": {"missing_fragmentation": true}}\n
///     ← {"ok": true, "result": …}\n
///     ← {"ok": false, "exit_code": 5, "error": "mode: only root may change it"}\n
///
/// Both are one line of JSON. What a command takes and gives is documented where it is answered
/// (daemon/control/commands.hpp).
namespace ikefrag {

/// What a process of ours ends with (DESIGN §6).
enum class ExitCode : std::uint8_t {
    ok = 0,
    failure = 1,
    usage = 2,
    not_running = 3,
    invalid = 4,
    permission = 5,
};

struct ControlRequest {
    std::string command;
    boost::json::object arguments;
};

struct ControlError {
    ExitCode exit_code = ExitCode::failure;
    std::string error;
};

using ControlAnswer = std::variant<boost::json::value, ControlError>;

/// Who asks, by the kernel's word (SO_PEERCRED).
struct Caller {
    uid_t user = 0;
    pid_t process = 0;
};

/// A longer request is refused.
inline constexpr std::size_t max_request_bytes = 64 * 1024;
/// Nested deeper is refused: hostile text must not use up the stack.
inline constexpr std::size_t max_request_depth = 8;
inline constexpr std::size_t max_control_clients = 16;
inline constexpr std::chrono::seconds control_deadline{5};
inline constexpr std::string_view default_control_socket = "/run/ikefragd/control.sock";

/// In: one line, without its end. Errors: what is wrong with it, in words (usage).
[[nodiscard]] std::variant<ControlRequest, ControlError> parse_request(std::string_view line);
/// One line, its end included.
[[nodiscard]] std::string encode_request(const ControlRequest& request);
[[nodiscard]] std::string encode_answer(const ControlAnswer& answer);
/// Errors: `failure` where the text is no answer of ours.
[[nodiscard]] ControlAnswer parse_answer(std::string_view line);

} // namespace ikefrag
