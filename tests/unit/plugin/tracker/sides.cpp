// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

/// Who is client and server, what each side can do, where NAT is.
using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");

Policy with_server(const std::string& outside, const std::string& inside = "") {
    Policy policy;
    Server server;
    server.name = "vpn1";
    server.addresses.push_back(*parse_prefix(outside));
    if (!inside.empty()) server.inside.push_back(*parse_prefix(inside));
    policy.servers.push_back(server);
    return policy;
}

void agree(TrackerScript& script, const InitOptions& asked, const InitOptions& answered) {
    script.at(0ms).from_client(sa_init_request(initiator, asked));
    script.at(2ms).from_server(sa_init_response(initiator, responder, answered));
}

void authenticate(TrackerScript& script) {
    script.at(8ms).from_client(encrypted_message(initiator, responder, {}));
    script.at(10ms).from_server(encrypted_message(
        initiator, responder, {.response = true, .from_initiator = false, .seed = 2}));
}

} // namespace

TEST_CASE("capability: by what each side's IKE_SA_INIT says", "[tracker]") {
    struct Case {
        std::string name;
        InitOptions asked;
        InitOptions answered;
        Fragmentation client;
        Fragmentation server;
    };
    const InitOptions silent{.fragmentation = false};
    const InitOptions cisco{.fragmentation = false, .cisco = true};
    const InitOptions both{.cisco = true};
    const Case cases[] = {
        {"both",              {},     {},     Fragmentation::ike,   Fragmentation::ike  },
        {"the client alone",  {},     silent, Fragmentation::ike,   Fragmentation::none },
        {"neither",           silent, silent, Fragmentation::none,  Fragmentation::none },
        {"Cisco's way",       cisco,  cisco,  Fragmentation::cisco, Fragmentation::cisco},
        {"both ways at once", both,   both,   Fragmentation::ike,   Fragmentation::ike  },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script, c.asked, c.answered);
            const auto handshake = script.end().handshake();
            CHECK(handshake.client_side.fragmentation == c.client);
            CHECK(handshake.server_side.fragmentation == c.server);
        }
    }
}

TEST_CASE("capability: COOKIE and INVALID_KE answers say nothing of the server", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2ms).from_server(sa_init_refusal(initiator, 16390, noise(20, 1)));
    script.expire(1s);
    CHECK(script.handshake().server_side.fragmentation == Fragmentation::unknown);
    CHECK_FALSE(script.handshake().init_answered);
    script.at(1s).from_client(sa_init_request(initiator, {.cookie = noise(20, 1)}));
    script.at(1002ms).from_server(sa_init_refusal(initiator, 17, hex("0013")));
    script.expire(2s);
    CHECK(script.handshake().server_side.fragmentation == Fragmentation::unknown);
    const InitOptions other{.group = 19, .key_bytes = 64};
    script.at(2s).from_client(sa_init_request(initiator, other));
    script.at(2002ms).from_server(sa_init_response(initiator, responder, other));
    const auto handshake = script.end().handshake();
    CHECK(handshake.server_side.fragmentation == Fragmentation::ike);
    CHECK(handshake.init_answered);
    CHECK(handshake.retransmits == 0);
    const auto& server = script.tracker.server_totals().at(0);
    CHECK(server.notifies.at(16390) == 2);
    CHECK(server.notifies.at(17) == 1);
}

