// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/diagnostics.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace ikefrag {
namespace {

constexpr std::size_t max_word = 64;
/// Longer source lines are shown around the mistake only.
constexpr std::size_t max_shown = 120;

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

std::string escape(char c) {
    static constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    return {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
}

/// Bytes that begin a character of UTF-8: columns count characters, not bytes.
bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Large or small, letters to change, insert, remove or swap with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
    std::array<std::array<std::size_t, max_word + 1>, 3> rows{};
    std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        const auto& above = rows[(i - 1) % 3];
        const auto& above_that = rows[(i + 1) % 3];
        auto& row = rows[i % 3];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto change = above[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            row[j] = std::min({change, row[j - 1] + 1, above[j] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], above_that[j - 2] + 1);
        }
    }
    return rows[a.size() % 3][b.size()];
}

/// The source line with its caret line.
std::string picture(const Diagnostic& diagnostic) {
    std::string shown;
    std::string caret;
    std::size_t column = 0;
    const auto wanted = diagnostic.position.column;
    for (const auto c : diagnostic.source_line) {
        if (begins_character(c)) ++column;
        if (wanted > max_shown && column + max_shown / 2 < wanted) continue;
        if (column > wanted && shown.size() > max_shown) break;
        if (column == wanted && caret.empty()) caret = std::string(shown.size(), ' ') + '^';
        shown += c == '\t' ? std::string(1, ' ') : is_plain(c) ? std::string(1, c) : escape(c);
    }
    if (caret.empty()) caret = std::string(shown.size(), ' ') + '^';
    return "    " + shown + "\n    " + caret + "\n";
}

} // namespace

std::string first_line(const Diagnostic& diagnostic) {
    auto text = to_string(diagnostic);
    text.resize(std::min(text.size(), text.find('\n')));
    return text;
}

std::string to_string(const Diagnostic& diagnostic) {
    auto text = diagnostic.file;
    if (diagnostic.position.line != 0)
        text += ':' + std::to_string(diagnostic.position.line) + ':' +
                std::to_string(diagnostic.position.column);
    text += ": " + diagnostic.message + '\n';
    if (!diagnostic.source_line.empty()) text += picture(diagnostic);
    return text;
}

std::string to_string(const Diagnostics& diagnostics) {
    std::string text;
    for (const auto& diagnostic : diagnostics) text += to_string(diagnostic);
    return text;
}

std::string_view nearest_word(std::string_view text, const std::vector<std::string_view>& words) {
    std::string_view nearest;
    auto least = max_word;
    if (text.size() > max_word) return nearest;
    for (const auto word : words) {
        if (word.size() > max_word) continue;
        const auto changes = distance(text, word);
        const auto allowed = std::max<std::size_t>(1, std::max(text.size(), word.size()) / 3);
        if (changes <= allowed && changes < least) {
            least = changes;
            nearest = word;
        }
    }
    return nearest;
}

} // namespace ikefrag
