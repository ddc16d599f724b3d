// SPDX-License-Identifier: GPL-2.0-or-later
// R3 in memory: floods of ten times the table, and what they do to honest handshakes.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <random>
#include <string>

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

/// How much comes beside the honest handshakes.
struct Load {
    std::uint32_t handshakes = 1'000; ///< so that one in a thousand that is lost shows
    std::uint32_t flood = 10;         ///< hostile packets before each honest fragment
};

/// In all, a hundred times the table's datagrams; 40 between a handshake's first fragment and its
/// last, as when 4 000 a second come and a client sends its five within 10 ms.
constexpr Load steady{};
/// Ten times the table within each handshake.
constexpr Load violent{.handshakes = 10, .flood = 1'100};

/// Share of honest 5-fragment IKE_AUTHs that come through.
double survival(const std::function<Buffer(std::uint32_t)>& attack,
                const Flow& honest,
                const Load& load = steady,
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
    std::uint32_t attacks = 0;
    const auto payload = udp(honest, ike_auth(message_bytes));
    const auto step = message_bytes / 5 / 8 * 8 + 24;
    std::uint64_t through = 0;
    for (std::uint32_t i = 0; i < load.handshakes; ++i) {
        const auto before =
            gate.counters().datagrams[0][0].get() + gate.counters().datagrams[1][0].get();
        for (const auto& piece : fragments(honest.ends, payload, step, 1 + i)) {
            for (std::uint32_t j = 0; j < load.flood; ++j) feed(attack(attacks++));
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
    return static_cast<double>(through) / load.handshakes;
}

/// A first fragment of IKE that nothing follows: its checksum need not be right.
Buffer lone_head(const Flow& flow, std::uint32_t id) {
    static const auto payload = udp(flow4(), ike_auth(1'400));
    return fragment(flow.ends, payload, 0, 1000, id);
}

/// Forged copies of the server's answers to this client, their ids apart from the honest ones'.
std::function<Buffer(std::uint32_t)> answers_to(const IpAddress& client) {
    auto forged = reversed(flow4());
    forged.ends.destination = client;
    return [forged](std::uint32_t i) { return lone_head(forged, 2'000 + i % 60'000); };
}

/// Limits of which only the one named binds.
Policy bound_by(const std::string& limit) {
    auto policy = shipped_policy();
    auto& limits = policy.limits;
    if (limit == "table_datagrams") return policy;
    limits.table_datagrams = 4'096;
    limits.table_packets = limit == "table_packets" ? 512 : 4'096;
    if (limit == "table_bytes") limits.table_bytes = 2u << 20;
    return policy;
}

} // namespace

TEST_CASE("R3: a flood from one source", "[gate][fairness]") {
    auto attacker = flow4();
    attacker.ends.source = address("192.0.2.66");
    const auto attack = [&](std::uint32_t i) { return lone_head(attacker, i); };
    CHECK(survival(attack, flow4()) >= 0.999);
    CHECK(survival(attack, flow4(), violent) == 1.0);
}

TEST_CASE("R3: a flood from one IPv6 source", "[gate][fairness]") {
    // A /64 is one: whoever has it may take any of its addresses.
    auto attacker = flow6();
    attacker.ends.source = address("2001:db8:bad::1");
    const auto attack = [&](std::uint32_t i) {
        attacker.ends.source.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        attacker.ends.source.bytes[15] = static_cast<std::uint8_t>(i);
        return lone_head(attacker, i);
    };
    CHECK(survival(attack, flow6()) >= 0.999);
    CHECK(survival(attack, flow6(), violent) == 1.0);
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
        CHECK(survival(attack, flow4(), {.handshakes = 100}, bytes) >= 0.99);
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

TEST_CASE("R3: forged answers to the very client whose answer is on its way", "[gate][fairness]") {
    const auto honest = reversed(flow4());
    const auto forged = answers_to(honest.ends.destination);
    CHECK(survival(forged, honest) >= 0.999);
    // They count as one source with the true answer, the oldest goes first: it stands as many
    // between its first fragment and its last as the table has room for.
    CHECK(survival(forged, honest, {.handshakes = 10, .flood = 120}) == 1.0);
    // However many there are, other clients' answers do not suffer.
    CHECK(survival(answers_to(from_number(1)), honest, violent) == 1.0);
}

TEST_CASE("R3: proven sources and servers keep half of the table", "[gate][fairness]") {
    const std::string limit = GENERATE("table_datagrams", "table_packets", "table_bytes");
    const bool servers = GENERATE(false, true);
    INFO(limit << (servers ? ", a server's own" : ", proven sources"));
    constexpr std::uint32_t many = 2'000;
    const auto first_proven = many;
    std::vector<IpAddress> proven;
    for (std::uint32_t i = 0; i < many && !servers; ++i)
        proven.push_back(from_number(first_proven + i));
    GateScript script(bound_by(limit));
    script.gate().set_proven_sources(std::make_shared<const std::vector<IpAddress>>(proven));
    const auto& counters = script.gate().counters();
    const auto flow_of_client = [&](std::uint32_t number, bool from_server) {
        auto flow = flow4();
        flow.ends.source = from_number(number);
        return from_server ? reversed(flow) : flow;
    };
    const auto mine = flow_of_client(first_proven, servers);
    const auto pieces = fragments(mine.ends, udp(mine, ike_auth(1'992)), 1000, 1);
    script.feed(pieces[0]);
    for (std::uint32_t i = 0; i < many; ++i) script.feed(lone_head(flow_of_client(i, false), i));
    CHECK(script.is_held(1));
    const auto evicted = counters.evictions.get();
    const auto ordinary = counters.held_datagrams.get() - 1;
    REQUIRE(evicted == many - ordinary); // the limit was met
    // Who the other half is kept for finds it: as much again, and nobody makes way.
    const auto before = script.fed();
    for (std::uint32_t i = 1; i < ordinary; ++i)
        script.feed(lone_head(flow_of_client(first_proven + i, servers), i));
    CHECK(counters.evictions.get() == evicted);
    CHECK(counters.held_datagrams.get() == 2 * ordinary);
    for (auto number = before + 1; number <= script.fed(); ++number) CHECK(script.is_held(number));
    if (limit == "table_datagrams") CHECK(ordinary == 512 / 2);
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
