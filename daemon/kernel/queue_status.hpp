// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ikefrag {

/// One line of /proc/net/netfilter/nfnetlink_queue.
struct QueueStatus {
    std::uint16_t number = 0;
    std::uint32_t port = 0;
    std::uint32_t waiting = 0;
    std::uint8_t copy_mode = 0;
    std::uint32_t copy_range = 0;
    std::uint64_t dropped = 0;      ///< queue full
    std::uint64_t user_dropped = 0; ///< socket buffer full
    std::uint32_t last_id = 0;
};
/// In: the file's text. Lines that do not fit are left out.
[[nodiscard]] std::vector<QueueStatus> parse_queue_status(std::string_view text);
/// Empty where the file may not be read (it is root's).
[[nodiscard]] std::optional<std::vector<QueueStatus>> read_queue_status();

} // namespace ikefrag