TEST_CASE("capability: nobody answers in a server's name from the clients' side", "[tracker]") {
    // Who forges a client's request, the server's answer and the client's next one needs to receive
    // nothing; all three come in where clients are, though the server is elsewhere.
    constexpr std::uint32_t outside = 2;
    constexpr std::uint32_t inside = 3;
    struct Case {
        std::string name;
        std::uint32_t goes_out; ///< what comes for the server; 0: not seen going out
        std::uint32_t answer_comes;
        bool known_before; ///< by another client's handshake
        bool counts;
    };
    const Case cases[] = {
        {"from where the server is",         inside,  inside,  false, true },
        {"from the clients' side",           inside,  outside, false, false},
        {"one interface for all",            outside, outside, false, true },
        {"the copy going out is late",       0,       outside, true,  false},
        {"nothing was ever seen going out",  0,       outside, false, true },
        {"the client is on the inside, too", inside,  inside,  true,  true },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script(with_server("203.0.113.5"));
            const auto forged = spi("0011223344556600");
            if (c.known_before) {
                const Endpoint other{address("198.51.100.99"), 500};
                const auto request = sa_init_request(initiator);
                script.at(0ms).send(other, script.server, request, {.interface = outside});
                script.at(1ms).send(
                    other, script.server, request, {.leg = Leg::postrouting, .interface = inside});
            }
            const auto request = sa_init_request(forged);
            script.at(1s).from_client(request, {.interface = outside});
            if (c.goes_out != 0)
                script.at(1001ms).from_client(request,
                                              {.leg = Leg::postrouting, .interface = c.goes_out});
            script.at(1002ms).from_server(sa_init_response(forged, responder),
                                          {.interface = c.answer_comes});
            script.at(1003ms).from_client(encrypted_message(forged, responder, {}),
                                          {.interface = outside});
            script.expire(3s);
            const auto* peer = script.tracker.find_peer(script.client.address);
            CHECK((peer != nullptr) == c.counts);
            CHECK(script.tracker.proven_sources()->empty() != c.counts);
        }
    }
}

TEST_CASE("capability: nobody answers in the name of a server on this host", "[tracker]") {
    TrackerScript script(with_server("203.0.113.5"));
    constexpr std::uint32_t outside = 2;
    const auto from_here = Shown{.leg = Leg::output, .interface = outside};
    script.at(0ms).from_client(sa_init_request(initiator), {.interface = outside});
    script.at(2ms).from_server(sa_init_response(initiator, responder), from_here);
    script.expire(1s);
    REQUIRE(script.handshake().init_answered);
    const auto forged = spi("0011223344556600");
    script.at(1s).from_client(sa_init_request(forged), {.interface = outside});
    script.at(1001ms).from_server(sa_init_response(forged, responder), {.interface = outside});
    script.at(1002ms).from_client(encrypted_message(forged, responder, {}), {.interface = outside});
    script.expire(3s);
    CHECK(script.tracker.find_peer(script.client.address) == nullptr);
}

TEST_CASE("capability: stored only when the client has shown that it receives", "[tracker]") {
    TrackerScript script;
    agree(script, {.windows = true}, {});
    script.expire(1s);
    CHECK(script.tracker.peer_count() == 0);
    CHECK_FALSE(script.handshake().proven);
    SECTION("a wrong responder SPI shows nothing") {
        script.at(1s).from_client(encrypted_message(initiator, spi("8899aabbccddee00"), {}));
        script.end();
        CHECK(script.tracker.peer_count() == 0);
        CHECK(script.tracker.proven_sources()->empty());
    }
    SECTION("the right one does") {
        script.at(1s).from_client(encrypted_message(initiator, responder, {}));
        script.end();
        CHECK(script.tracker.peer_count() == 2);
        const auto* client = script.tracker.find_peer(script.client.address);
        REQUIRE(client);
        CHECK(client->role == PeerRole::client);
        CHECK(client->capability.fragmentation == Fragmentation::ike);
        CHECK(client->vendor == "windows");
        CHECK(client->handshakes_failed == 1);
        const auto* server = script.tracker.find_peer(script.server.address);
        REQUIRE(server);
        CHECK(server->role == PeerRole::server);
        CHECK(server->capability.fragmentation == Fragmentation::ike);
        const auto proven = script.tracker.proven_sources();
        CHECK(std::count(proven->begin(), proven->end(), script.client.address) == 1);
    }
    SECTION("a lost IKE_AUTH's first fragment does") {
        const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
        DatagramLost lost;
        lost.source = script.client.address;
        lost.destination = script.server.address;
        lost.source_port = lost.destination_port = 500;
        lost.message = Bytes(auth).first(1472);
        lost.message_bytes = 4000;
        lost.first_seen = true;
        lost.fragments = 1;
        lost.first_fragment_bytes = 1500;
        script.at(7s).lost(lost).end();
        CHECK(script.tracker.peer_count() == 2);
        CHECK(script.tracker.find_peer(script.client.address)->path_mtu_bytes == 1500);
        script.expire(2h);
        CHECK(script.tracker.find_peer(script.client.address)->path_mtu_bytes == 0);
    }
}

