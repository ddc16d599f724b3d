// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/packaging/manual/roff.hpp"

namespace ikefrag {
namespace {

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
    for (const char letter : text) {
        if (line_begins && letter == ' ') continue;
        if (line_begins && letter == '\n') continue;
        if (line_begins && letter == '.') out += "\\&";
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
