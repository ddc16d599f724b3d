// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/suppressor.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{std::chrono::seconds(1'700'000'000)};

int allowed_of(Suppressor& suppressor, const std::string& key, int times, TimePoint now) {
    int allowed = 0;
    for (int i = 0; i < times; ++i) allowed += suppressor.allows(key, now) ? 1 : 0;
    return allowed;
}

} // namespace

TEST_CASE("suppressor: a few of a key pass, the rest is counted and told", "[events]") {
    Suppressor suppressor({.per_key = 5, .window = 60s});
    CHECK(allowed_of(suppressor, "overlap 203.0.113.0/24", 12, start) == 5);
    CHECK(allowed_of(suppressor, "overlap 198.51.100.0/24", 3, start) == 3);
    CHECK(suppressor.take_suppressed(start + 59s).empty());
    const auto told = suppressor.take_suppressed(start + 60s);
    REQUIRE(told.size() == 1);
    CHECK(told[0].key == "overlap 203.0.113.0/24");
    CHECK(told[0].count == 7);
    CHECK(suppressor.take_suppressed(start + 200s).empty());
    CHECK(allowed_of(suppressor, "overlap 203.0.113.0/24", 12, start + 61s) == 5);
}

TEST_CASE("suppressor: many keys together cannot pass more than so many a second", "[events]") {
    Suppressor suppressor({.per_key = 5, .window = 60s, .per_second = 20, .burst = 100});
    int allowed = 0;
    for (int i = 0; i < 900; ++i) allowed += allowed_of(suppressor, std::to_string(i), 1, start);
    CHECK(allowed == 100);
    allowed = 0;
    for (int i = 0; i < 900; ++i)
        allowed += allowed_of(suppressor, std::to_string(i), 1, start + 2s);
    CHECK(allowed == 40);
}

TEST_CASE("suppressor: a flood of keys stays within its memory, and is counted", "[events]") {
    Suppressor suppressor({.per_key = 1, .window = 60s, .burst = 10'000, .keys = 16});
    for (int i = 0; i < 5000; ++i) (void)suppressor.allows(std::to_string(i), start);
    const auto told = suppressor.take_suppressed(start + 61s);
    REQUIRE(told.size() == 1);
    CHECK(told[0].key == "other");
    CHECK(told[0].count == 5000 - 16 - 1);
}
