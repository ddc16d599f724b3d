// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <numeric>

/// Who has shown that he receives (DESIGN §9): what one host can teach about another's address.
using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");
const Spi other_responder = spi("8899aabbccddee66");
const Endpoint victim{address("192.0.2.99"), 500};
/// The attacker chooses both, and what he says of himself.
const InitOptions forged{.group = 19, .key_bytes = 64};
const InitOptions silent{.fragmentation = false};

Policy with_server(const std::string& address) {
    Policy policy;
    Server server;
    server.name = "vpn1";
    server.addresses = {*parse_prefix(address)};
    policy.servers.push_back(server);
    return policy;
}

ByteVector auth(const Spi& to = responder) { return encrypted_message(initiator, to, {}); }

/// script.client is the attacker; a packet of `victim` is forged by him.
void open_as_victim(TrackerScript& script, Duration at, const ByteVector& request) {
    script.at(at).send(victim, script.server, request);
}

/// The attacker opens in his own name, is answered and goes on.
void go_on(TrackerScript& script, Duration at) {
    script.at(at).from_client(sa_init_request(initiator, silent));
    script.at(at + 2ms).from_server(sa_init_response(initiator, responder, silent));
    script.at(at + 8ms).from_client(auth());
}

ByteVector main_mode(const Spi& to, std::uint32_t seed) {
    auto builder = IkeBuilder::v1(2);
    builder.spis(initiator, to).payload(4, noise(128, seed)).payload(10, noise(32, seed + 1));
    return builder.build();
}

bool is_proven(const TrackerScript& script, const IpAddress& address) {
    const auto proven = script.tracker.proven_sources();
    return std::find(proven->begin(), proven->end(), address) != proven->end();
}

bool is_known(const TrackerScript& script, const IpAddress& address) {
    const bool known = script.tracker.find_peer(address) != nullptr;
    CHECK(known == is_proven(script, address));
    return known;
}

struct Case {
    std::string name;
    void (*play)(TrackerScript&);
    bool attacker_known;
};

} // namespace

TEST_CASE("proof: nobody teaches about an address that is not his", "[tracker]") {
    const Case cases[] = {
        {"whose opening got INVALID_KE_PAYLOAD",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, forged));
             s.at(2ms).send(s.server, victim, sa_init_refusal(initiator, 17, hex("0013")));
             go_on(s, 1s);
         }, true },
        {"whose opening got COOKIE",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, forged));
             s.at(2ms).send(s.server, victim, sa_init_refusal(initiator, 16390, noise(20, 3)));
             go_on(s, 1s);
         }, true },
        {"whose opening got nothing",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, forged));
             go_on(s, 1s);
         }, true },
        {"whose opening has the same bytes",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, silent));
             go_on(s, 1s);
         }, true },
        {"whose opening has the same bytes and came at once",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, silent));
             go_on(s, 1ms);
         }, false},
        {"whose opening has the same bytes and came at once, live",
         [](TrackerScript& s) {
             s.tracker.set_live_since(script_start);
             open_as_victim(s, 0ms, sa_init_request(initiator, silent));
             go_on(s, 1ms);
         }, true },
        {"and only the first fragment of his IKE_AUTH comes",
         [](TrackerScript& s) {
             static const auto large = encrypted_message(initiator, responder, {.bytes = 4000});
             open_as_victim(s, 0ms, sa_init_request(initiator, forged));
             s.at(1s).from_client(sa_init_request(initiator, silent));
             s.at(1s + 2ms).from_server(sa_init_response(initiator, responder, silent));
             s.at(7s).lost(first_only(s, large));
         }, true },
        {"that was answered, with its answer given to him too",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator));
             s.at(2ms).send(s.server, victim, sa_init_response(initiator, responder));
             s.at(1s).from_client(sa_init_request(initiator));
             s.at(1s + 2ms).from_server(sa_init_response(initiator, responder));
             s.at(1s + 8ms).send(victim, s.server, auth());
             s.at(1s + 9ms).from_client(auth());
         }, false},
        {"that was answered, with its answer given to him at once",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator));
             s.at(1ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(s.server, victim, sa_init_response(initiator, responder));
             s.at(3ms).from_server(sa_init_response(initiator, responder));
             s.at(8ms).send(victim, s.server, auth());
         }, false},
        {"that was answered, live, after him and at once",
         [](TrackerScript& s) {
             s.tracker.set_live_since(script_start);
             open_as_victim(s, 0ms, sa_init_request(initiator));
             s.at(1ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_response(initiator, responder));
             s.at(3ms).send(s.server, victim, sa_init_response(initiator, responder));
             s.at(8ms).send(victim, s.server, auth());
         }, false},
        {"that was answered before him, otherwise",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator, forged));
             s.at(1ms).from_client(sa_init_request(initiator, silent));
             s.at(2ms).send(s.server, victim, sa_init_response(initiator, responder));
             s.at(3ms).from_server(sa_init_response(initiator, other_responder));
             s.at(8ms).from_client(auth(other_responder));
             s.at(60ms).send(victim, s.server, auth(other_responder));
         }, false},
        {"that was answered: he cannot speak for it",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, sa_init_request(initiator));
             s.at(2ms).send(s.server, victim, sa_init_response(initiator, responder));
             s.at(8ms).from_client(auth());
         }, false},
        {"in IKEv1",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, main_mode({}, 1));
             s.at(1s).from_client(main_mode({}, 5));
             s.at(1s + 2ms).from_server(main_mode(responder, 10));
             s.at(1s + 4ms).from_client(main_mode(responder, 20));
         }, true },
        {"in IKEv1, with a responder SPI he made up",
         [](TrackerScript& s) {
             open_as_victim(s, 0ms, main_mode({}, 1));
             s.at(1ms).send(victim, s.server, main_mode(other_responder, 20));
             s.at(2ms).send(s.server, victim, main_mode(responder, 10));
             s.at(4ms).send(victim, s.server, main_mode(other_responder, 30));
         }, false},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            c.play(script);
            script.end();
            CHECK_FALSE(is_known(script, victim.address));
            CHECK(is_known(script, script.client.address) == c.attacker_known);
            if (c.attacker_known) CHECK(script.handshake().client == script.client);
        }
    }
}