TEST_CASE("capability: a server's silence to one that does not ask takes nothing back",
          "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    authenticate(script);
    script.end();
    const auto next = [&](const char* spi_text,
                          const InitOptions& asked,
                          const InitOptions& answered,
                          Duration at) {
        const auto other = spi(spi_text);
        script.at(at).from_client(sa_init_request(other, asked));
        script.at(at + 2ms).from_server(sa_init_response(other, responder, answered));
        script.at(at + 4ms).from_client(encrypted_message(other, responder, {}));
        script.end();
        (void)script.tracker.take_events();
    };
    const InitOptions silent{.fragmentation = false};
    const auto server = [&] {
        return script.tracker.find_peer(script.server.address)->capability.fragmentation;
    };
    CHECK(server() == Fragmentation::ike);
    next("aa11223344556677", silent, silent, 300s);
    CHECK(server() == Fragmentation::ike);
    CHECK(script.tracker.server_totals().at(0).fragmentation_supported == true);
    next("bb11223344556677", {}, silent, 600s);
    CHECK(server() == Fragmentation::none);
    CHECK(script.tracker.server_totals().at(0).fragmentation_supported == false);
}

TEST_CASE("capability: one version of IKE says nothing about the other", "[tracker]") {
    TrackerScript script;
    auto at = 0s;
    const auto version1 = [&](const char* spi_text, bool asked, bool answered) {
        const auto other = spi(spi_text);
        const auto proposal = [&](const Spi& answer_by, bool vid) {
            auto builder = IkeBuilder::v1(2);
            builder.spis(other, answer_by)
                .payload(1,
                         v1_sa_payload({
                             {1, 7}
            }));
            if (vid) builder.vendor(hex("4048b7d56ebce88525e7de7f00d6c2d3"));
            return builder.build();
        };
        at += 300s;
        script.at(at).from_client(proposal({}, asked));
        script.at(at + 1s).from_server(proposal(responder, answered));
        auto key = IkeBuilder::v1(2);
        key.spis(other, responder).payload(4, noise(256, 1)).payload(10, noise(32, 9));
        script.at(at + 2s).from_client(key.build()).end();
    };
    const auto version2 = [&](const char* spi_text, bool offers) {
        const auto other = spi(spi_text);
        at += 300s;
        script.at(at).from_client(sa_init_request(other));
        script.at(at + 1s).from_server(
            sa_init_response(other, responder, {.fragmentation = offers}));
        script.at(at + 2s).from_client(encrypted_message(other, responder, {})).end();
    };
    const auto server = [&] {
        return to_string(script.tracker.find_peer(script.server.address)->capability.fragmentation);
    };
    SECTION("IKEv2's is kept") {
        version2("0100000000000001", true);
        version1("0100000000000002", true, true);
        CHECK(server() == "ike");
        version1("0100000000000003", true, false);
        CHECK(server() == "ike");
        version2("0100000000000004", false);
        CHECK(server() == "none");
    }
    SECTION("IKEv1's is kept, but what IKEv2 shows is more") {
        version1("0100000000000001", true, true);
        version2("0100000000000002", false);
        CHECK(server() == "v1");
        version1("0100000000000003", true, false);
        CHECK(server() == "none");
        version1("0100000000000004", true, true);
        version2("0100000000000005", true);
        CHECK(server() == "ike");
    }
}

