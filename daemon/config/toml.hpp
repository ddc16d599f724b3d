// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/diagnostics.hpp"
#include "plugin/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ikefrag {

struct TomlMember;

/// A value of a TOML document with the place it stands at.
struct TomlNode {
    using List = std::vector<TomlNode>;
    using Table = std::vector<TomlMember>; ///< in alphabetical order
    /// A date or time: no key of ours takes one.
    struct DateTime {};

    Position position;
    std::variant<bool, std::int64_t, double, std::string, List, Table, DateTime> value;

    /// "a string", "an integer" …: for messages.
    [[nodiscard]] std::string_view kind() const noexcept;
    /// The value as one would write it, shortened: for messages.
    [[nodiscard]] std::string text() const;
};

struct TomlMember {
    std::string key;
    Position position; ///< of the key
    TomlNode value;
};

/// A text and the name to call it by in messages.
struct TextFile {
    std::string name;
    std::string text;
};

/// Reads a TOML document.
///
/// Out:     the document's table
/// Errors:  what TOML itself forbids (syntax, a key given twice), bytes that are not ASCII outside
///          of comments, and lines with more than 64 dots outside of strings: their nesting would
///          cost the stack
[[nodiscard]] Result<TomlNode, Diagnostic> parse_toml(const TextFile& file);

/// Line number `line`, counted from 1; empty if there is none such.
[[nodiscard]] std::string_view line_of(std::string_view text, std::size_t line);

} // namespace ikefrag
