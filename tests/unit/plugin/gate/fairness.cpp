// SPDX-License-Identifier: GPL-2.0-or-later
// R3 in memory: floods of ten times the table, and what they do to honest handshakes.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <random>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

IpAddress from_number(std::uint32_t number) {
    return IpAddress::v4(std::array<std::uint8_t, 4>{static_cast<std::uint8_t>(11 + (number >> 24)),
                                                     static_cast<std::uint8_t>(number >> 16),
                                                     static_cast<std::uint8_t>(number >> 8),
                                                     static_cast<std::uint8_t>(number)});
}

/// Share of honest 5-fragment IKE_AUTHs that come through while each of their fragments is
/// followed by so many of the attacker's: in all, ten times the table.
double survival(const std::function<Buffer(std::uint32_t)>& attack,
                const Flow& honest,
                std::uint32_t message_bytes = 4'900) {
    auto policy = std::make_shared<const Policy>(shipped_policy(Mode::guard));
    Gate gate(policy, {9, 8, 7});
    GateOutput out;
    auto now = start_of_script;
    std::uint32_t number = 0;
    const auto feed = [&](const Buffer& bytes) {
        Packet packet;
        packet.id.value = ++number;
        packet.bytes = bytes;
        now += 20us;
        gate.feed(packet, now, out);
    };
    constexpr std::uint32_t handshakes = 100;
    const std::uint32_t flood = 10 * policy->limits.table_datagrams / (handshakes * 5);
    std::uint32_t attacks = 0;
    const auto payload = udp(honest, ike_auth(message_bytes));
    const auto step = message_bytes / 5 / 8 * 8 + 24;
    std::uint64_t through = 0;
    for (std::uint32_t i = 0; i < handshakes; ++i) {
        const auto before =
            gate.counters().datagrams[0][0].get() + gate.counters().datagrams[1][0].get();
        for (const auto& piece : fragments(honest.ends, payload, step, 1 + i)) {
            for (std::uint32_t j = 0; j < flood; ++j) feed(attack(attacks++));
            feed(piece);
        }
        through +=
            gate.counters().datagrams[0][0].get() + gate.counters().datagrams[1][0].get() - before;
        out.clear();
        const auto memory = gate.memory();
        REQUIRE(memory.fixed_bytes + memory.held_bytes <= policy->limits.table_bytes);
        REQUIRE(gate.counters().held_packets.get() <= policy->limits.table_packets);
        REQUIRE(gate.counters().held_datagrams.get() <= policy->limits.table_datagrams);
    }
    // Chosen keys meet nowhere: the hash is keyed.
    CHECK(gate.mean_probes() <= 2.0);
    return static_cast<double>(through) / handshakes;
}

/// A first fragment of IKE that nothing follows.
Buffer lone_head(const Flow& flow, std::uint32_t id) {
    static const auto body = ike_auth(1'400);
    return fragment(flow.ends, udp(flow, body), 0, 1000, id);
}

} // namespace

TEST_CASE("R3: a flood from one source", "[gate][fairness]") {
    auto attacker = flow4();
    attacker.ends.source = address("192.0.2.66");
    CHECK(survival([&](std::uint32_t i) { return lone_head(attacker, i); }, flow4()) >= 0.999);
}

TEST_CASE("R3: a flood from 10 000 spoofed sources", "[gate][fairness]") {
    auto attacker = flow4();
    CHECK(survival(
              [&](std::uint32_t i) {
                  attacker.ends.source = from_number(i * 2'654'435'761u % 10'000);
                  return lone_head(attacker, i);
              },
              flow4()) >= 0.99);
}

TEST_CASE("R3: long messages through a flood from 10 000 spoofed sources", "[gate][fairness]") {
    auto attacker = flow4();
    const auto attack = [&](std::uint32_t i) {
        attacker.ends.source = from_number(i * 2'654'435'761u % 10'000);
        return lone_head(attacker, i);
    };
    for (const std::uint32_t bytes : {1'900u, 6'900u, 9'900u, 15'900u})
        CHECK(survival(attack, flow4(), bytes) >= 0.99);
}

TEST_CASE("R3: a flood from one IPv6 /48", "[gate][fairness]") {
    auto attacker = flow6();
    attacker.ends.source = address("2001:db8:bad::1");
    CHECK(survival(
              [&](std::uint32_t i) {
                  attacker.ends.source.bytes[6] = static_cast<std::uint8_t>(i >> 8);
                  attacker.ends.source.bytes[7] = static_cast<std::uint8_t>(i);
                  return lone_head(attacker, i);
              },
              flow6()) >= 0.999);
}

