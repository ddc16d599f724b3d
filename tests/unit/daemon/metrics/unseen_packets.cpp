// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/unseen_packets.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

const TimePoint noon{1'700'000'000s};

/// At `at` after noon the rules had counted `rule_count`; until `emptied` the workers had read
/// `received`, all there was, and as many are accounted for.
UnseenPackets::Look
at(Duration at, std::uint64_t rule_count, std::uint64_t received, Duration emptied) {
    UnseenPackets::Look look;
    look.rule_count = rule_count;
    look.read_at = noon + at;
    look.emptied = noon + emptied;
    look.received = look.accounted = received;
    return look;
}

} // namespace

TEST_CASE("unseen: a backlog is not taken for packets nobody will see", "[metrics]") {
    UnseenPackets packets;
    CHECK(packets.look(at(0s, 20'000, 100, -1s)).unseen == 0);
    // The worker is still reading: that the rules' count rests says nothing.
    for (int i = 1; i < 9; ++i) CHECK(packets.look(at(i * 50ms, 20'000, 100, -1s)).unseen == 0);
    CHECK(packets.look(at(1s, 20'000, 20'000, 900ms)).unseen == 0);
    CHECK(packets.look(at(9s, 20'000, 20'000, 8s)).unseen == 0);
}

TEST_CASE("unseen: what an emptied socket never brought is told, and stays told", "[metrics]") {
    UnseenPackets packets;
    CHECK(packets.look(at(0s, 5'000, 1'000, -1s)).unseen == 0);
    CHECK(packets.look(at(1s, 5'000, 1'000, 500ms)).unseen == 0);
    CHECK(packets.look(at(2s, 5'000, 1'000, 1'500ms)).unseen == 4'000);
    CHECK(packets.look(at(3s, 5'010, 1'020, 2'500ms)).unseen == 4'000); // ten the rule will have
    CHECK(packets.look(at(4s, 5'020, 1'020, 3'500ms)).unseen == 4'000);
}

TEST_CASE("unseen: told exactly while packets keep coming", "[metrics]") {
    UnseenPackets packets;
    std::uint64_t unseen = 0;
    for (std::uint64_t i = 0; i < 4; ++i) {
        // a hundred more between two looks, none between a look and the emptied socket behind it
        const auto now = i * 1s;
        unseen = packets.look(at(now, 5'000 + 100 * i, 900 + 100 * i, now - 900ms)).unseen;
    }
    CHECK(unseen == 4'000);
}

TEST_CASE("unseen: a packet between the rule and the socket is on its way", "[metrics]") {
    UnseenPackets packets;
    CHECK(packets.look(at(0s, 10, 9, -1s)).unseen == 0);
    CHECK(packets.look(at(50ms, 20, 9, 1us)).unseen == 0); // one is on its way
    CHECK(packets.look(at(90ms, 30, 20, 51ms)).unseen == 0);
    CHECK(packets.look(at(150ms, 30, 29, 91ms)).unseen == 0); // another one
    CHECK(packets.look(at(190ms, 30, 30, 151ms)).unseen == 0);
}

TEST_CASE("unseen: ids that were skipped are known at once", "[metrics]") {
    UnseenPackets packets;
    auto look = at(0s, 5'000, 1'000, -1s);
    look.missed = 17;
    CHECK(packets.look(look).unseen == 17);
}

TEST_CASE("unseen: what a removed rule took along is ours to count", "[metrics]") {
    UnseenPackets packets;
    CHECK(packets.look(at(0s, 100, 100, 0s)).queued == 100);
    auto look = at(1s, 90, 100, 500ms); // ten were counted between our last read and the flush
    look.table_repairs = 1;
    CHECK(packets.look(look).queued == 90);
    look = at(2s, 90, 100, 500ms);
    look.table_repairs = 1;
    CHECK(packets.look(look).queued == 90); // the workers may not have read all
    look = at(3s, 90, 100, 2'500ms);
    look.table_repairs = 1;
    const auto sum = packets.look(look);
    CHECK(sum.queued == 100);
    CHECK(sum.unseen == 0);
    look = at(4s, 95, 105, 3'500ms);
    look.table_repairs = 1;
    CHECK(packets.look(look).queued == 105);
}
