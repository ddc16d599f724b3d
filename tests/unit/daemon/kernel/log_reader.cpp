// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/log_reader.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;

TEST_CASE("log reader: times of copies the kernel did not stamp", "[kernel]") {
    // p in, o sent, t leaves; milliseconds, 0: no stamp. Read at 100.
    struct Case {
        std::string name;
        std::vector<std::pair<char, int>> copies;
        std::vector<int> times;
    };
    const Case cases[] = {
        {"stamps are kept",                              {{'p', 60}, {'p', 70}},           {60, 70}    },
        {"sent: no later than the next stamp",           {{'p', 60}, {'o', 0}, {'p', 70}}, {60, 70, 70}},
        {"sent at the end: when read",                   {{'p', 60}, {'o', 0}},            {60, 100}   },
        {"leaves: as old as the one before",             {{'p', 60}, {'t', 0}, {'p', 70}}, {60, 60, 70}},
        {"leaves, at the front: no later than the next", {{'t', 0}, {'p', 70}},            {70, 70}    },
        {"leaves, alone: when read",                     {{'t', 0}},                       {100}       },
        {"sent, then leaves: one time",                  {{'o', 0}, {'t', 0}, {'p', 80}},  {80, 80, 80}},
    };
    const auto at = [](int ms) { return TimePoint(ms * 1ms); };
    for (const auto& row : cases) {
        INFO(row.name);
        std::vector<Copy> copies;
        for (const auto& [kind, ms] : row.copies) {
            Copy copy;
            copy.leg = kind == 'p' ? Leg::prerouting : kind == 'o' ? Leg::output : Leg::postrouting;
            copy.stamped = ms != 0;
            copy.time = at(ms != 0 ? ms : 100);
            copies.push_back(copy);
        }
        estimate_times(copies);
        std::vector<int> times;
        for (const auto& copy : copies)
            times.push_back(static_cast<int>(copy.time.time_since_epoch() / 1ms));
        CHECK(times == row.times);
    }
}