TEST_CASE("R3: a flood of spoofed copies of the server's address", "[gate][fairness]") {
    auto attacker = reversed(flow4());
    CHECK(survival(
              [&](std::uint32_t i) {
                  attacker.ends.destination = from_number(i % 4'000);
                  return lone_head(attacker, i);
              },
              reversed(flow4())) >= 0.99);
}

TEST_CASE("R3: proven sources keep half of the table", "[gate][fairness]") {
    const auto flow = flow4();
    GateScript script;
    script.gate().set_proven_sources(
        std::make_shared<const std::vector<IpAddress>>(1, flow.ends.source));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1'992)), 1000);
    script.feed(pieces[0]);
    auto attacker = flow;
    for (std::uint32_t i = 0; i < 2'000; ++i) {
        attacker.ends.source = from_number(i);
        script.feed(lone_head(attacker, i));
    }
    CHECK(script.is_held(1));
    CHECK(script.gate().counters().evictions.get() > 1'000);
    CHECK(script.gate().counters().held_datagrams.get() == 512 / 2 + 1);
    script.feed(pieces[1]);
    script.expect(1, 1, Verdict::accept, Reason::none);
}

TEST_CASE("gate: who would be the heaviest makes room himself", "[gate][fairness]") {
    // Two sources hold as much as each other, the table is full: the one that wants more gives up
    // its own.
    auto policy = shipped_policy();
    policy.limits.table_datagrams = 16; // 8 in the half of sources that are not proven
    GateScript script(policy);
    auto other = flow4();
    other.ends.source = from_number(1);
    const auto mine = flow4();
    for (std::uint32_t id = 1; id <= 4; ++id) script.feed(lone_head(other, id));
    for (std::uint32_t id = 1; id <= 5; ++id) script.feed(lone_head(mine, id));
    CHECK(script.held_packets() == 8);
    for (std::uint32_t number = 1; number <= 4; ++number) CHECK(script.is_held(number));
    script.expect(5, Verdict::drop, Reason::evicted);
}

TEST_CASE("gate: a source has its share and no more", "[gate][fairness]") {
    const auto flow = flow4();
    GateScript script;
    for (std::uint32_t id = 1; id <= 9; ++id) script.feed(lone_head(flow, id));
    CHECK(script.held_packets() == 8);
    script.expect(1, Verdict::drop, Reason::source_limit); // its oldest makes way
    CHECK(script.is_held(9));
    script.feed(fragment(flow.ends, udp(flow, ike_auth(1'400)), 1000, 1408, 1));
    script.expect(10, Verdict::drop, Reason::source_limit);
    CHECK(script.outcomes(DatagramOutcome::refused) == 1);
    CHECK(script.gate().counters().evictions.get() == 0); // those are for want of room
    SECTION("nor one datagram more than its share") {
        auto policy = shipped_policy();
        policy.limits.source_packets = 4;
        GateScript script4(policy);
        script4.feed(fragments(flow.ends, udp(flow, ike_auth(4'992)), 1'000));
        script4.expect(1, 5, Verdict::drop, Reason::source_limit);
    }
    SECTION("a server's own are exempt") {
        GateScript server;
        for (std::uint32_t id = 1; id <= 100; ++id) server.feed(lone_head(reversed(flow), id));
        CHECK(server.held_packets() == 100);
    }
    SECTION("an IPv6 /64 is one source") {
        auto six = flow6();
        GateScript script6;
        for (std::uint32_t id = 1; id <= 9; ++id) {
            six.ends.source.bytes[15] = static_cast<std::uint8_t>(id);
            script6.feed(lone_head(six, id));
        }
        CHECK(script6.held_packets() == 8);
    }
}

TEST_CASE("gate: memory goes back to nothing and is bounded by the limit", "[gate][memory]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    auto policy = shipped_policy();
    policy.limits.table_bytes = 4u << 20;
    Gate gate(std::make_shared<const Policy>(policy), {3});
    GateOutput out;
    auto flow = flow4();
    const auto payload = udp(flow, ike_auth(16'000));
    auto now = start_of_script;
    for (std::uint32_t i = 0; i < 3'000; ++i) {
        flow.ends.source = from_number(static_cast<std::uint32_t>(random()) % 3'000);
        const auto begin = static_cast<std::uint32_t>(random()) % 1'900 * 8;
        const auto bytes = fragment(flow.ends, payload, begin, begin + 800, i % 500);
        Packet packet;
        packet.id.value = i;
        packet.bytes = bytes;
        now += 1ms;
        gate.feed(packet, now, out);
        const auto memory = gate.memory();
        REQUIRE(memory.held_bytes == gate.counters().held_bytes.get());
        REQUIRE(memory.fixed_bytes + memory.held_bytes <= policy.limits.table_bytes);
        REQUIRE(memory.held_bytes <= memory.reserved_bytes);
        out.clear();
    }
    gate.expire(now + 5s, out);
    CHECK(gate.memory().held_bytes == 0);
    CHECK(gate.counters().held_packets.get() == 0);
    CHECK_FALSE(gate.next_deadline());
}
