// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// A place in a text file, counted from 1; line 0: the file as a whole.
struct Position {
    std::size_t line = 0;
    std::size_t column = 0;
    auto operator<=>(const Position&) const = default;
};

/// One mistake in what an admin wrote.
struct Diagnostic {
    std::string file;
    Position position;
    std::string message;     ///< what was found and what was expected, one line
    std::string source_line; ///< the line it stands in, or empty
};

/// All mistakes found, in the order of files and places.
using Diagnostics = std::vector<Diagnostic>;

/// "file:line:column: message", the source line and a caret below it; ends with a newline. Control
/// and non-ASCII bytes of the source line come out as \xNN.
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);
[[nodiscard]] std::string to_string(const Diagnostics& diagnostics);
/// "file:line:column: message" alone.
[[nodiscard]] std::string first_line(const Diagnostic& diagnostic);

/// The word nearest to `text` by Levenshtein distance, large letters being small
/// ones and two letters swapped one change: empty if none is near enough to be what was
/// meant (more than a third of the longer one's letters).
/// Bounds: texts of more than 64 letters are near to nothing.
[[nodiscard]] std::string_view nearest_word(std::string_view text,
                                            const std::vector<std::string_view>& words);

} // namespace ikefrag
