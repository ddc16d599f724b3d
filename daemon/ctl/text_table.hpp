// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag::ctl {

/// Rows of text in columns as wide as they need to be. Cells are plain text, escaped already.
class TextTable {
public:
    TextTable(std::initializer_list<std::string_view> heads);
    void add(std::vector<std::string> row);
    [[nodiscard]] bool empty() const noexcept { return rows_.size() == 1; }
    /// Lines, each behind `indent`; the heads first.
    [[nodiscard]] std::string text(std::string_view indent = "") const;

private:
    std::vector<std::vector<std::string>> rows_;
};

/// Columns a text takes on a terminal: UTF-8 characters, colours left out.
[[nodiscard]] std::size_t columns_of(std::string_view text) noexcept;
/// Breaks a text at spaces into lines of at most `width` columns, each behind `indent`.
[[nodiscard]] std::string
wrapped(std::string_view text, std::size_t width, std::string_view indent);

} // namespace ikefrag::ctl