TEST_CASE("capability: IKE_INTERMEDIATE, by what IKE_SA_INITs say of it", "[tracker]") {
    TrackerScript script;
    const InitOptions with{.intermediate = true};
    auto at = 0s;
    unsigned number = 0;
    // The capability changes of one more handshake, whose client has shown itself.
    const auto next = [&](const InitOptions& asked, const InitOptions& answered) {
        Spi other{9};
        other[7] = static_cast<std::uint8_t>(++number);
        at += 300s;
        script.at(at).from_client(sa_init_request(other, asked));
        script.at(at + 2ms).from_server(sa_init_response(other, responder, answered));
        script.at(at + 4ms).from_client(encrypted_message(other, responder, {})).end();
        std::size_t changes = 0;
        for (const auto& event : script.tracker.take_events())
            changes += std::holds_alternative<CapabilityChanged>(event.what);
        return changes;
    };
    const auto client = [&]() -> const Peer& {
        return *script.tracker.find_peer(script.client.address);
    };
    const auto server = [&]() -> const Peer& {
        return *script.tracker.find_peer(script.server.address);
    };
    CHECK(next({}, {}) == 2);
    CHECK(client().capability.intermediate == false);
    CHECK_FALSE(server().capability.intermediate); // nobody asked
    CHECK(next(with, with) == 2);
    CHECK(client().capability.intermediate == true);
    CHECK(client().intermediate_changed);
    CHECK(server().capability.intermediate == true);
    CHECK_FALSE(server().intermediate_changed); // the first that is known
    CHECK(next({}, {}) == 1);                   // its silence to one that does not ask
    CHECK(server().capability.intermediate == true);
    CHECK(next(with, {}) == 2);
    CHECK(server().capability.intermediate == false);
    CHECK(server().intermediate_changed == client().intermediate_changed);
    CHECK(server().capability.fragmentation == Fragmentation::ike);
    CHECK(next(with, {}) == 0);
}

TEST_CASE("capability: what refuses or asks for a cookie says nothing of IKE_INTERMEDIATE",
          "[tracker]") {
    TrackerScript script;
    const InitOptions with{.intermediate = true};
    script.at(0ms).from_client(sa_init_request(initiator, with));
    script.at(1ms).from_server(sa_init_refusal(initiator, 16390, hex("0102030405060708")));
    CHECK(script.expire(100ms).tracker.peer_count() == 0);
    script.at(200ms).from_client(
        sa_init_request(initiator, {.intermediate = true, .cookie = hex("0102030405060708")}));
    script.at(201ms).from_server(sa_init_response(initiator, responder, with));
    CHECK(script.expire(300ms).tracker.peer_count() == 0);
    CHECK(script.handshake().server_side.intermediate_supported);
    authenticate(script);
    script.end();
    CHECK(script.tracker.find_peer(script.server.address)->capability.intermediate == true);
}

TEST_CASE("capability: a change is an event, as is the first that is known", "[tracker]") {
    TrackerScript script;
    agree(script, {}, {.fragmentation = false});
    authenticate(script);
    script.end();
    std::vector<std::string> first;
    for (const auto& event : script.tracker.take_events())
        if (const auto* change = std::get_if<CapabilityChanged>(&event.what))
            first.push_back(std::string(to_string(change->role)) + " " +
                            std::string(to_string(change->before.fragmentation)) + " " +
                            std::string(to_string(change->after.fragmentation)));
    CHECK(first == std::vector<std::string>{"client unknown ike", "server unknown none"});
    CHECK_FALSE(script.tracker.find_peer(script.server.address)->fragmentation_changed);
    const auto other = spi("aa11223344556677");
    script.at(300s).from_client(sa_init_request(other));
    script.at(300s + 2ms).from_server(sa_init_response(other, responder));
    script.at(300s + 4ms).from_client(encrypted_message(other, responder, {}));
    script.end();
    unsigned changes = 0;
    for (const auto& event : script.tracker.take_events())
        if (const auto* change = std::get_if<CapabilityChanged>(&event.what)) {
            ++changes;
            CHECK(change->address == script.server.address);
            CHECK(change->role == PeerRole::server);
            CHECK(change->before.fragmentation == Fragmentation::none);
            CHECK(change->after.fragmentation == Fragmentation::ike);
        }
    CHECK(changes == 1);
}

