// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker.hpp"
#include "plugin/tracker/peer_table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ikefrag {

/// Counts of one kind of message. IKEv1 has requests only here (DESIGN §6).
struct ExchangeRow {
    std::uint8_t version = 2;
    std::uint8_t type = 0;
    Role role = Role::request;
    std::uint64_t messages = 0;
    std::uint64_t retransmits = 0;
    std::uint64_t skf_sets = 0;
    std::uint64_t skf_incomplete = 0;
    std::array<std::uint64_t, count_of<Transport>> fragmented{};
    std::array<std::uint64_t, 10> bytes{};
    double bytes_sum = 0;
};

/// Counts of one server, cheap to raise; the maps of ExchangeTotals are filled when asked for.
struct ServerTally {
    ServerTally() { places_.fill(no_place); }

    ExchangeRow& row(std::uint8_t version, std::uint8_t type, Role role);
    [[nodiscard]] const std::vector<ExchangeRow>& rows() const noexcept { return rows_; }
    /// All of it as the public face shows it.
    [[nodiscard]] ExchangeTotals totals(TimePoint now) const;

    std::string name; ///< of the server; empty: unlisted
    /// Index of the interface by which messages last went out to it; 0: not known, or unlisted.
    std::uint32_t interface = 0;
    /// In place of it: the server is on this host.
    static constexpr std::uint32_t this_host = 0xffff'ffff;
    ExchangeTotals counts; ///< all but what comes from the rows
    std::array<HourlyMinimum, 2> path_mtu;
    void count_diagnosis(const Diagnosis& diagnosis, Actor actor);

private:
    static constexpr std::uint16_t no_place = 0xffff;
    std::vector<ExchangeRow> rows_;
    /// By row of the catalogue; empty before the first.
    std::vector<std::array<std::uint64_t, count_of<Actor>>> diagnoses_;
    std::array<std::uint16_t, std::size_t{2} * 256 * 2> places_{};
};

/// Adds an observation to a histogram of given upper bounds; the last bucket is everything above.
template <class Counts, class Bounds, class Value>
void count_in(Counts& counts, const Bounds& bounds, Value value) {
    std::size_t i = 0;
    while (i < bounds.size() && value > bounds[i]) ++i;
    ++counts[i];
}

inline constexpr std::array<std::uint32_t, 9> message_bytes_bounds{
    576, 1280, 1500, 2000, 3000, 4000, 8000, 16384, 65535};
inline constexpr std::array<std::uint32_t, 9> skf_count_bounds{2, 3, 4, 6, 8, 12, 16, 32, 64};

/// Sums the rows of all servers into the global totals.
void add_rows(TrackerTotals& totals, const std::vector<ServerTally>& tallies);

} // namespace ikefrag
