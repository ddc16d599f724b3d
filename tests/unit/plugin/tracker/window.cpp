// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/window.hpp"

#include <catch2/catch.hpp>

#include <ctime>
#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1'700'000'000s};

struct Sent {
    char name;
    Duration after;
    bool from_initiator;
    bool response;
    std::uint32_t message_id;
    bool at_latest = false;
    std::uint8_t spi = 1;
    std::uint8_t major = 2;
};

Item item_of(const Sent& sent) {
    MessageItem message;
    MessageFacts facts;
    facts.header.initiator_spi = {sent.spi};
    facts.header.major = sent.major;
    facts.header.flags =
        static_cast<std::uint8_t>((sent.from_initiator ? 0x08 : 0) | (sent.response ? 0x20 : 0));
    facts.header.message_id = sent.message_id;
    message.facts = facts;
    message.seen.message_bytes = static_cast<std::uint32_t>(sent.name);
    return {start + sent.after, Leg::prerouting, message, sent.at_latest};
}

std::string order_of(const std::vector<Sent>& all, TimePoint until = TimePoint::max()) {
    ReorderWindow window;
    for (const auto& sent : all) window.add(item_of(sent));
    std::string names;
    TimePoint last{};
    while (const auto* item = window.oldest(until)) {
        CHECK(item->time >= last);
        last = item->time;
        names += static_cast<char>(std::get<MessageItem>(item->what).seen.message_bytes);
        window.remove_oldest();
    }
    return names;
}

} // namespace

TEST_CASE("window: the order of time, and of a response that bears no stamp", "[tracker]") {
    struct Case {
        std::string name;
        std::vector<Sent> sent;
        std::string order;
    };
    const Sent init{'a', 0ms, true, false, 0};
    const Sent auth{'c', 10ms, true, false, 1};
    const Sent late_init_response{'b', 12ms, false, true, 0, true};
    const Sent late_auth_response{'d', 40ms, false, true, 1, true};
    const Sent other_auth{'x', 10ms, true, false, 1, false, 2};
    const Sent old_version{'v', 10ms, true, false, 7, false, 1, 1};
    const Sent server_asks{'q', 10ms, false, false, 1};
    const Sent stamped_response{'b', 12ms, false, true, 0};
    const Case cases[] = {
        {"as fed",                                     {init, auth, late_auth_response},           "acd"},
        {"by time",                                    {auth, init},                               "ac" },
        {"read late: before the request that follows", {init, auth, late_init_response},           "abc"},
        {"the same, the request fed after it",         {init, late_init_response, auth},           "abc"},
        {"its own request stays before it",
         {init, auth, late_auth_response, late_init_response},
         "abcd"                                                                                         },
        {"another handshake's request is no sign",     {init, other_auth, late_init_response},     "axb"},
        {"IKEv1's message ids are no numbers",         {init, old_version, late_init_response},    "avb"},
        {"the same side's request is no sign",         {init, server_asks, late_init_response},    "aqb"},
        {"a stamp is believed",                        {init, auth, stamped_response},             "acb"},
        {"a request waits for nothing",                {auth, {'r', 12ms, false, false, 0, true}}, "cr" },
    };
    for (const auto& row : cases) {
        INFO(row.name);
        CHECK(order_of(row.sent) == row.order);
    }
}

TEST_CASE("window: what is not old enough waits; equals leave as they came", "[tracker]") {
    const std::vector<Sent> sent{
        {'a', 1ms, true, false, 0},
        {'b', 1ms, true, false, 0},
        {'c', 2ms, true, false, 0},
        {'d', 1ms, true, false, 0}
    };
    CHECK(order_of(sent, start + 1ms) == "abd");
}

TEST_CASE("window: what comes late does not walk through all that waits", "[tracker]") {
    // Copies lag behind what a flood of fragments tells at once. Step by step each of them would
    // take half a millisecond, and the watchdog end a daemon that reads 2048 in a turn.
    ReorderWindow window;
    for (std::uint32_t i = 0; i < 60'000; ++i)
        window.add(item_of({'l', 1s + i * 1us, true, false, 1}));
    const auto began = std::clock();
    for (std::uint32_t i = 0; i < 2'048; ++i) window.add(item_of({'c', i * 1us, true, false, 0}));
    CHECK(double(std::clock() - began) / CLOCKS_PER_SEC < 1);
    REQUIRE(window.oldest_time());
    CHECK(*window.oldest_time() == start);
}