TEST_CASE("client and server: who is which", "[tracker]") {
    const Endpoint office{address("198.51.100.7"), 500};
    const Endpoint gateway{address("203.0.113.5"), 500};
    SECTION("none configured: who asks first is the client") {
        TrackerScript script;
        script.at(0ms).send(gateway, office, sa_init_request(initiator)).end();
        CHECK(script.handshake().client == gateway);
        CHECK(script.handshake().client_is_initiator);
        CHECK(script.handshake().messages[0].direction == Direction::to_server);
    }
    SECTION("the configured server stays the server when it begins") {
        TrackerScript script(with_server("203.0.113.5"));
        script.at(0ms).send(gateway, office, sa_init_request(initiator));
        script.at(2ms).send(office, gateway, sa_init_response(initiator, responder)).end();
        const auto handshake = script.handshake();
        CHECK(handshake.client == office);
        CHECK(handshake.server == gateway);
        CHECK(handshake.server_index == 0);
        CHECK_FALSE(handshake.client_is_initiator);
        CHECK(handshake.messages[0].direction == Direction::to_peer);
        CHECK(handshake.messages[0].from_initiator);
        CHECK(handshake.init_answered);
        // The configured server offered; the office answered.
        CHECK(handshake.server_side.fragmentation == Fragmentation::ike);
    }
    SECTION("a rekeyed SA: as in the SA before it") {
        TrackerScript script;
        script.at(0ms).send(office, gateway, sa_init_request(initiator));
        script.at(2ms).send(gateway, office, sa_init_response(initiator, responder));
        const auto rekeyed = encrypted_message(
            spi("99aabbccddeeff00"), responder, {.exchange = 37, .id = 0, .bytes = 80});
        script.at(9s).send(gateway, office, rekeyed).end();
        const auto all = script.handshakes();
        REQUIRE(all.size() == 2);
        CHECK(all[1].client == office);
        CHECK(all[1].rekeyed);
        CHECK(all[1].mid_stream);
        CHECK_FALSE(all[1].client_is_initiator);
        CHECK(all[1].outcome == Outcome::established);
    }
    SECTION("first met in an answer") {
        TrackerScript script;
        script.at(0ms).send(gateway, office, sa_init_response(initiator, responder)).end();
        CHECK(script.handshake().client == office);
    }
}

TEST_CASE("NAT: told by NAT_DETECTION hashes", "[tracker]") {
    const auto init = [](const Endpoint& source, const Endpoint& destination) {
        auto builder = IkeBuilder::v2(34);
        builder.spis(initiator).from_initiator().key_exchange();
        return builder.nat_detection(source, destination).build();
    };
    TrackerScript script;
    SECTION("none") {
        script.at(0ms).from_client(init(script.client, script.server)).end();
        CHECK(script.handshake().client_side.behind_nat == false);
        CHECK(script.handshake().client_side.other_behind_nat == false);
    }
    SECTION("before us, on the client's side") {
        script.at(0ms).from_client(init({address("10.0.0.9"), 500}, script.server)).end();
        CHECK(script.handshake().client_side.behind_nat == true);
        CHECK(script.handshake().client_side.other_behind_nat == false);
    }
    SECTION("none sent") {
        script.at(0ms).from_client(sa_init_request(initiator)).end();
        CHECK_FALSE(script.handshake().client_side.behind_nat);
    }
}

TEST_CASE("NAT here: an answer from where our DNAT sent the request counts", "[tracker]") {
    const Endpoint inside{address("10.0.0.5"), 500};
    const auto answer = sa_init_response(initiator, responder);
    SECTION("known by the copy going out") {
        TrackerScript script;
        const auto request = sa_init_request(initiator);
        script.at(0ms).from_client(request);
        script.at(1ms).send(
            script.client, inside, request, {.leg = Leg::postrouting, .copy_bytes = 68});
        script.at(2ms).send(inside, script.client, answer);
        script.at(3ms).send(
            script.server, script.client, answer, {.leg = Leg::postrouting, .copy_bytes = 68});
        const auto handshake = script.end().handshake();
        CHECK(handshake.init_answered);
        CHECK(handshake.server_inside == inside.address);
        REQUIRE(handshake.messages.size() == 2);
        CHECK(handshake.messages[0].left_time == script_start + 1ms);
        CHECK(handshake.messages[0].left_destination == inside);
        CHECK_FALSE(handshake.messages[0].left_source);
        CHECK(handshake.messages[1].left_source == script.server);
        CHECK(script.tracker.totals().messages == 2);
    }
    SECTION("known by the configuration") {
        TrackerScript script(with_server("203.0.113.5", "10.0.0.5"));
        script.at(0ms).from_client(sa_init_request(initiator));
        script.at(2ms).send(inside, script.client, answer).end();
        CHECK(script.handshake().init_answered);
        CHECK(script.handshake().server_inside == inside.address);
        CHECK(script.handshake().server == script.server);
    }
    SECTION("known by neither: it is nobody's answer") {
        TrackerScript script;
        script.at(0ms).from_client(sa_init_request(initiator));
        script.at(2ms).send(inside, script.client, answer).end();
        CHECK_FALSE(script.handshake().init_answered);
        CHECK(script.handshake().messages[1].unasked);
    }
}

