// SPDX-License-Identifier: GPL-2.0-or-later
// Which way a fragment goes where nobody can know yet what its datagram is.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

TEST_CASE("route: after a start tails without a first fragment are let go for a while", "[gate]") {
    // Their first fragments passed before we were there to see them.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto payload = udp(flow, ike_auth(1'992));
    GateScript script(shipped_policy(mode));
    script.gate().accept_headless_until(start_of_script + 5s);
    SECTION("within the while; IKE's first fragment goes the way its tail went") {
        script.feed(fragment(flow.ends, payload, 1'000, 2'000));
        script.expect(1, Verdict::accept);
        script.feed(fragment(flow.ends, payload, 0, 1'000));
        script.expect(2, Verdict::accept);
        CHECK(script.of(2)->packet_class == PacketClass::ike);
    }
    SECTION("another class gets its own rule's answer, and so do its later tails") {
        auto dns = flow;
        dns.source_port = dns.destination_port = 53;
        const auto other = udp(dns, Buffer(2'992, 9));
        script.feed(fragment(flow.ends, other, 1'000, 2'000));
        script.expect(1, Verdict::accept);
        script.feed(fragment(flow.ends, other, 0, 1'000));
        script.feed(fragment(flow.ends, other, 2'000, 3'000));
        const bool drops = mode == Mode::exclusive;
        script.expect(
            2, 3, drops ? Verdict::drop : Verdict::accept, drops ? Reason::policy : Reason::none);
        CHECK(script.of(3)->packet_class == PacketClass::other);
    }
    SECTION("ESP in UDP is left, and shown as ESP that flowed") {
        auto tunnel = flow;
        tunnel.source_port = tunnel.destination_port = 4500;
        const auto data = udp(tunnel, esp(1'992));
        script.feed(fragment(flow.ends, data, 1'000, 2'000))
            .feed(fragment(flow.ends, data, 0, 1'000));
        script.expect(1, 2, Verdict::accept, Reason::none);
        CHECK(script.all_of<EspSeen>().size() == 1);
    }
    SECTION("then they are held again") {
        script.at(5s).feed(fragment(flow.ends, payload, 1'000, 2'000));
        CHECK(script.is_held(1));
    }
}

TEST_CASE("route: IPv4's protocols need no first fragment to be known", "[gate]") {
    const auto flow = flow4();
    const Buffer bytes(1'992, 5);
    auto policy = shipped_policy(Mode::exclusive);
    SECTION("tails of a protocol nobody allows") {
        GateScript script(policy);
        script.feed(fragment(flow.ends, bytes, 1'000, 1'992, 7, 47));
        script.expect(1, Verdict::drop, Reason::policy);
        CHECK(script.of(1)->packet_class == PacketClass::other);
    }
    SECTION("ESP's are left by the shipped rule") {
        GateScript script(policy);
        script.feed(fragment(flow.ends, bytes, 1'000, 1'992, 7, 50));
        script.expect(1, Verdict::accept);
        CHECK(script.of(1)->packet_class == PacketClass::esp);
    }
    SECTION("or held until they are whole, where a rule says pass") {
        policy.rules.insert(policy.rules.begin(),
                            rule("whole-esp", PacketClass::esp, Action::pass));
        GateScript script(policy);
        script.feed(fragment(flow.ends, bytes, 1'000, 1'992, 7, 50));
        CHECK(script.is_held(1));
        script.feed(fragment(flow.ends, bytes, 0, 1'000, 7, 50));
        script.expect(1, 2, Verdict::accept, Reason::none);
        CHECK(script.outcomes(DatagramOutcome::complete) == 1);
    }
    SECTION("or dropped") {
        policy.rules.insert(policy.rules.begin(), rule("no-esp", PacketClass::esp, Action::drop));
        GateScript script(policy);
        script.feed(fragment(flow.ends, bytes, 1'000, 1'992, 7, 50));
        script.expect(1, Verdict::drop, Reason::policy);
    }
}

TEST_CASE("route: without a configured server the message tells which way it goes", "[gate]") {
    struct Row {
        const char* name;
        Buffer message;
        std::uint16_t source_port;
        std::uint16_t destination_port;
        bool to_server;
    };
    const auto i = spi("0011223344556677");
    const auto r = spi("8899aabbccddeeff");
    const auto request =
        IkeBuilder::v2(35).spis(i, r).id(1).from_initiator().encrypted(1'900).build();
    const auto answer = IkeBuilder::v2(35).spis(i, r).id(1).response().encrypted(1'900).build();
    const auto main_mode = IkeBuilder::v1(2).spis(i).vendor(Buffer(1'900, 1)).build();
    const auto later = IkeBuilder::v1(2).spis(i, r).encrypted(1'900).build();
    const Row rows[] = {
        {"version 2, of the initiator", request,   500,    500,    true },
        {"version 2, of the responder", answer,    500,    500,    false},
        {"version 1, the very first",   main_mode, 500,    500,    true },
        {"version 1, to an IKE port",   later,     40'000, 4500,   true },
        {"version 1, from an IKE port", later,     4500,   40'000, false},
        {"version 1, both",             later,     500,    500,    true },
    };
    for (const auto& row : rows) {
        INFO(row.name);
        auto policy = shipped_policy();
        policy.servers.clear();
        Rule way = rule("to-server", PacketClass::ike, Action::drop);
        way.match.direction = Direction::to_server;
        policy.rules.insert(policy.rules.begin(), way);
        auto flow = flow4(row.source_port, row.destination_port);
        const bool behind_marker = row.source_port == 4500 || row.destination_port == 4500;
        GateScript script(policy);
        script.feed(fragments(
            flow.ends, udp(flow, behind_marker ? marked(row.message) : row.message), 1'000));
        CHECK((script.of(1)->verdict == Verdict::drop) == row.to_server);
    }
}

TEST_CASE("route: a server may be a network; an IPv6 one of 32 bits is no single address",
          "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    auto policy = shipped_policy();
    policy.servers[0].addresses = {prefix("203.0.113.0/24"), prefix("2001:db8::/32")};
    GateScript script(policy);
    script.feed(fragment(flow.ends, udp(flow, ike_auth(1'992)), 1'000, 2'000));
    CHECK(script.is_held(1));
}

TEST_CASE("route: a first fragment that ends before the marker leaves it to the next", "[gate]") {
    // On IPv6 only: without a header in front of UDP the next would begin at octet 8 (RFC 3128).
    const auto flow = flow6(4500, 4500);
    const Buffer options{17, 0, 1, 4, 0, 0, 0, 0};
    const auto payload = options + udp(flow, marked(ike_auth(1'992)));
    auto policy = shipped_policy();
    policy.limits.min_first_bytes = 8;
    GateScript script(policy);
    script.feed(fragment(flow.ends, payload, 0, 16, 7, 60));
    script.feed(fragment(flow.ends, payload, 16, 2'012, 7, 60));
    script.expect(1, 2, Verdict::accept, Reason::none);
    REQUIRE(script.messages().size() == 1);
    CHECK(script.messages()[0].marked);
    CHECK(script.messages()[0].message_bytes == 1'992);
}
