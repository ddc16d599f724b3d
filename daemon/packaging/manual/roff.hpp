// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ikefrag {

/// Text as roff input that shows exactly it: escapes, and no line that troff takes for a request.
[[nodiscard]] std::string roff_text(std::string_view text);

/// Text as one quoted argument of a roff macro.
[[nodiscard]] std::string roff_argument(std::string_view text);

} // namespace ikefrag
