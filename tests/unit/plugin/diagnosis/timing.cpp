// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/remedy.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace ikefrag;

TEST_CASE("stack guess: schedules after three gaps, 25 % off at most", "[diagnosis]") {
    struct Case {
        std::string name;
        std::vector<double> gaps;
        std::string stack;
    };
    const Case cases[] = {
        {"Windows",                  {1, 2, 4},                  "Windows"                },
        {"Windows, late",            {1.2, 2.1, 4.4, 8.9},       "Windows"                },
        {"strongSwan",               {4, 7.2, 13, 23.3, 42},     "strongSwan"             },
        {"libreswan or Android",     {0.5, 1, 2},                "libreswan or Android"   },
        {"MikroTik",                 {5, 5, 5},                  "MikroTik"               },
        {"racoon",                   {10, 10, 10},               "racoon or old Cisco IOS"},
        {"two gaps are not enough",  {1, 2},                     ""                       },
        {"26 % off",                 {1.26, 2, 4},               ""                       },
        {"nobody's",                 {1, 1, 1},                  ""                       },
        {"longer than the schedule", {4, 7.2, 13, 23.3, 42, 76}, ""                       },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            std::vector<Duration> gaps;
            for (const auto gap : c.gaps)
                gaps.push_back(
                    std::chrono::duration_cast<Duration>(std::chrono::duration<double>(gap)));
            CHECK(std::string(timing_of(gaps)) == c.stack);
        }
    }
}
