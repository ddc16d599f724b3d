// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

/// Order of time, and bounds of everything strangers can grow.
using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi responder = spi("8899aabbccddeeff");

Spi numbered(std::uint32_t number) {
    Spi result = spi("00112233445566ff");
    for (unsigned i = 0; i < 4; ++i) result[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
    result[7] = 1;
    return result;
}

Endpoint client_of(std::uint32_t number) {
    Endpoint client{address("10.0.0.0"), 500};
    for (unsigned i = 1; i < 4; ++i)
        client.address.bytes[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
    return client;
}

/// IKE_SA_INIT and IKE_AUTH of a client that receives.
void attempt(TrackerScript& script, const Endpoint& client, std::uint32_t number, Duration at) {
    const auto initiator = numbered(number);
    script.client = client;
    script.at(at).from_client(sa_init_request(initiator));
    script.at(at + 1ms).from_server(sa_init_response(initiator, responder));
    script.at(at + 2ms).from_client(
        encrypted_message(initiator, responder, {.bytes = 200, .seed = number}));
}

void attempt(TrackerScript& script, std::uint32_t number, Duration at) {
    attempt(script, client_of(number), number, at);
}

} // namespace

TEST_CASE("window: observations are followed in order of their time", "[tracker]") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto initiator = numbered(1);
    struct Step {
        Duration at;
        bool by_client;
        ByteVector message;
    };
    std::vector<Step> steps{
        {0ms,                         true,                                   sa_init_request(initiator)},
        {    5ms,                    false,                             sa_init_response(initiator,                           responder)},
        { 10ms, true,                                                     encrypted_message(initiator,                                                                               responder, {})},
        { 15ms,
         false, encrypted_message(
             initiator,                           responder, {.response = true, .from_initiator = false, .seed = 2})},
        { 30ms, true,                              encrypted_message(initiator,                                                        responder, {.exchange = 36, .id = 2})},
    };
    for (int round = 0; round < 50; ++round) {
        std::shuffle(steps.begin(), steps.end(), random);
        TrackerScript script;
        for (const auto& step : steps) {
            script.at(step.at);
            step.by_client ? script.from_client(step.message) : script.from_server(step.message);
        }
        const auto handshake = script.at(30ms).end().handshake();
        CHECK(handshake.outcome == Outcome::established);
        CHECK_FALSE(handshake.half_view);
        CHECK(std::is_sorted(handshake.messages.begin(),
                             handshake.messages.end(),
                             [](const auto& a, const auto& b) { return a.time < b.time; }));
    }
}

TEST_CASE("window: nothing is followed before it can be in order", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(numbered(1)));
    CHECK(script.handshakes().empty());
    CHECK(script.tracker.next_deadline() == script_start + 50ms);
    script.expire(49ms);
    CHECK(script.handshakes().empty());
    script.expire(50ms);
    CHECK(script.handshakes().size() == 1);
}

TEST_CASE("window: what comes too late is followed all the same", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(numbered(1)));
    script.at(10s).from_client(encrypted_message(numbered(1), responder, {.bytes = 200}));
    script.expire(11s);
    script.at(2ms).from_server(sa_init_response(numbered(1), responder));
    script.expire(12s);
    CHECK(script.handshakes().at(0).messages.size() == 3);
}

