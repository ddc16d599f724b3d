// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/causes.hpp"

#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

Event found(std::uint64_t handshake, const char* id = "D09") {
    Finding finding;
    finding.diagnosis = find_diagnosis(id);
    finding.handshake = handshake;
    return {script_start, FindingOpened{finding}};
}

/// The tracker's events go through as they do in the observer; gives how many ends had a cause.
std::size_t carry_out(Causes& causes, Tracker& tracker) {
    const auto events = tracker.take_events();
    std::size_t explained = 0;
    causes.note(events);
    for (const auto& event : events)
        if (const auto* ended = std::get_if<HandshakeEnded>(&event.what))
            explained += causes.take(ended->handshake) ? 1u : 0u;
    causes.forget_ended(events, [&](std::uint64_t number) {
        const auto* handshake = tracker.find_handshake(number);
        return handshake != nullptr && !handshake->ended;
    });
    return explained;
}

Spi numbered(std::uint8_t number) {
    auto result = spi("0011223344556677");
    result[0] = number;
    return result;
}

/// A VPN client's opening, four times, that nobody answers: D09.
void open_in_vain(TrackerScript& script, std::uint8_t number, Duration at) {
    for (const auto later : {0s, 1s, 3s, 7s})
        script.at(at + later).from_client(sa_init_request(numbered(number)));
}

} // namespace

TEST_CASE("causes: a failure explains its handshake's end, once", "[observer]") {
    Causes causes(10);
    const std::vector<Event> events{found(1), found(2, "D01"), found(0), found(1, "D07")};
    causes.note(events);
    CHECK_FALSE(causes.take(2)); // no failure
    CHECK_FALSE(causes.take(0)); // no handshake's
    const auto cause = causes.take(1);
    REQUIRE(cause);
    CHECK(cause->diagnosis->id == "D07");
    CHECK_FALSE(causes.take(1));
}

TEST_CASE("causes: kept over the batches of a handshake in progress", "[observer]") {
    Causes causes(10);
    const std::vector<Event> events{found(1), found(2)};
    causes.note(events);
    causes.forget_ended(events, [](std::uint64_t number) { return number == 2; });
    CHECK(causes.size() == 1);
    CHECK(causes.take(2));
}

TEST_CASE("causes: once full, the oldest goes and the newest has room", "[observer]") {
    Causes causes(10);
    for (std::uint64_t number = 1; number <= 100; ++number) causes.note(std::vector{found(number)});
    CHECK(causes.size() == 10);
    CHECK(causes.take(100));
    CHECK(causes.take(91));
    CHECK_FALSE(causes.take(90));
}

TEST_CASE("causes: nothing stays of handshakes that are over", "[observer]") {
    TrackerLimits limits;
    limits.handshakes = 4;
    TrackerScript script({}, limits);
    Causes causes(1'000);
    SECTION("ended") {
        for (std::uint8_t i = 0; i < 3; ++i) open_in_vain(script, i, 0s);
        script.expire(10s);
        CHECK(carry_out(causes, script.tracker) == 0);
        CHECK(causes.size() == 3);
        script.end();
        CHECK(carry_out(causes, script.tracker) == 3);
    }
    SECTION("pushed out of the table") {
        for (std::uint8_t i = 0; i < 20; ++i) {
            open_in_vain(script, i, 8s * i);
            script.expire(8s * (i + 1));
            (void)carry_out(causes, script.tracker);
            CHECK(causes.size() <= 4);
        }
        script.end();
        (void)carry_out(causes, script.tracker);
    }
    SECTION("found after the end") {
        open_in_vain(script, 1, 0s);
        script.end();
        CHECK(carry_out(causes, script.tracker) == 1);
        const auto message = sa_init_request(numbered(1));
        IcmpSeen unreachable;
        unreachable.reporter = address("198.51.100.200");
        unreachable.type = 3;
        unreachable.code = 13;
        unreachable.quoted_source = script.client;
        unreachable.quoted_destination = script.server;
        unreachable.quoted_message = message;
        script.at(130s).icmp(unreachable);
        script.expire(140s);
        const auto before = script.tracker.totals().icmp[index(Family::ipv4)][2];
        CHECK(before == 1);
        (void)carry_out(causes, script.tracker);
    }
    CHECK(causes.size() == 0);
}
