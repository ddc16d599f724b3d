// SPDX-License-Identifier: GPL-2.0-or-later
// The pool without a kernel queue: what it shares out and what it keeps. With real queues:
// tests/system.
#include "daemon/observer/worker_pool.hpp"

#include "daemon/clock.hpp"
#include "daemon/config/config.hpp"
#include "daemon/kernel/packet_tap.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace ikefrag;

TEST_CASE("worker pool: the table's limits are shared out, a source's are not", "[observer]") {
    auto policy = std::make_shared<Policy>();
    policy->limits.table_packets = 100;
    policy->limits.table_datagrams = 10;
    policy->limits.table_bytes = 1000;
    policy->limits.source_datagrams = 8;
    CHECK(share_of(policy, 1) == policy);
    const auto share = share_of(policy, 4);
    CHECK(share->limits.table_packets == 25);
    CHECK(share->limits.table_datagrams == 2);
    CHECK(share->limits.table_bytes == 250);
    CHECK(share->limits.source_datagrams == 8);
    CHECK(share_of(policy, 16)->limits.table_datagrams == 1); // never none
    CHECK(policy->limits.table_packets == 100);
}

TEST_CASE("worker pool: in observe nothing runs, and every queue has its totals", "[observer]") {
    Settings settings;
    settings.queue.first = 700;
    settings.queue.count = 3;
    const Clock clock;
    WorkerPool pool(settings, clock);
    CHECK_FALSE(pool.running());
    const auto totals = pool.totals();
    REQUIRE(totals.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(totals[i].number == 700 + i);
    CHECK(pool.failure().empty());
    CHECK(pool.longest_pause(clock.now()) == Duration{});
    settings.queue.max_length = 2048;
    settings.queue.fail_open = false;
    settings.mark = MarkOptions{1, 1};
    pool.change(settings);
    CHECK(pool.totals().size() == 3);
    pool.release(); // nobody to tell: no harm
    pool.stop();
}

TEST_CASE("worker pool: taps are there while wanted, one a queue", "[observer]") {
    Settings settings;
    settings.queue.count = 2;
    const Clock clock;
    WorkerPool pool(settings, clock);
    CHECK(pool.taps().empty());
    pool.tap(true);
    REQUIRE(pool.taps().size() == 2);
    const auto first = pool.taps()[0];
    pool.tap(true);
    CHECK(pool.taps()[0] == first); // what it holds is not lost
    pool.tap(false);
    CHECK(pool.taps().empty());
}

TEST_CASE("seeds: never the same twice", "[observer]") {
    std::set<std::array<std::uint8_t, 16>> seen;
    for (int i = 0; i < 100; ++i) CHECK(seen.insert(random_seed()).second);
}
