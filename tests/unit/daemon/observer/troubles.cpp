// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/troubles.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1'700'000'000s};

std::string texts(const std::vector<LogLine>& lines) {
    std::string text;
    for (const auto& line : lines) text += line.text + '\n';
    return text;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("troubles: nothing wrong, nothing said", "[observer]") {
    Troubles troubles;
    TroubleFacts facts;
    facts.pass = "as they came";
    for (int second = 0; second < 100; ++second)
        CHECK(troubles.look(facts, start + second * 1s).empty());
}

TEST_CASE("troubles: each is told in words, once a minute at most", "[observer]") {
    struct Row {
        std::string name;
        std::uint64_t TroubleFacts::*count;
        std::string says;
    };
    const Row rows[] = {
        {"unseen",       &TroubleFacts::unseen,            "7 fragments found the queue or its socket full"},
        {"vanished",     &TroubleFacts::vanished,          "threw away 7 fragments that were held"         },
        {"copies",       &TroubleFacts::copies_lost,       "7 copies of IKE messages did not reach us"     },
        {"observations", &TroubleFacts::observations_lost, "7 observations found no room"                  },
        {"events",       &TroubleFacts::events_lost,       "7 events could not be written"                 },
    };
    for (const auto& row : rows) DYNAMIC_SECTION(row.name) {
            Troubles troubles;
            TroubleFacts facts;
            (void)troubles.look(facts, start);
            facts.*row.count = 7;
            const auto lines = troubles.look(facts, start + 1s);
            REQUIRE(lines.size() == 1);
            CHECK(contains(lines[0].text, row.says));
            CHECK(lines[0].level == LogLevel::warning);
            for (int second = 2; second < 60; ++second) {
                facts.*row.count += 1;
                CHECK(troubles.look(facts, start + second * 1s).empty());
            }
            CHECK(contains(texts(troubles.look(facts, start + 61s)), "58 ")); // none is left out
            CHECK(troubles.look(facts, start + 200s).empty());
        }
}

TEST_CASE("troubles: a full queue says what became of the fragments", "[observer]") {
    TroubleFacts facts;
    facts.unseen = 1;
    Troubles open;
    CHECK(contains(texts(open.look(facts, start)),
                   "1 fragment found the queue or its socket full and passed unseen"));
    facts.fail_open = false;
    Troubles closed;
    CHECK(contains(texts(closed.look(facts, start)), "were dropped (fail_open = false)"));
}

TEST_CASE("troubles: a database that cannot be written, and that it can again", "[observer]") {
    Troubles troubles;
    TroubleFacts facts;
    facts.peers_database = "peers.db cannot be written: database or disk is full";
    const auto lines = troubles.look(facts, start);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].level == LogLevel::error);
    CHECK(contains(lines[0].text,
                   "disk is full; what is known of peers would not outlive a restart"));
    CHECK(troubles.look(facts, start + 100s).empty());
    facts.peers_database.clear();
    CHECK(texts(troubles.look(facts, start + 101s)) == "peers are stored again\n");
}

TEST_CASE("troubles: a new database in place of one that was none outlives a restart",
          "[observer]") {
    Troubles troubles;
    TroubleFacts facts;
    facts.peers_set_aside = "peers.db was unreadable; it was moved and a new one begun";
    const auto lines = troubles.look(facts, start);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].level == LogLevel::warning);
    CHECK(lines[0].text == facts.peers_set_aside);
    CHECK(troubles.look(facts, start + 100s).empty());
    facts.peers_database = "peers.db cannot be written: database or disk is full";
    CHECK(texts(troubles.look(facts, start + 101s)) ==
          facts.peers_database + "; what is known of peers would not outlive a restart\n");
    facts.peers_database.clear();
    CHECK(texts(troubles.look(facts, start + 102s)) == "peers are stored again\n");
}

TEST_CASE("troubles: what pass does is told when it changes", "[observer]") {
    Troubles troubles;
    TroubleFacts facts;
    facts.pass = "connection tracking is off";
    CHECK(troubles.look(facts, start).empty());
    facts.pass = "connection tracking is active";
    CHECK(texts(troubles.look(facts, start)) == "connection tracking is active\n");
    CHECK(troubles.look(facts, start).empty());
}

TEST_CASE("troubles: a clock that was set is told, a disciplined one is not", "[observer]") {
    Troubles troubles;
    TroubleFacts facts;
    for (int i = 0; i < 10; ++i) {
        facts.wall_clock_drift = i * 100ms;
        CHECK(troubles.look(facts, start).empty());
    }
    facts.wall_clock_drift = -3600s;
    CHECK(contains(texts(troubles.look(facts, start)), "set the clock by -3600 s"));
    CHECK(troubles.look(facts, start).empty());
    facts.wall_clock_drift = 0s;
    CHECK(contains(texts(troubles.look(facts, start)), "set the clock by 3600 s"));
}