TEST_CASE("NAT here: a client inside, masqueraded by us", "[tracker]") {
    TrackerScript script;
    const Endpoint public_side{address("192.0.2.1"), 61234};
    const auto request = sa_init_request(initiator);
    script.at(0ms).from_client(request);
    script.at(1ms).send(public_side, script.server, request, {.leg = Leg::postrouting});
    script.at(9ms).send(script.server, public_side, sa_init_response(initiator, responder));
    const auto handshake = script.end().handshake();
    CHECK(handshake.init_answered);
    CHECK(handshake.client == script.client);
    CHECK(handshake.messages[0].left_source == public_side);
}

TEST_CASE("legs: what this host sends itself is one message, joined with its way out",
          "[tracker]") {
    TrackerScript script;
    const auto request = sa_init_request(initiator);
    const auto answer = sa_init_response(initiator, responder);
    script.at(0ms).from_client(request);
    script.at(2ms).from_server(answer, {.leg = Leg::output});
    script.at(2ms + 10us).from_server(answer, {.leg = Leg::postrouting, .copy_bytes = 68});
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.messages.size() == 2);
    CHECK(handshake.messages[1].leg == Leg::output);
    CHECK(handshake.messages[1].left_time == script_start + 2ms + 10us);
    CHECK(script.tracker.totals().messages == 2);
}

TEST_CASE("legs: the way out of an IP-fragmented message is joined by its first fragment",
          "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    script.at(8ms).from_client(auth, {.ip_fragments = 3});
    script.at(9ms).from_client(auth, {.leg = Leg::postrouting, .copy_bytes = 68});
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.messages.size() == 3);
    CHECK(handshake.messages[2].left_time == script_start + 9ms);
}

TEST_CASE("legs: a copy that seems to leave before its message came is joined all the same",
          "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    script.at(9ms).from_client(auth, {.leg = Leg::postrouting, .copy_bytes = 68});
    script.at(12ms).from_client(auth, {.ip_fragments = 3});
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.messages.size() == 3);
    CHECK(handshake.messages[2].left_time == script_start + 12ms);
}

TEST_CASE("legs: every copy going out is joined to its own sending", "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    const auto auth = encrypted_message(initiator, responder, {});
    for (const auto time : {10ms, 1010ms}) {
        script.at(time).from_client(auth);
        script.at(time + 1ms).from_client(auth, {.leg = Leg::postrouting, .copy_bytes = 68});
    }
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.messages.size() == 4);
    CHECK(handshake.retransmits == 1);
    CHECK(handshake.messages[2].left_time == script_start + 11ms);
    CHECK(handshake.messages[3].left_time == script_start + 1011ms);
}

TEST_CASE("MOBIKE: the handshake follows the client to another address", "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    authenticate(script);
    script.float_ports();
    script.client.address = address("192.0.2.77");
    script.at(5s).from_client(
        encrypted_message(initiator, responder, {.exchange = 37, .id = 2, .bytes = 100}));
    script.at(5s + 2ms).from_server(encrypted_message(
        initiator,
        responder,
        {.exchange = 37, .id = 2, .response = true, .from_initiator = false, .bytes = 80}));
    script.at(6s).esp(script.client, script.server);
    const auto handshake = script.end().handshake();
    CHECK(handshake.outcome == Outcome::established);
    CHECK(handshake.client.address == address("198.51.100.7"));
    CHECK(handshake.client_addresses == 2);
    CHECK(handshake.esp_seen);
    CHECK(script.tracker.peer_count() == 2);
    CHECK_FALSE(script.tracker.find_peer(address("192.0.2.77")));
}

