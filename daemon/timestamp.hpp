// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <string>

namespace ikefrag {

/// "2026-11-23T08:00:00.000000Z": RFC 3339, UTC, six decimals, cut not rounded.
[[nodiscard]] std::string rfc3339(TimePoint time);

} // namespace ikefrag
