// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/policy.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

bool any_contains(const std::vector<Prefix>& prefixes, const IpAddress& address) noexcept {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& prefix) {
        return prefix.contains(address);
    });
}

bool contains(const std::vector<std::uint16_t>& ports, std::uint16_t port) noexcept {
    return std::find(ports.begin(), ports.end(), port) != ports.end();
}

} // namespace

std::vector<std::uint8_t> esp_and_ah() { return {50, 51}; }

std::optional<std::size_t> Policy::server_of(const IpAddress& address) const noexcept {
    for (std::size_t i = 0; i < servers.size(); ++i)
        if (any_contains(servers[i].addresses, address) || any_contains(servers[i].inside, address))
            return i;
    return std::nullopt;
}

bool Policy::is_plain_port(std::uint16_t port) const noexcept {
    return contains(ports.plain, port);
}

bool Policy::is_marked_port(std::uint16_t port) const noexcept {
    return contains(ports.marked, port);
}

void RuleRows::assign(Policy& policy) {
    for (auto& rule : policy.rules) {
        const auto known = std::find(names_.begin(), names_.end(), rule.name);
        auto row = static_cast<std::size_t>(known - names_.begin());
        if (known == names_.end()) {
            if (names_.size() < capacity - 1)
                names_.push_back(rule.name);
            else if (names_.size() < capacity)
                names_.emplace_back("further");
            row = std::min(row, capacity - 1);
        }
        rule.counter_row = static_cast<std::uint16_t>(row);
    }
}

} // namespace ikefrag
