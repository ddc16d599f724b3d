// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/queue_status.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

namespace ikefrag {

namespace {

/// Takes a number off the front of a line. Errors: empty, the line is spent or holds no number
std::optional<std::uint64_t> take_number(std::string_view& line) noexcept {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc()) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    return number;
}

} // namespace

std::vector<QueueStatus> parse_queue_status(std::string_view text) {
    std::vector<QueueStatus> queues;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        std::array<std::uint64_t, 8> column{};
        bool whole = true;
        for (auto& value : column) {
            const auto number = take_number(line);
            whole = whole && number.has_value();
            value = number.value_or(0);
        }
        if (!whole) continue;
        queues.push_back({static_cast<std::uint16_t>(column[0]),
                          static_cast<std::uint32_t>(column[1]),
                          static_cast<std::uint32_t>(column[2]),
                          static_cast<std::uint8_t>(column[3]),
                          static_cast<std::uint32_t>(column[4]),
                          column[5],
                          column[6],
                          static_cast<std::uint32_t>(column[7])});
    }
    return queues;
}

std::optional<std::vector<QueueStatus>> read_queue_status() {
    std::ifstream file("/proc/net/netfilter/nfnetlink_queue");
    if (!file) return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return parse_queue_status(text.str());
}

} // namespace ikefrag
