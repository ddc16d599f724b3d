// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/doctor/facts.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

enum class Standing : std::uint8_t {
    good,    ///< as it should be
    note,    ///< worth knowing; nothing is wrong
    warning, ///< something will not work as hoped
    wrong,   ///< the main job does not work
};
[[nodiscard]] std::string_view to_string(Standing standing) noexcept;

/// One thing the doctor looked at.
struct Examination {
    std::string_view check; ///< closed word, stable for scripts: "daemon", "table", "conntrack" …
    Standing standing = Standing::good;
    std::string found; ///< one sentence
    std::string fix;   ///< what to do: the exact command where there is one; empty when good
};

/// Judges a host. At least one row for each check, in a fixed order. Pure.
[[nodiscard]] std::vector<Examination> examine(const HostFacts& facts);

/// Whether any row is `warning` or `wrong`: ikefragctl's exit code 1.
[[nodiscard]] bool has_finding(const std::vector<Examination>& rows) noexcept;

[[nodiscard]] boost::json::object to_json(const std::vector<Examination>& rows);

} // namespace ikefrag
