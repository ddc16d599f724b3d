// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/packaging/manual/roff.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace ikefrag {
namespace {

/// A character beyond ASCII by its number, which troff takes in any locale: "\\[u2026]".
/// In: at: of its first octet. Out: its last octet
std::size_t append_character(std::string& out, std::string_view text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    std::uint32_t number = first & (0x3fu >> more);
    for (std::size_t i = 1; i <= more && at + i < text.size(); ++i)
        number = number << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
    char digits[16];
    std::snprintf(digits, sizeof digits, "\\[u%04X]", number);
    out += digits;
    return std::min(at + more, text.size() - 1);
}

/// What troff would print as another sign, or act upon.
void append_escaped(std::string& out, char letter) {
    switch (letter) {
    case '\\': out += "\\e"; return;
    case '-': out += "\\-"; return;
    case '\'': out += "\\(aq"; return;
    case '`': out += "\\(ga"; return;
    case '^': out += "\\(ha"; return;
    case '~': out += "\\(ti"; return;
    default: out += letter;
    }
}

} // namespace

std::string roff_text(std::string_view text) {
    std::string out;
    bool line_begins = true;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        if (line_begins && (letter == ' ' || letter == '\n')) continue;
        if (line_begins && letter == '.') out += "\\&";
        if ((static_cast<unsigned char>(letter) & 0x80u) != 0)
            at = append_character(out, text, at);
        else
            append_escaped(out, letter);
        line_begins = letter == '\n';
    }
    return out;
}

std::string roff_argument(std::string_view text) {
    std::string out = "\"";
    for (const char letter : text) {
        if (letter == '"')
            out += "\\(dq";
        else if (letter == '\n')
            out += ' ';
        else
            append_escaped(out, letter);
    }
    return out + '"';
}

} // namespace ikefrag
