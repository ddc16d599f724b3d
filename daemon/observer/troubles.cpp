// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/troubles.hpp"

#include <cstdlib>

namespace ikefrag {

namespace {

constexpr Duration told_every = std::chrono::minutes(1);
/// Smaller steps are what a clock is disciplined by.
constexpr Duration worth_telling = std::chrono::seconds(2);

std::string counted(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

std::string words_for(std::size_t which, std::uint64_t count, const TroubleFacts& facts) {
    switch (which) {
    case 0:
        return counted(count, "fragment", "fragments") +
               " found the queue or its socket full and " +
               (facts.fail_open ? "passed unseen (fail_open = true)"
                                : "were dropped (fail_open = false)") +
               "; max_length and count in [queue] give more room";
    case 1:
        return "the kernel threw away " +
               counted(count, "fragment that was held", "fragments that were held") +
               " (a base chain was deleted, or a link went down); clients will send them again";
    case 2:
        return counted(count, "copy", "copies") +
               " of IKE messages did not reach us; traffic is not touched, findings of silence are "
               "muted for a while";
    case 3:
        return counted(count, "observation", "observations") +
               " found no room on the way to the tracker; verdicts are not touched, findings of "
               "silence are muted for a while";
    default:
        return counted(count, "event", "events") +
               " could not be written; see [events] file in ikefragd.toml";
    }
}

} // namespace

std::vector<LogLine> Troubles::look(const TroubleFacts& facts, TimePoint now) {
    std::vector<LogLine> lines;
    const std::array counts{facts.unseen,
                            facts.vanished,
                            facts.copies_lost,
                            facts.observations_lost,
                            facts.events_lost};
    for (std::size_t i = 0; i < counts.size(); ++i) {
        auto& counted = counted_[i];
        const bool may = !counted.told_at || now - *counted.told_at >= told_every;
        if (counts[i] <= counted.told || !may) continue;
        lines.push_back({LogLevel::warning, words_for(i, counts[i] - counted.told, facts)});
        counted = {counts[i], now};
    }
    if (facts.peers_set_aside != peers_set_aside_) {
        lines.push_back({LogLevel::warning, facts.peers_set_aside});
        peers_set_aside_ = facts.peers_set_aside;
    }
    if (facts.peers_database != peers_database_) {
        if (facts.peers_database.empty())
            lines.push_back({LogLevel::info, "peers are stored again"});
        else
            lines.push_back(
                {LogLevel::error,
                 facts.peers_database + "; what is known of peers would not outlive a restart"});
        peers_database_ = facts.peers_database;
    }
    if (pass_ && *pass_ != facts.pass) lines.push_back({LogLevel::info, facts.pass});
    pass_ = facts.pass;
    const auto step = facts.wall_clock_drift - drift_;
    if (step > worth_telling || step < -worth_telling) {
        const auto seconds = std::chrono::round<std::chrono::seconds>(step).count();
        lines.push_back({LogLevel::warning,
                         "somebody set the clock by " + std::to_string(seconds) +
                             " s; nothing here waits by it, and times of this run go on as they "
                             "began"});
        drift_ = facts.wall_clock_drift;
    }
    return lines;
}

} // namespace ikefrag
