// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/timestamp.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>

namespace ikefrag {

std::string rfc3339(TimePoint time) {
    using std::chrono::floor;
    const auto since = time.time_since_epoch();
    const auto whole = floor<std::chrono::seconds>(since);
    const auto micros = floor<std::chrono::microseconds>(since - whole).count();
    const std::time_t seconds = whole.count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(),
                                   text.size(),
                                   "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                                   parts.tm_year + 1900,
                                   parts.tm_mon + 1,
                                   parts.tm_mday,
                                   parts.tm_hour,
                                   parts.tm_min,
                                   parts.tm_sec,
                                   static_cast<int>(micros));
    return {text.data(), static_cast<std::size_t>(size)};
}

} // namespace ikefrag