TEST_CASE("MOBIKE: one request from several addresses is sent once", "[tracker]") {
    TrackerScript script;
    script.tracker.set_live_since(script_start);
    agree(script, {}, {});
    authenticate(script);
    const auto probe =
        encrypted_message(initiator, responder, {.exchange = 37, .id = 2, .bytes = 100});
    const auto second = Endpoint{address("192.0.2.77"), 500};
    script.at(5s).from_client(probe).send(second, script.server, probe);
    script.at(5s + 2ms).from_server(encrypted_message(
        initiator,
        responder,
        {.exchange = 37, .id = 2, .response = true, .from_initiator = false, .bytes = 80}));
    const auto handshake = script.end().handshake();
    CHECK(handshake.outcome == Outcome::established);
    CHECK(handshake.retransmits == 0);
}

TEST_CASE("responder's own exchanges have their own message ids", "[tracker]") {
    TrackerScript script;
    agree(script, {}, {});
    authenticate(script);
    // Id 1 of the server's own, while 1 of the client's is done.
    const auto dpd = encrypted_message(
        initiator, responder, {.exchange = 37, .id = 1, .from_initiator = false, .bytes = 80});
    const auto answer = encrypted_message(
        initiator, responder, {.exchange = 37, .id = 1, .response = true, .bytes = 80, .seed = 3});
    script.at(2s).from_server(dpd).at(2s + 1ms).from_client(answer);
    const auto handshake = script.end().handshake();
    CHECK(handshake.outcome == Outcome::established);
    CHECK(handshake.messages[4].role == Role::request);
    CHECK(handshake.messages[4].direction == Direction::to_peer);
    CHECK(handshake.messages[5].role == Role::response);
    CHECK_FALSE(handshake.messages[5].unasked);
}

TEST_CASE("what was offered and chosen, and by whom", "[tracker]") {
    TrackerScript script;
    agree(script, {.windows = true}, {});
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.offered.size() == 3);
    CHECK(to_string(handshake.offered[0]) == "encryption=AES_GCM_16-256");
    CHECK(handshake.chosen == handshake.offered);
    CHECK(handshake.client_side.vendor == "windows");
    CHECK(handshake.client_side.vendor_ids.texts().size() == 2);
    CHECK(handshake.server_side.vendor.empty());
}

TEST_CASE("our own probe is known by its SPI, and nobody's failure", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(spi("696b706201020304"))).end();
    CHECK(script.handshake().probe);
    CHECK(script.handshake().outcome == Outcome::failed);
    const auto& server = script.tracker.server_totals().at(0);
    CHECK(server.started[2] == 0);
    CHECK(server.failed.empty());
}

TEST_CASE("the timeline keeps what clear notifies say, and no more than it has room for",
          "[tracker]") {
    using Types = std::array<std::uint16_t, 3>;
    struct Case {
        std::string name;
        std::vector<std::uint16_t> sent;
        Types kept;
    };
    const Case cases[] = {
        {"an error",                      {7},                      Types{7}      },
        {"each once",                     {14, 14, 24},             Types{14, 24} },
        {"not what every answer carries", {16430, 16388, 16431, 7}, Types{7}      },
        {"what asks for another try",     {16390},                  Types{16390}  },
        {"the first of many",             {1, 4, 5, 7, 9, 11},      Types{1, 4, 5}},
        {"a private status is none",      {40'960},                 Types{}       },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            auto answer = IkeBuilder::v2(34).spis(initiator).response();
            for (const auto type : c.sent) answer.notify(type);
            TrackerScript script;
            script.at(0ms).from_client(sa_init_request(initiator));
            script.at(2ms).from_server(answer.build());
            const auto handshake = script.end().handshake();
            CHECK(handshake.messages[0].notifies == Types{});
            CHECK(handshake.messages[1].notifies == c.kept);
        }
    }
}

TEST_CASE("IKEv1's notifies count only where they mean the same as IKEv2's", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(IkeBuilder::v1(2)
                                   .spis(initiator)
                                   .payload(1,
                                            v1_sa_payload({
                                                {1, 7}
    }))
                                   .build());
    script.at(2ms).from_server(
        IkeBuilder::v1(5).spis(initiator, responder).id(9).notify(17).notify(14).build());
    const auto& counts = script.end().tracker.server_totals().at(0).notifies;
    CHECK(counts.at(14) == 1);
    CHECK(counts.at(0) == 1);
    CHECK(counts.count(17) == 0);
    CHECK(notifies_text(script.handshake().messages[1]) ==
          "INVALID_KEY_INFORMATION; NO_PROPOSAL_CHOSEN");
}