TEST_CASE("bounds: handshakes of strangers push out strangers first", "[tracker]") {
    TrackerLimits limits;
    limits.handshakes = 100;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 40; ++i) attempt(script, 1'000 + i, 1ms * i);
    for (std::uint32_t i = 0; i < 5'000; ++i) {
        script.client = client_of(100'000 + i);
        script.at(1s + 1ms * i).from_client(sa_init_request(numbered(100'000 + i)));
    }
    script.expire(7s);
    CHECK(script.tracker.handshake_count() == 100);
    CHECK(script.tracker.totals().evicted_handshakes == 4'940);
    unsigned proven = 0;
    for (const auto& handshake : script.handshakes()) proven += handshake.proven ? 1 : 0;
    CHECK(proven == 40);
    CHECK(script.tracker.peer_count() == 41);
    CHECK(script.tracker.handshakes_in_progress() == 100);
    script.expire(200s);
    CHECK(script.tracker.handshakes_in_progress() == 0);
}

TEST_CASE("bounds: those who showed themselves cannot push out all the others", "[tracker]") {
    TrackerLimits limits;
    limits.handshakes = 100;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 300; ++i) attempt(script, i, 1ms * i);
    script.client = client_of(9'999);
    script.at(1s).from_client(sa_init_request(numbered(9'999)));
    script.at(1s + 1ms).from_server(sa_init_response(numbered(9'999), responder));
    script.expire(2s);
    CHECK(script.tracker.handshake_count() == 100);
    CHECK(script.handshakes().back().init_answered);
}

TEST_CASE("bounds: one timeline", "[tracker]") {
    TrackerLimits limits;
    limits.messages_per_handshake = 16;
    TrackerScript script({}, limits);
    attempt(script, 1, 0ms);
    for (std::uint32_t i = 0; i < 100; ++i)
        script.at(1s * (i + 1))
            .from_client(encrypted_message(
                numbered(1), responder, {.exchange = 37, .id = 2 + i, .bytes = 80, .seed = i}));
    const auto handshake = script.end().handshake();
    CHECK(handshake.messages.size() == 16);
    CHECK(handshake.messages_forgotten == 103 - 16);
    CHECK(handshake.messages.front().exchange.type == 34);
    CHECK(handshake.messages.back().exchange.message_id == 101);
}

TEST_CASE("bounds: all timelines together", "[tracker]") {
    TrackerLimits limits;
    limits.messages = 50;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 100; ++i) attempt(script, i, 10ms * i);
    script.expire(3s);
    std::size_t records = 0;
    for (const auto& handshake : script.handshakes()) records += handshake.messages.size();
    CHECK(records <= 50);
    CHECK(script.tracker.handshake_count() >= 16);
}

TEST_CASE("bounds: peers, the one not seen for longest goes", "[tracker]") {
    TrackerLimits limits;
    limits.peers = 10;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 30; ++i) attempt(script, i, 10ms * i);
    script.expire(5s);
    CHECK(script.tracker.peer_count() == 10);
    CHECK(script.tracker.totals().evicted_peers == 21);
    CHECK(script.tracker.find_peer(script.server.address));
    CHECK(script.tracker.find_peer(client_of(29).address));
    CHECK_FALSE(script.tracker.find_peer(client_of(3).address));
    const auto proven = script.tracker.proven_sources();
    CHECK(proven->size() == 10);
    CHECK(proven->back() == script.server.address);
}

TEST_CASE("bounds: proven sources", "[tracker]") {
    TrackerLimits limits;
    limits.proven_sources = 5;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 30; ++i) attempt(script, i, 10ms * i);
    script.expire(5s);
    const auto proven = script.tracker.proven_sources();
    REQUIRE(proven->size() == 5);
    CHECK(std::count(proven->begin(), proven->end(), client_of(29).address) == 1);
    CHECK(script.tracker.proven_sources() == proven);
    attempt(script, 77, 6s);
    script.expire(7s);
    CHECK(script.tracker.proven_sources() != proven);
}

TEST_CASE("bounds: one /64 is one proven source", "[tracker]") {
    TrackerLimits limits;
    limits.proven_sources = 10;
    limits.peers = 100;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 5; ++i) attempt(script, i, 10ms * i);
    script.expire(1s);
    const auto server4 = script.server;
    script.server = {address("2001:db8:1::5"), 500};
    for (std::uint32_t i = 0; i < 500; ++i) {
        auto host = address("2001:db8:2::");
        host.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        host.bytes[15] = static_cast<std::uint8_t>(i);
        attempt(script, {host, 500}, 1'000 + i, 2s + 10ms * i);
    }
    script.expire(10s);
    const auto proven = script.tracker.proven_sources();
    CHECK(proven->size() == 8); // five clients, two servers, one /64
    CHECK(std::count(proven->begin(), proven->end(), client_of(0).address) == 1);
    CHECK(std::count(proven->begin(), proven->end(), server4.address) == 1);
    CHECK(std::count(proven->begin(), proven->end(), script.client.address) == 1);
    CHECK(script.tracker.peer_count() == 7 + 64);
    CHECK(script.tracker.totals().evicted_peers == 500 - 64);
    CHECK(script.tracker.find_peer(client_of(0).address));
    CHECK(script.tracker.find_peer(script.client.address));
    // Whoever of it goes, the /64 stays as long as one is left, and counts once.
    for (std::uint32_t i = 0; i < 64; ++i) {
        auto host = script.client.address;
        const auto number = 499 - i;
        host.bytes[14] = static_cast<std::uint8_t>(number >> 8);
        host.bytes[15] = static_cast<std::uint8_t>(number);
        CHECK(script.tracker.proven_sources()->size() == 8);
        CHECK(script.tracker.forget_peer(host));
    }
    CHECK(script.tracker.proven_sources()->size() == 7);
    CHECK(script.tracker.peer_count() == 7);
}

TEST_CASE("peers: of one /64 the newest are restored", "[tracker]") {
    TrackerScript script;
    for (std::uint32_t i = 0; i < 100; ++i) {
        Peer peer;
        peer.address = address("2001:db8:2::");
        peer.address.bytes[15] = static_cast<std::uint8_t>(i);
        peer.capability.fragmentation = Fragmentation::ike;
        peer.first_seen = peer.last_seen = script_start - 1000s + 1s * i;
        script.tracker.restore_peer(peer);
    }
    CHECK(script.tracker.peer_count() == 64);
    CHECK(script.tracker.find_peer(address("2001:db8:2::63")));
    CHECK(script.tracker.find_peer(address("2001:db8:2::24")));
    CHECK_FALSE(script.tracker.find_peer(address("2001:db8:2::23")));
    const auto& totals = script.tracker.server_totals().at(0);
    CHECK(totals.peers_by_fragmentation[index(Fragmentation::ike)] == 64);
    unsigned forgotten = 0;
    for (const auto& event : script.tracker.take_events())
        if (std::holds_alternative<PeerForgotten>(event.what)) ++forgotten;
    CHECK(forgotten == 36);
}

TEST_CASE("bounds: notify types and exchange types of strangers", "[tracker]") {
    TrackerScript script;
    for (std::uint32_t type = 40'000; type < 41'000; ++type)
        script.at(1ms).from_client(IkeBuilder::v2(34)
                                       .spis(numbered(type))
                                       .from_initiator()
                                       .notify(static_cast<std::uint16_t>(type))
                                       .build());
    for (std::uint32_t type = 0; type < 256; ++type)
        script.at(2ms).from_client(encrypted_message(
            numbered(1), responder, {.exchange = static_cast<std::uint8_t>(type), .bytes = 80}));
    script.end();
    const auto& server = script.tracker.server_totals().at(0);
    CHECK(server.notifies == std::map<std::uint16_t, std::uint64_t>{
                                 {std::uint16_t{0}, 1'000u}
    });
    CHECK(script.tracker.totals().by_exchange.size() == 256);
    CHECK(script.tracker.totals().by_exchange.at({"EXCHANGE_250", Role::request}) == 1);
}

TEST_CASE("bounds: events nobody takes", "[tracker]") {
    TrackerLimits limits;
    limits.events = 20;
    TrackerScript script({}, limits);
    for (std::uint32_t i = 0; i < 100; ++i) attempt(script, i, 10ms * i);
    script.end();
    CHECK(script.tracker.take_events().size() == 20);
    CHECK(script.tracker.totals().events_lost > 100);
    CHECK(script.tracker.take_events().empty());
}

TEST_CASE("peers: restored, forgotten, forgotten by age", "[tracker]") {
    TrackerScript script;
    Peer peer;
    peer.address = address("2002:c633:6453::c633:6453");
    peer.capability.fragmentation = Fragmentation::ike;
    peer.first_seen = peer.last_seen = script_start - 1000s;
    script.tracker.restore_peer(peer);
    attempt(script, 1, 0ms);
    script.end();
    CHECK(script.tracker.peer_count() == 3);
    const auto* restored = script.tracker.find_peer(peer.address);
    REQUIRE(restored);
    CHECK(restored->transition == Transition::six_to_four);
    CHECK(restored->embedded == address("198.51.100.83"));
    const auto& before = script.tracker.server_totals().at(0);
    CHECK(before.peers_by_fragmentation[index(Fragmentation::ike)] == 3);
    CHECK(before.peers_by_transition[index(Transition::six_to_four)] == 1);
    (void)script.tracker.take_events();
    script.tracker.forget_peers_before(script_start - 1s);
    CHECK(script.tracker.peer_count() == 2);
    CHECK(script.tracker.forget_peer(script.client.address));
    CHECK_FALSE(script.tracker.forget_peer(script.client.address));
    CHECK(script.tracker.peer_count() == 1);
    CHECK(script.tracker.proven_sources()->size() == 1);
    unsigned forgotten = 0;
    for (const auto& event : script.tracker.take_events())
        if (std::holds_alternative<PeerForgotten>(event.what)) ++forgotten;
    CHECK(forgotten == 2);
    const auto& after = script.tracker.server_totals().at(0);
    CHECK(after.peers_by_fragmentation[index(Fragmentation::ike)] == 1);
}

namespace {

Peer remembered(const char* at, PeerRole role, std::optional<std::string> server) {
    Peer peer;
    peer.address = address(at);
    peer.role = role;
    peer.capability.fragmentation = Fragmentation::ike;
    peer.server = std::move(server);
    peer.first_seen = peer.last_seen = script_start - 1000s;
    return peer;
}

Policy listing(const std::vector<const char*>& names) {
    Policy policy;
    for (const auto* name : names) {
        Server server;
        server.name = name;
        server.addresses.push_back(
            *parse_prefix("203.0.113." + std::to_string(5 + policy.servers.size())));
        policy.servers.push_back(server);
    }
    return policy;
}

} // namespace

TEST_CASE("peers: restored ones count for the server they spoke with", "[tracker]") {
    struct Row {
        const char* name;
        std::vector<const char*> servers;
        std::optional<std::string> kept;
        std::size_t expected; ///< index of the totals; the number of servers: unlisted
    };
    const Row row = GENERATE(values<Row>({
        {"its name is listed",                {"vpn1", "vpn2"}, "vpn2",       1},
        {"its name is no more",               {"vpn1", "vpn2"}, "vpn9",       2},
        {"it spoke with none that is listed", {"vpn1"},         "",           1},
        {"not kept, one server",              {"vpn1"},         std::nullopt, 0},
        {"not kept, two servers",             {"vpn1", "vpn2"}, std::nullopt, 2},
    }));
    CAPTURE(row.name);
    TrackerScript script(listing(row.servers));
    script.tracker.restore_peer(remembered("198.51.100.77", PeerRole::client, row.kept));
    const auto& totals = script.tracker.server_totals();
    for (std::size_t i = 0; i < totals.size(); ++i) {
        CAPTURE(i);
        CHECK(totals[i].peers_by_fragmentation[index(Fragmentation::ike)] ==
              (i == row.expected ? 1 : 0));
        CHECK_FALSE(totals[i].fragmentation_supported);
    }
}

TEST_CASE("peers: a restored server tells what it offered before", "[tracker]") {
    TrackerScript script(listing({"vpn1", "vpn2"}));
    auto server = remembered("203.0.113.6", PeerRole::server, "vpn2");
    script.tracker.restore_peer(server);
    CHECK_FALSE(script.tracker.server_totals()[0].fragmentation_supported);
    CHECK(script.tracker.server_totals()[1].fragmentation_supported == true);
    server.address = address("203.0.113.5");
    server.capability.fragmentation = Fragmentation::none;
    script.tracker.restore_peer(server);
    CHECK(script.tracker.server_totals()[0].fragmentation_supported == false);
}

TEST_CASE("peers: a handshake keeps the server's name with both", "[tracker]") {
    TrackerScript script(listing({"vpn1"}));
    attempt(script, 1, 0ms);
    script.end();
    for (const auto& side : {script.client.address, script.server.address}) {
        const auto* peer = script.tracker.find_peer(side);
        REQUIRE(peer);
        CHECK(peer->server == "vpn1");
    }
}

TEST_CASE("peers: one read late goes on from what was known before", "[tracker]") {
    TrackerScript script;
    attempt(script, 1, 0ms);
    script.end();
    auto old = remembered("198.51.100.77", PeerRole::client, "");
    old.address = script.client.address;
    old.handshakes_ok = 5;
    old.fragmentation_changed = old.intermediate_changed = old.first_seen;
    const auto now = script.tracker.find_peer(old.address)->handshakes_ok;
    script.tracker.restore_peer(old);
    script.tracker.restore_peer(old); // a second time it adds nothing
    const auto* peer = script.tracker.find_peer(old.address);
    CHECK(peer->first_seen == old.first_seen);
    CHECK(peer->handshakes_ok == now + 5);
    CHECK(peer->last_seen > old.last_seen);
    CHECK(peer->fragmentation_changed == old.first_seen);
    CHECK(peer->intermediate_changed == old.first_seen);
}

TEST_CASE("policy: totals keep to a server's name, handshakes find their server anew",
          "[tracker]") {
    const auto server = [](const char* name, const char* outside) {
        Server result;
        result.name = name;
        result.addresses.push_back(*parse_prefix(outside));
        return result;
    };
    Policy policy;
    policy.servers.push_back(server("vpn1", "203.0.113.5"));
    TrackerScript script(policy);
    attempt(script, 1, 0ms);
    script.expire(1s);
    CHECK(script.tracker.server_totals().at(0).started[2] == 1);
    CHECK(script.tracker.server_totals().at(0).in_progress[2] == 1);
    policy.servers.insert(policy.servers.begin(), server("vpn0", "203.0.113.4"));
    script.tracker.set_policy(std::make_shared<const Policy>(policy));
    const auto& totals = script.tracker.server_totals();
    REQUIRE(totals.size() == 3);
    CHECK(totals[0].started[2] == 0);
    CHECK(totals[1].started[2] == 1);
    CHECK(totals[1].in_progress[2] == 1);
    CHECK(totals[1].peers_by_fragmentation[index(Fragmentation::ike)] == 2);
    CHECK(script.handshake().server_index == 1);
    script.end();
    CHECK(script.tracker.server_totals().at(1).in_progress[2] == 0);
    CHECK(script.tracker.server_totals().at(1).failed.size() == 1);
}
