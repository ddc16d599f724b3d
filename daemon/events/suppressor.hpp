// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ikefrag {

/// Decides which of many alike lines are written: a few of each key a minute, and so many a second
/// in all. What is left out is counted and told when the key's minute is over.
///
/// Bounds: 1024 keys; beyond, all others share one.
class Suppressor {
public:
    struct Limits {
        std::uint64_t per_key = 5; ///< a window
        Duration window = std::chrono::seconds(60);
        std::uint64_t per_second = 20; ///< of all keys together
        std::uint64_t burst = 100;
        std::size_t keys = 1024;
    };
    struct Suppressed {
        std::string key; ///< "other": of the keys beyond the bound
        std::uint64_t count = 0;
    };

    Suppressor() = default;
    explicit Suppressor(Limits limits) : limits_(limits), tokens_(limits.burst) {}

    /// Whether a line of this key may be written now.
    bool allows(const std::string& key, TimePoint now);
    /// Keys whose window is over, with what was left out meanwhile; none without.
    [[nodiscard]] std::vector<Suppressed> take_suppressed(TimePoint now);

private:
    struct Window {
        TimePoint start;
        std::uint64_t written = 0;
        std::uint64_t left_out = 0;
    };
    bool take_token(TimePoint now);

    Limits limits_;
    std::map<std::string, Window> windows_;
    std::uint64_t tokens_ = Limits{}.burst;
    TimePoint refilled_{};
};

} // namespace ikefrag