TEST_CASE("proof: a timeline that has forgotten shows nothing", "[tracker]") {
    TrackerLimits limits;
    limits.messages_per_handshake = 8;
    TrackerScript script({}, limits);
    open_as_victim(script, 0ms, sa_init_request(initiator));
    script.at(2ms).send(script.server, victim, sa_init_response(initiator, responder));
    script.at(1s).from_client(sa_init_request(initiator));
    script.at(1s + 2ms).from_server(sa_init_response(initiator, responder));
    for (std::uint32_t i = 0; i < 10; ++i)
        script.at(2s + i * 10ms)
            .from_client(encrypted_message(initiator, other_responder, {.id = 9, .seed = i}));
    script.at(3s).send(victim, script.server, auth());
    script.end();
    CHECK(script.handshake().messages_forgotten > 0);
    CHECK(script.tracker.peer_count() == 0);
}

TEST_CASE("proof: what a real peer can do stays what it said", "[tracker]") {
    TrackerScript script;
    const auto own = spi("aa11223344556677");
    script.at(0ms).send(victim, script.server, sa_init_request(own));
    script.at(2ms).send(script.server, victim, sa_init_response(own, responder));
    script.at(8ms).send(victim, script.server, encrypted_message(own, responder, {}));
    script.expire(1s);
    REQUIRE(script.tracker.find_peer(victim.address));
    SECTION("whoever opens in its name and goes on in his own") {
        open_as_victim(script, 2s, sa_init_request(initiator, silent));
        script.at(2s + 2ms).send(
            script.server, victim, sa_init_refusal(initiator, 17, hex("0013")));
        go_on(script, 3s);
    }
    SECTION("whoever opens with its SPI before it is answered") {
        script.at(2s).send(victim, script.server, sa_init_request(initiator));
        script.at(2s + 1ms).from_client(sa_init_request(initiator, silent));
        script.at(2s + 2ms).send(script.server, victim, sa_init_response(initiator, responder));
        script.at(2s + 8ms).send(victim, script.server, auth());
    }
    script.end();
    CHECK(script.tracker.find_peer(victim.address)->capability.fragmentation == Fragmentation::ike);
    CHECK_FALSE(script.tracker.find_peer(victim.address)->fragmentation_changed);
}

TEST_CASE("proof: the server that is stored is the one that answered", "[tracker]") {
    TrackerScript script(with_server("203.0.113.5"));
    const Endpoint asked_first{address("203.0.113.77"), 500};
    script.at(0ms).send(script.client, asked_first, sa_init_request(initiator));
    go_on(script, 1s);
    script.expire(2s);
    const auto running = [&script](std::size_t row) {
        const auto& stages = script.tracker.server_totals().at(row).in_progress;
        return std::accumulate(stages.begin(), stages.end(), std::uint64_t{0});
    };
    CHECK(running(0) == 1);
    CHECK(running(1) == 0); // unlisted
    script.end();
    CHECK(running(0) == 0);
    CHECK(script.handshake().server_index == 0);
    CHECK_FALSE(is_known(script, asked_first.address));
    CHECK(is_known(script, script.server.address));
    CHECK(script.handshake().server == script.server);
}

