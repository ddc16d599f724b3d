// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

TEST_CASE("gate: a datagram in order is held, checked and let through first to last", "[gate]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto flow = flow_of(family);
    const auto message = ike_auth(4900);
    const auto pieces = fragments(flow.ends, udp(flow, message), 1480);
    REQUIRE(pieces.size() == 4);
    GateScript script;
    script.feed({pieces[0], pieces[1], pieces[2]});
    CHECK(script.held_packets() == 3);
    CHECK(script.is_held(1));
    script.at(3ms).feed(pieces[3]);
    script.expect(1, 4, Verdict::accept, Reason::none);
    for (std::uint32_t i = 0; i < 4; ++i) CHECK(script.decisions()[i].packet.value == i + 1);
    CHECK(script.held_packets() == 0);
    CHECK(script.gate().counters().held_bytes.get() == 0);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
    CHECK_FALSE(script.gate().next_deadline());
    REQUIRE(script.messages().size() == 1);
    const auto seen = script.messages()[0];
    // Header, SK's own, and as much of what is encrypted as tells it from others.
    CHECK(Buffer(seen.message.begin(), seen.message.end()) ==
          Buffer(message.begin(), message.begin() + 28 + 4 + 64));
    CHECK(seen.message_bytes == 4900);
    CHECK(seen.ip_fragments == 4);
    CHECK_FALSE(seen.reordered);
    CHECK(seen.datagram_bytes == (family == Family::ipv4 ? 20u : 40u) + 8 + 4900);
    CHECK(seen.first_fragment_bytes == (family == Family::ipv4 ? 20u : 48u) + 1480);
    CHECK(script.of(2)->packet_class == PacketClass::ike);
    CHECK(script.of(2)->rule == 0);
    CHECK(script.of(2)->fragment);
}

TEST_CASE("gate: a message in the clear is shown whole", "[gate]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto flow = flow_of(family);
    // Its last payload begins before, and ends behind, the first 2 KiB that the gate looks at.
    const auto opening = [](std::size_t key) {
        return sa_init_request(spi("0011223344556677"), {.key_bytes = key});
    };
    for (const std::size_t key_bytes : {1'400u, 1'950u, 2'000u, 2'048u, 3'000u}) {
        const auto message = opening(key_bytes);
        GateScript script;
        script.feed(fragments(flow.ends, udp(flow, message), 1'240));
        REQUIRE(script.messages().size() == 1);
        const auto seen = script.messages()[0];
        INFO("key of " << key_bytes);
        CHECK(Buffer(seen.message.begin(), seen.message.end()) == message);
        CHECK(seen.message_bytes == message.size());
        CHECK(seen.reason == Reason::none);
    }
}

TEST_CASE("gate: an encrypted message that ends wrongly is told from its first 2 KiB", "[gate]") {
    const auto flow = flow4();
    auto message = ike_auth(4900);
    message[31] = static_cast<std::uint8_t>(message[31] + 1); // SK goes past the message's end
    GateScript script;
    script.feed(fragments(flow.ends, udp(flow, message), 1480));
    REQUIRE(script.messages().size() == 1);
    CHECK(script.messages()[0].reason == Reason::ike_malformed);
    CHECK(script.messages()[0].refused);
    CHECK(Buffer(script.messages()[0].message.begin(), script.messages()[0].message.end()) ==
          message);
}

TEST_CASE("gate: fragments out of order are let through in order", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6), 4500);
    const auto pieces = fragments(flow.ends, udp(flow, marked(ike_auth(4900))), 1480);
    GateScript script;
    script.feed({pieces[3], pieces[1], pieces[0], pieces[2]});
    std::vector<std::uint32_t> order;
    for (const auto& decision : script.decisions()) order.push_back(decision.packet.value);
    CHECK(order == std::vector<std::uint32_t>{3, 2, 4, 1});
    script.expect(1, 4, Verdict::accept, Reason::none);
    REQUIRE(script.messages().size() == 1);
    CHECK(script.messages()[0].reordered);
    CHECK(script.messages()[0].marked);
    CHECK(script.gate().counters().reordered.get() == 1);
}

TEST_CASE("gate: the timer runs from the first fragment and is never refreshed", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(4900)), 1480);
    GateScript script;
    script.at(0s).feed(pieces[0]).at(4900ms).feed(pieces[1]);
    REQUIRE(script.gate().next_deadline());
    CHECK((*script.gate().next_deadline() - start_of_script) / 1ms == 5000);
    script.at(4999ms).expire();
    CHECK(script.held_packets() == 2);
    script.at(5s).expire();
    script.expect(1, 2, Verdict::drop, Reason::timeout);
    CHECK(script.outcomes(DatagramOutcome::incomplete) == 1);
    REQUIRE(script.losses().size() == 1);
    const auto lost = script.losses()[0];
    CHECK(lost.reason == Reason::timeout);
    CHECK(lost.fragments == 2);
    CHECK(lost.first_seen);
    CHECK_FALSE(lost.last_seen);
    CHECK(lost.message_bytes == 4900);
    CHECK(lost.message.size() == 1480 - 8);
    CHECK(lost.enforced);
}

TEST_CASE("gate: a first fragment whose rule waits less ends what has waited longer", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(4900)), 1480);
    auto policy = shipped_policy();
    Rule hasty = rule("hasty", PacketClass::ike, Action::pass);
    hasty.limits.hold_seconds = 2;
    policy.rules.insert(policy.rules.begin(), hasty);
    GateScript script(policy);
    script.at(0s).feed(pieces[1]).at(3s).feed(pieces[0]);
    script.expect(1, 2, Verdict::drop, Reason::timeout);
    CHECK(script.held_packets() == 0);
}

TEST_CASE("gate: reassemble hands on one packet made of all", "[gate]") {
    auto policy = shipped_policy();
    policy.rules[0].action = Action::reassemble;
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(4900));
    auto pieces = fragments(flow.ends, payload, 1480);
    GateScript script(policy);
    script.feed({pieces[1], pieces[0], pieces[3], pieces[2]});
    script.expect(2, Verdict::replace);
    script.expect(1, Verdict::merge);
    script.expect(3, 4, Verdict::merge, Reason::none);
    const auto rebuilt = script.of(2)->replacement;
    CHECK(Buffer(rebuilt.begin(), rebuilt.end()) == ip(flow.ends, 17, payload));

    SECTION("IPv6 falls back to pass") {
        const auto six = flow6();
        GateScript again(policy);
        again.feed(fragments(six.ends, udp(six, ike_auth(4900)), 1480));
        again.expect(1, 4, Verdict::accept, Reason::none);
        CHECK(again.gate().counters().rule_matches[0][index(Action::pass)].get() == 1);
    }
}
