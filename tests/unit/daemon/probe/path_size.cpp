// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/path_size.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using probe::SizeSearch;

namespace {

enum class Router { says, says_nothing, says_zero };

/// Asks until the search has found; counts the questions that were lost, which cost two packets.
struct Walk {
    probe::PathSize found;
    int passed = 0;
    int lost = 0;
    [[nodiscard]] int packets() const { return passed + 2 * lost; }
};

Walk walk(Family family, std::uint32_t interface, std::uint32_t mtu, Router router) {
    SizeSearch search(family, 60, interface);
    Walk walk;
    while (const auto size = search.next()) {
        REQUIRE(walk.passed + walk.lost < 40);
        REQUIRE(*size > 60);
        REQUIRE(*size <= interface);
        if (*size <= mtu) {
            search.passed(*size);
            ++walk.passed;
        } else if (router == Router::says_nothing) {
            search.lost(*size);
            ++walk.lost;
        } else {
            search.told(*size, router == Router::says ? mtu : 0);
            ++walk.passed; // one packet, no repeat
        }
    }
    walk.found = search.result();
    return walk;
}

} // namespace

TEST_CASE("path size: every MTU is found to the octet", "[probe]") {
    for (const auto router : {Router::says, Router::says_nothing, Router::says_zero})
        for (std::uint32_t mtu = 68; mtu <= 1500; ++mtu) {
            CAPTURE(mtu, static_cast<int>(router));
            const auto walked = walk(Family::ipv4, 1500, mtu, router);
            REQUIRE(walked.found.bytes == mtu);
            REQUIRE(walked.found.exact);
            // Those of common links within what a probe may spend on sizes.
            if (mtu == 1492 || mtu == 1400 || mtu == 1280 || mtu == 576)
                REQUIRE(walked.packets() <= 24);
            REQUIRE(walked.packets() <= 34);
            REQUIRE(walked.found.told_by_icmp == (router == Router::says && mtu != 1500));
            REQUIRE(walked.found.silent_loss == (router == Router::says_nothing && mtu != 1500));
        }
}

TEST_CASE("path size: a router that says so costs three questions", "[probe]") {
    CHECK(walk(Family::ipv4, 1500, 1500, Router::says).packets() == 1);
    CHECK(walk(Family::ipv4, 1500, 1492, Router::says).packets() == 2);
    CHECK(walk(Family::ipv6, 9000, 1280, Router::says).packets() == 2);
}

TEST_CASE("path size: IPv6 sizes below 1280 are asked only where 1280 did not pass", "[probe]") {
    SizeSearch search(Family::ipv6, 80, 1500);
    while (const auto size = search.next()) {
        CHECK(*size >= 1280);
        if (*size > 1300)
            search.lost(*size);
        else
            search.passed(*size);
    }
    CHECK(search.result().bytes == 1300);
}

TEST_CASE("path size: a loss by chance does not hide what passes later", "[probe]") {
    SizeSearch search(Family::ipv4, 60, 1500);
    search.lost(1500);
    search.passed(1500); // its answer came late
    CHECK(search.result().bytes == 1500);
    CHECK(search.result().exact);
}

TEST_CASE("path size: a router that lies is not believed", "[probe]") {
    SizeSearch search(Family::ipv4, 60, 1500);
    search.told(1500, 1450);
    CHECK(search.next() == 1450);
    search.lost(1450); // it does not pass although it was said to
    while (const auto size = search.next())
        if (*size <= 1400)
            search.passed(*size);
        else
            search.lost(*size);
    CHECK(search.result().bytes == 1400);
    CHECK_FALSE(search.result().told_by_icmp);
}
