// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/log.hpp"
#include "plugin/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// What may go wrong around a running daemon, as counted or found so far.
struct TroubleFacts {
    std::uint64_t unseen = 0;            ///< fragments a full queue or socket kept from us
    std::uint64_t vanished = 0;          ///< held packets the kernel threw away
    std::uint64_t copies_lost = 0;       ///< of whole IKE
    std::uint64_t observations_lost = 0; ///< between worker and tracker
    std::uint64_t events_lost = 0;
    bool fail_open = true;
    std::string peers_set_aside; ///< that another peers.db was begun, and why; empty: none was
    std::string peers_database;  ///< why nothing can be stored in it; empty: it can
    std::string pass;            ///< what `pass` does on this host
    Duration wall_clock_drift{};
};

struct LogLine {
    LogLevel level = LogLevel::info;
    std::string text;
};

/// Puts troubles into words for the log: each when it begins, when it ends, and at most once a
/// minute while it lasts. Pure.
class Troubles {
public:
    [[nodiscard]] std::vector<LogLine> look(const TroubleFacts& facts, TimePoint now);

private:
    struct Counted {
        std::uint64_t told = 0;
        std::optional<TimePoint> told_at;
    };
    std::array<Counted, 5> counted_{};
    std::string peers_set_aside_;
    std::string peers_database_;
    std::optional<std::string> pass_;
    Duration drift_{};
};

} // namespace ikefrag
