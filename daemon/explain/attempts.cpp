// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/explain/explain.hpp"
#include "plugin/tracker.hpp"

#include <algorithm>
#include <map>

namespace ikefrag {
namespace {

std::optional<std::uint8_t> digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

std::optional<Spi> parse_spi(std::string_view text) {
    Spi spi{};
    if (text.size() != 2 * spi.size()) return std::nullopt;
    for (std::size_t i = 0; i < spi.size(); ++i) {
        const auto high = digit_of(text[2 * i]);
        const auto low = digit_of(text[2 * i + 1]);
        if (!high || !low) return std::nullopt;
        spi[i] = static_cast<std::uint8_t>(*high << 4 | *low);
    }
    return spi;
}

bool is_target(const Handshake& handshake, const ExplainTarget& target) {
    if (const auto* spi = std::get_if<Spi>(&target)) return handshake.initiator_spi == *spi;
    const auto& address = std::get<IpAddress>(target);
    return handshake.client.address == address || handshake.server.address == address ||
           handshake.server_inside == address;
}

std::string name_of_server(const Handshake& handshake, const Policy& policy) {
    if (!handshake.server_index || *handshake.server_index >= policy.servers.size()) return {};
    return policy.servers[*handshake.server_index].name;
}

/// Failures first, then advice, then facts; in the catalogue's order.
bool comes_before(const Finding& a, const Finding& b) noexcept {
    if (a.diagnosis->kind != b.diagnosis->kind) return a.diagnosis->kind < b.diagnosis->kind;
    return a.diagnosis < b.diagnosis;
}

void add_findings(const Tracker& tracker, std::vector<Attempt>& attempts) {
    std::map<std::uint64_t, Attempt*> by_number;
    for (auto& attempt : attempts) by_number.emplace(attempt.handshake.number, &attempt);
    tracker.for_each_finding([&](const Finding& finding) {
        const auto at = by_number.find(finding.handshake);
        if (finding.handshake != 0 && at != by_number.end() && !finding.withdrawn)
            at->second->findings.push_back(finding);
    });
    for (auto& attempt : attempts) std::ranges::sort(attempt.findings, comes_before);
}

} // namespace

std::optional<ExplainTarget> parse_explain_target(std::string_view text) {
    if (const auto spi = parse_spi(text)) return ExplainTarget(*spi);
    if (const auto address = parse_address(text)) return ExplainTarget(*address);
    return std::nullopt;
}

std::vector<Attempt> find_attempts(const Tracker& tracker,
                                   const Policy& policy,
                                   const ExplainTarget& target,
                                   std::size_t max) {
    std::vector<const Handshake*> found;
    tracker.for_each_handshake([&](const Handshake& handshake) {
        if (is_target(handshake, target)) found.push_back(&handshake);
    });
    if (found.size() > max) found.erase(found.begin(), found.end() - static_cast<long>(max));
    std::vector<Attempt> attempts;
    attempts.reserve(found.size());
    for (const auto* handshake : found)
        attempts.push_back({*handshake, {}, name_of_server(*handshake, policy)});
    add_findings(tracker, attempts);
    return attempts;
}

std::vector<Attempt> collect_attempts(const Tracker& tracker,
                                      const Policy& policy,
                                      std::optional<TimePoint> since,
                                      std::string_view server_name,
                                      std::size_t max) {
    std::vector<const Handshake*> found;
    tracker.for_each_handshake([&](const Handshake& handshake) {
        if (since && handshake.first_time < *since) return;
        if (!server_name.empty() && name_of_server(handshake, policy) != server_name) return;
        found.push_back(&handshake);
    });
    if (found.size() > max) found.erase(found.begin(), found.end() - static_cast<long>(max));
    std::vector<Attempt> attempts;
    attempts.reserve(found.size());
    for (const auto* handshake : found)
        attempts.push_back({*handshake, {}, name_of_server(*handshake, policy)});
    add_findings(tracker, attempts);
    return attempts;
}

} // namespace ikefrag
