// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/packaging/manual/manual.hpp"

#include "daemon/packaging/manual/tables.hpp"

namespace ikefrag {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

} // namespace

Result<std::string, std::string> fill_page(std::string_view page, const Edition& edition) {
    std::string out;
    std::size_t number = 0;
    while (!page.empty()) {
        const auto end = page.find('\n');
        std::string line(page.substr(0, end));
        page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
        ++number;
        replace_all(line, "@version@", edition.version);
        replace_all(line, "@date@", edition.date);
        if (line.size() > 2 && line.front() == '@' && line.back() == '@') {
            const auto* table = manual::find_table(line.substr(1, line.size() - 2));
            if (table == nullptr)
                return fail("line " + std::to_string(number) + ": there is no table " + line);
            out += table->make();
        } else {
            out += line + '\n';
        }
    }
    return out;
}

} // namespace ikefrag
