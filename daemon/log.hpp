// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

/// What the daemon says of itself: one line each on stderr, for people or as JSON. Events about
/// handshakes go their own way (daemon/events).
namespace ikefrag {

enum class LogFormat : std::uint8_t { text, json };
enum class LogLevel : std::uint8_t { info, warning, error };

/// Before the first line; default: text. Under systemd lines carry their priority ("<4>").
void set_log_format(LogFormat format);

/// Any thread. Control and non-ASCII bytes come out as \xNN. A line that cannot be written is lost:
/// there is nobody to tell.
void log(LogLevel level, std::string_view message);
inline void log_info(std::string_view message) { log(LogLevel::info, message); }
inline void log_warning(std::string_view message) { log(LogLevel::warning, message); }
inline void log_error(std::string_view message) { log(LogLevel::error, message); }

/// Whether stderr is the journal's (systemd's JOURNAL_STREAM names it).
[[nodiscard]] bool stderr_is_journal();

} // namespace ikefrag
