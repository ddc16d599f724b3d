// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/explain/explain.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ikefrag {

/// A bar chart as SVG: one row a value, longest bar for the largest. All text is escaped.
[[nodiscard]] std::string
bar_chart_svg(std::string_view title,
              const std::vector<std::pair<std::string, std::uint64_t>>& rows);

/// An attempt's ladder as SVG: client, this firewall and server as rails, messages as arrows; what
/// was lost ends in a cross. Bounds: the first 60 steps.
[[nodiscard]] std::string ladder_svg(const Attempt& attempt, bool mask);

} // namespace ikefrag
