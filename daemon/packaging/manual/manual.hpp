// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/result.hpp"

#include <string>
#include <string_view>

namespace ikefrag {

/// What the templates name beside the code's tables.
struct Edition {
    std::string version;
    std::string date; ///< YYYY-MM-DD
};

/// Fills a page's template: a line that is `@name@` becomes the table of that name, as the code
/// has it; `@version@` and `@date@` are replaced anywhere.
///
/// Errors: the sentence that names an unknown table, with its line
[[nodiscard]] Result<std::string, std::string> fill_page(std::string_view page,
                                                         const Edition& edition);

} // namespace ikefrag
