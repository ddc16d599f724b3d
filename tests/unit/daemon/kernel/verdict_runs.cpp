// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/verdict_runs.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

using Ids = std::vector<std::uint32_t>;

void read(VerdictRuns& runs, const Ids& ids) {
    runs.begin_turn();
    for (const auto id : ids) runs.read({id});
}

/// Those of them that may join.
Ids joining(VerdictRuns& runs, const Ids& answers) {
    Ids joined;
    for (const auto id : answers)
        if (runs.answered({id})) joined.push_back(id);
    return joined;
}

} // namespace

TEST_CASE("verdict runs: what may be said together", "[kernel]") {
    struct Case {
        std::string name;
        Ids held; ///< read in a turn before, not answered
        Ids turn;
        Ids answers;
        Ids joined;
    };
    const Case cases[] = {
        {"all, in order",                 {},     {1, 2, 3},    {1, 2, 3},    {1, 2, 3}},
        {"the last ones are held",        {},     {1, 2, 3, 4}, {1, 2},       {1, 2}   },
        {"a gap of lost ones",            {},     {1, 2, 9},    {1, 2, 9},    {1, 2, 9}},
        {"the first is held",             {},     {1, 2, 3},    {2, 3},       {}       },
        {"one in the midst is held",      {},     {1, 2, 3, 4}, {1, 3, 4},    {1}      },
        {"released in another order",     {},     {1, 2, 3, 4}, {1, 3, 2, 4}, {1}      },
        {"an older one waits still",      {1},    {2, 3},       {2, 3},       {}       },
        {"the older one goes first",      {1},    {2, 3},       {1, 2, 3},    {2, 3}   },
        {"the older one goes in between", {1},    {2, 3, 4},    {2, 1, 3, 4}, {3, 4}   },
        {"one of two older ones waits",   {1, 2}, {3, 4},       {1, 3, 4},    {}       },
        {"ids come round",
         {0xfffffffe},
         {0xffffffff, 0, 1},
         {0xfffffffe, 0xffffffff, 0, 1},
         {0xffffffff, 0, 1}                                                            },
        {"read in another order",         {},     {2, 1, 3},    {2, 1, 3},    {}       },
        {"no turn: a release of all",     {1, 2}, {},           {1, 2},       {}       },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            VerdictRuns runs;
            read(runs, c.held);
            read(runs, c.turn);
            CHECK(joining(runs, c.answers) == c.joined);
            CHECK(runs.waiting() == c.held.size() + c.turn.size() - c.answers.size());
        }
}

TEST_CASE("verdict runs: a turn that got out of order does not spoil the next", "[kernel]") {
    VerdictRuns runs;
    read(runs, {1, 2, 3});
    CHECK(joining(runs, {3, 2, 1}).empty());
    read(runs, {4, 5});
    CHECK(joining(runs, {4, 5}) == Ids{4, 5});
}

TEST_CASE("verdict runs: none after a verdict that could not be sent", "[kernel]") {
    VerdictRuns runs;
    runs.stop();
    read(runs, {1, 2});
    CHECK(joining(runs, {1, 2}).empty());
}

TEST_CASE("verdict runs: against a kernel that takes them at their word", "[kernel]") {
    const auto seed = GENERATE(range(0u, 40u));
    INFO("seed " << seed);
    std::mt19937 random(seed);
    VerdictRuns runs;
    std::set<std::uint32_t> kernel; // waiting there
    std::set<std::uint32_t> ours;   // not answered yet
    std::uint32_t id = 0xffffff00;  // comes round within the test; order below is by age
    std::uint32_t age = 0;
    std::map<std::uint32_t, std::uint32_t> id_of;
    std::uint32_t joined = 0;
    for (int turn = 0; turn < 60; ++turn) {
        runs.begin_turn();
        for (std::uint32_t count = static_cast<std::uint32_t>(random() % 20); count > 0; --count) {
            id += 1u + (random() % 8 == 0 ? static_cast<std::uint32_t>(random() % 5) : 0u);
            id_of[++age] = id;
            runs.read({id});
            kernel.insert(age);
            ours.insert(age);
        }
        std::vector<std::uint32_t> answers(ours.begin(), ours.end());
        if (seed % 2 != 0) // hold some back, and shuffle now and then
            std::erase_if(answers, [&](auto) { return random() % 16 == 0; });
        if (random() % 4 == 0) std::shuffle(answers.begin(), answers.end(), random);
        for (const auto answer : answers) {
            ours.erase(answer);
            if (!runs.answered({id_of[answer]})) {
                REQUIRE(kernel.erase(answer) == 1);
                continue;
            }
            ++joined;
            // The kernel answers all up to it: that must be this one alone.
            REQUIRE(*kernel.begin() == answer);
            kernel.erase(answer);
        }
        REQUIRE(kernel == ours);
        REQUIRE(runs.waiting() == ours.size());
    }
    if (seed % 2 == 0) CHECK(joined > 0);
}
