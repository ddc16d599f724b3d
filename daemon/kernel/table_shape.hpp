// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/table_text.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ikefrag {

/// What a loaded table `inet ikefragd` was made for, as its rules show it.
struct TableShape {
    Mode mode = Mode::observe;
    std::optional<std::uint16_t> queue_first; ///< empty: it queues nothing, or nft cannot show it
    std::uint16_t queue_count = 1;
    bool bypass = false;
    std::optional<std::uint16_t> log_group;
};

/// In:      what `nft -j -n list table inet ikefragd` prints
/// Errors:  empty where there is no such table in it
[[nodiscard]] std::optional<TableShape> read_table_shape(std::string_view json);

/// Which of the daemon's settings a table that its admin loaded was not made for, and what to load
/// instead, in one sentence; empty where it fits. Servers, ports and limits are not compared.
[[nodiscard]] std::string what_differs(const TableShape& shape, const TableSettings& settings);

} // namespace ikefrag
