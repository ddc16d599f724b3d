// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

/// Bytes from packets, captures and databases are hostile text. They reach a medium through one of
/// these functions only, one for each medium.
namespace ikefrag {

/// For a terminal or the log: bytes outside printable ASCII as `\xNN`. A backslash stays: our own
/// remedies hold commands with registry paths, to be copied as they are.
[[nodiscard]] std::string escape_terminal(std::string_view text);

/// For HTML text nodes and quoted attributes: the five markup characters as references, bytes
/// outside printable ASCII as `\xNN`.
[[nodiscard]] std::string escape_html(std::string_view text);

/// One CSV cell, always quoted (RFC 4180): quotes doubled, bytes outside printable ASCII as `\xNN`,
/// and a leading `= + - @` behind an apostrophe, so that no spreadsheet takes it for a formula.
[[nodiscard]] std::string escape_csv(std::string_view text);

/// Valid UTF-8 for a JSON string's value (the JSON writer adds quotes and escapes control
/// characters itself): bytes that are not valid UTF-8 become `\xNN`.
[[nodiscard]] std::string escape_json(std::string_view text);

} // namespace ikefrag
