// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <cstdint>

namespace ikefrag {

/// Finds out how many packets the queue rules counted and no worker ever saw, from counts that are
/// read one after the other while packets keep coming. Says too few for a while, never too many.
class UnseenPackets {
public:
    struct Look {
        std::uint64_t rule_count = 0;    ///< by the kernel's rules, read before all else
        TimePoint read_at;               ///< when that was done
        TimePoint emptied;               ///< all that came until then was read by the workers,
        std::uint64_t received = 0;      ///< and is among these
        std::uint64_t accounted = 0;     ///< verdicts, waiting and vanished, now
        std::uint64_t missed = 0;        ///< ids the kernel gave out and no worker read
        std::uint64_t table_repairs = 0; ///< after each the rules count from 0
    };
    struct Sum {
        std::uint64_t queued = 0; ///< rule_count, with what removed rules took along
        std::uint64_t unseen = 0;
    };

    Sum look(const Look& now);

private:
    Look last_;
    std::uint64_t lacking_ = 0; ///< at the last look that could tell
    std::uint64_t unseen_ = 0;
    std::uint64_t uncounted_ = 0; ///< by rules that were removed before we read them again
    bool count_lost_ = false;
};

} // namespace ikefrag
