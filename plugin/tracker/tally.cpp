// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/tally.hpp"

#include <tuple>

namespace ikefrag {

ExchangeRow& ServerTally::row(std::uint8_t version, std::uint8_t type, Role role) {
    if (version == 1) role = Role::request;
    const auto place = (version == 1 ? 0u : 512u) + type * 2u + index(role);
    auto& at = places_[place];
    if (at == no_place) {
        at = static_cast<std::uint16_t>(rows_.size());
        rows_.push_back({.version = version, .type = type, .role = role});
    }
    return rows_[at];
}

void ServerTally::count_diagnosis(const Diagnosis& diagnosis, Actor actor) {
    if (diagnoses_.empty()) diagnoses_.resize(catalogue().size());
    ++diagnoses_[static_cast<std::size_t>(&diagnosis - catalogue().data())][index(actor)];
}

ExchangeTotals ServerTally::totals(TimePoint now) const {
    auto totals = counts;
    for (std::size_t i = 0; i < diagnoses_.size(); ++i)
        for (const auto& [actor, word] : words<Actor>())
            if (const auto count = diagnoses_[i][index(actor)]; count != 0)
                totals.diagnoses[{std::string(catalogue()[i].slug), actor}] = count;
    for (const auto& row : rows_) {
        const std::tuple key{row.version, row.type, row.role};
        if (row.messages != 0) totals.messages[key] = row.messages;
        if (row.retransmits != 0) totals.retransmits[key] = row.retransmits;
        if (row.skf_sets != 0) totals.skf_sets[key] = row.skf_sets;
        if (row.skf_incomplete != 0) totals.skf_incomplete[key] = row.skf_incomplete;
        for (const auto& [transport, word] : words<Transport>())
            if (const auto count = row.fragmented[index(transport)]; count != 0)
                totals.fragmented[{row.version, row.type, row.role, transport}] = count;
    }
    for (std::size_t i = 0; i < path_mtu.size(); ++i)
        totals.path_mtu_bytes[i] = path_mtu[i].at(now);
    return totals;
}

void add_rows(TrackerTotals& totals, const std::vector<ServerTally>& tallies) {
    totals.by_exchange.clear();
    totals.message_bytes.clear();
    totals.message_bytes_sum.clear();
    for (const auto& tally : tallies)
        for (const auto& row : tally.rows()) {
            const std::tuple key{row.version, row.type, row.role};
            totals.by_exchange[{exchange_name(row.version, row.type), row.role}] += row.messages;
            auto& bytes = totals.message_bytes[key];
            for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += row.bytes[i];
            totals.message_bytes_sum[key] += row.bytes_sum;
        }
}

} // namespace ikefrag
