// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/text_table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ikefrag::ctl {

std::size_t columns_of(std::string_view text) noexcept {
    std::size_t columns = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') { // one of our colours
            i = std::min(text.find('m', i), text.size());
            continue;
        }
        if ((text[i] & 0xc0) != 0x80) ++columns;
    }
    return columns;
}

TextTable::TextTable(std::initializer_list<std::string_view> heads) {
    rows_.emplace_back(heads.begin(), heads.end());
}

void TextTable::add(std::vector<std::string> row) {
    assert(row.size() == rows_.front().size());
    rows_.push_back(std::move(row));
}

std::string TextTable::text(std::string_view indent) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(row[i]));
    std::string text;
    for (const auto& row : rows_) {
        std::string line(indent);
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i != 0) line += "  ";
            line += row[i];
            line.append(widths[i] - columns_of(row[i]), ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

std::string wrapped(std::string_view text, std::size_t width, std::string_view indent) {
    std::string lines;
    std::string line;
    const auto end_line = [&] {
        lines += indent;
        lines += line;
        lines += '\n';
        line.clear();
    };
    while (!text.empty()) {
        const auto space = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, space);
        text.remove_prefix(std::min(space + 1, text.size()));
        if (!line.empty() && columns_of(line) + 1 + columns_of(word) > width) end_line();
        if (!line.empty()) line += ' ';
        line += word;
    }
    if (!line.empty()) end_line();
    return lines;
}

} // namespace ikefrag::ctl