TEST_CASE("proof: who came first does not make a server a client", "[tracker]") {
    TrackerScript configured(with_server("203.0.113.5"));
    TrackerScript unlisted;
    auto* script = &configured;
    SECTION("in a server's name") {
        script->at(0ms).send(script->server, victim, sa_init_request(initiator, {.windows = true}));
    }
    SECTION("as if not the initiator's") {
        script = &unlisted;
        script->at(0ms).from_client(
            encrypted_message(initiator, responder, {.exchange = 37, .from_initiator = false}));
    }
    go_on(*script, 1s);
    script->at(1s + 9ms).from_server(encrypted_message(
        initiator, responder, {.exchange = 37, .id = 0, .from_initiator = false}));
    script->end();
    CHECK(script->tracker.peer_count() == 2);
    REQUIRE(script->tracker.find_peer(script->server.address));
    CHECK(script->tracker.find_peer(script->server.address)->role == PeerRole::server);
    REQUIRE(script->tracker.find_peer(script->client.address));
    const auto handshake = script->handshake();
    CHECK(handshake.client_is_initiator);
    CHECK(handshake.server_side.vendor.empty());
    CHECK(handshake.messages[1].direction == Direction::to_server);
    CHECK(handshake.client_side.fragmentation == Fragmentation::none);
    CHECK(handshake.server_side.fragmentation == Fragmentation::none);
    REQUIRE(handshake.messages.size() == 5);
    for (const auto& record : handshake.messages)
        if (record.source == script->server && record.destination == script->client)
            CHECK(record.direction == Direction::to_peer);
}

TEST_CASE("proof: a client that really receives has it", "[tracker]") {
    const Case cases[] = {
        {"after INVALID_KE_PAYLOAD",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator, forged));
             s.at(2ms).from_server(sa_init_refusal(initiator, 17, hex("001f")));
             go_on(s, 4ms);
         }, true},
        {"after COOKIE",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 16390, noise(20, 3)));
             s.at(4ms).from_client(sa_init_request(initiator, {.cookie = noise(20, 3)}));
             s.at(6ms).from_server(sa_init_response(initiator, responder));
             s.at(8ms).from_client(auth());
         }, true},
        {"that moves to port 4500 behind a NAT that takes another port",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_response(initiator, responder));
             s.client.port = 34'567;
             s.server.port = 4500;
             s.at(8ms).from_client(auth());
         }, true},
        {"whose address a NAT changed before it was answered",
         [](TrackerScript& s) {
             s.at(0ms).send(victim, s.server, sa_init_request(initiator));
             s.at(2s).from_client(sa_init_request(initiator));
             s.at(2s + 2ms).from_server(sa_init_response(initiator, responder));
             s.at(2s + 8ms).from_client(auth());
         }, true},
        {"whose answer was sent twice",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_response(initiator, responder));
             s.at(1s).from_client(sa_init_request(initiator));
             s.at(1s + 2ms).from_server(sa_init_response(initiator, responder));
             s.at(1s + 8ms).from_client(auth());
         }, true},
        {"of a server behind our DNAT",
         [](TrackerScript& s) {
             const auto request = sa_init_request(initiator);
             const auto answer = sa_init_response(initiator, responder);
             const Endpoint inside{address("10.0.0.5"), 500};
             s.at(0ms).from_client(request);
             s.at(1ms).send(s.client, inside, request, {.leg = Leg::postrouting});
             s.at(2ms).send(inside, s.client, answer);
             s.at(3ms).send(s.server, s.client, answer, {.leg = Leg::postrouting});
             s.at(8ms).from_client(auth());
         }, true},
        {"that we masquerade",
         [](TrackerScript& s) {
             const auto request = sa_init_request(initiator);
             const auto answer = sa_init_response(initiator, responder);
             const Endpoint outside{address("192.0.2.1"), 61'234};
             s.at(0ms).from_client(request);
             s.at(1ms).send(outside, s.server, request, {.leg = Leg::postrouting});
             s.at(2ms).send(s.server, outside, answer);
             s.at(3ms).from_server(answer, {.leg = Leg::postrouting});
             s.at(8ms).from_client(auth());
         }, true},
        {"that is masqueraded, in a capture of both sides",
         [](TrackerScript& s) {
             const auto request = sa_init_request(initiator);
             const auto answer = sa_init_response(initiator, responder);
             const Endpoint outside{address("192.0.2.1"), 61'234};
             s.at(0ms).from_client(request);
             s.at(1ms).send(outside, s.server, request);
             s.at(2ms).send(s.server, outside, answer);
             s.at(3ms).from_server(answer);
             s.at(8ms).from_client(auth());
         }, true},
        {"in IKEv1",
         [](TrackerScript& s) {
             s.at(0ms).from_client(main_mode({}, 1));
             s.at(2ms).from_server(main_mode(responder, 10));
             s.at(4ms).from_client(main_mode(responder, 20));
         }, true},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            c.play(script);
            script.end();
            CHECK(is_known(script, script.client.address));
            CHECK(is_known(script, address("203.0.113.5")));
            CHECK(script.handshake().client.address == script.client.address);
        }
    }
}
