// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace ikefrag {

/// The report's style sheet: the page's policy allows it by its hash and nothing else.
[[nodiscard]] std::string_view report_style() noexcept;

} // namespace ikefrag
