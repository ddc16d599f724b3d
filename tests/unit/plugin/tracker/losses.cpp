// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

/// Datagrams that never became whole, ICMP errors, copies lost, and what they mute.
using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");

void agree(TrackerScript& script) {
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2ms).from_server(sa_init_response(initiator, responder));
}

DatagramLost tail_only(const TrackerScript& script) {
    DatagramLost lost;
    lost.source = script.client.address;
    lost.destination = script.server.address;
    lost.fragments = 1;
    lost.bytes = 700;
    lost.last_seen = true;
    lost.first_fragment_bytes = 720;
    return lost;
}

IcmpSeen quote(const TrackerScript& script, Bytes message) {
    IcmpSeen seen;
    seen.reporter = address("192.0.2.254");
    seen.type = 3;
    seen.code = 4;
    seen.mtu = 1400;
    seen.quoted_source = script.client;
    seen.quoted_destination = script.server;
    seen.quoted_message = message;
    seen.quoted_bytes = 1500;
    seen.quoted_udp_bytes = 1408;
    return seen;
}

/// The same of a message of which ports and UDP Length are quoted, but no SPI.
IcmpSeen quote_ports(const TrackerScript& script, const ByteVector& message) {
    auto seen = quote(script, {});
    seen.quoted_udp_bytes = static_cast<std::uint16_t>(8 + message.size());
    return seen;
}

Spi numbered(std::uint8_t number) {
    auto result = initiator;
    result[0] = number;
    return result;
}

/// Openings between the same addresses and ports, as anybody can forge them.
void forge_openings(TrackerScript& script) {
    for (std::uint8_t i = 100; i < 170; ++i) script.from_client(sa_init_request(numbered(i)));
}

Handshake find(const TrackerScript& script, const Spi& spi) {
    for (const auto& handshake : script.handshakes())
        if (handshake.initiator_spi == spi) return handshake;
    FAIL("no such handshake");
    return {};
}

bool has_ended_unanswered(const Handshake& handshake) {
    return handshake.outcome == Outcome::failed && handshake.basis == Basis::unanswered;
}

} // namespace

TEST_CASE("lost datagram: joined by the SPI its first fragment shows", "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    auto lost = first_only(script, auth);
    for (const auto at : {10ms, 1010ms, 3010ms}) {
        lost.first_time = script_start + at;
        script.at(at + 5s).lost(lost);
    }
    const auto handshake = script.end().handshake();
    CHECK(has_ended_unanswered(handshake));
    REQUIRE(handshake.messages.size() == 5);
    for (std::size_t i = 2; i < 5; ++i) {
        const auto& record = handshake.messages[i];
        CHECK_FALSE(record.complete);
        CHECK_FALSE(record.refused);
        CHECK(record.reason == Reason::timeout);
        CHECK(record.exchange == Exchange{2, 35, 1});
        CHECK(record.direction == Direction::to_server);
        CHECK(record.first_seen);
        CHECK_FALSE(record.last_seen);
        CHECK(record.message_bytes == 4000);
        CHECK(record.retransmit == (i > 2));
    }
    CHECK(handshake.messages[2].time == script_start + 10ms);
    // Never whole, so no message: neither counted nor a retransmit of one (DESIGN §6).
    CHECK(handshake.retransmits == 0);
    CHECK(script.tracker.totals().messages == 2);
    CHECK(handshake.path_mtu_bytes[index(Direction::to_server)] == 1500);
    CHECK_FALSE(handshake.auth_request_transport);
}

TEST_CASE("lost datagram: an IKE_SA_INIT begins a handshake, an IKE_AUTH of nobody does not",
          "[tracker]") {
    TrackerScript script;
    const auto init = sa_init_request(initiator, {.key_bytes = 2000});
    auto first = first_only(script, init);
    first.first_time = script_start;
    script.at(5s).lost(first);
    const auto auth = encrypted_message(spi("aa11223344556677"), responder, {.bytes = 4000});
    script.at(5s).lost(first_only(script, auth));
    const auto handshake = script.end().handshake();
    CHECK(handshake.initiator_spi == initiator);
    CHECK(handshake.first_time == script_start);
    CHECK(has_ended_unanswered(handshake));
}

TEST_CASE("lost datagram: tails alone belong to the attempt between the two addresses",
          "[tracker]") {
    TrackerScript script;
    SECTION("in progress") {
        agree(script);
        script.at(6s).lost(tail_only(script));
        const auto handshake = script.end().handshake();
        CHECK(has_ended_unanswered(handshake));
        REQUIRE(handshake.messages.size() == 3);
        CHECK_FALSE(handshake.messages[2].first_seen);
        CHECK(handshake.messages[2].direction == Direction::to_server);
    }
    SECTION("of the answer") {
        agree(script);
        script.at(10ms).from_client(encrypted_message(initiator, responder, {}));
        auto lost = tail_only(script);
        std::swap(lost.source, lost.destination);
        script.at(6s).lost(lost);
        const auto handshake = script.end().handshake();
        REQUIRE(handshake.messages.size() == 4);
        CHECK(handshake.messages[3].direction == Direction::to_peer);
        CHECK(handshake.messages[3].role == Role::response);
    }
    SECTION("ended long ago: nobody's") {
        agree(script);
        script.expire(100s);
        script.at(200s).lost(tail_only(script)).end();
        CHECK(script.handshake().messages.size() == 2);
    }
    SECTION("of another pair: nobody's") {
        agree(script);
        auto lost = tail_only(script);
        lost.source = address("198.51.100.99");
        script.at(6s).lost(lost).end();
        CHECK(script.handshake().messages.size() == 2);
    }
    SECTION("of an attempt given up: not of the one begun since they came") {
        const auto second = spi("aa11223344556677");
        agree(script);
        auto lost = tail_only(script);
        lost.first_time = script_start + 1s;
        script.at(3s).from_client(sa_init_request(second));
        script.at(3002ms).from_server(sa_init_response(second, responder));
        script.at(6s).lost(lost);
        const auto handshakes = script.end().handshakes();
        REQUIRE(handshakes.size() == 2);
        CHECK(has_ended_unanswered(handshakes[0]));
        CHECK(handshakes[0].messages.size() == 3);
        CHECK(handshakes[1].basis == Basis::answered);
        CHECK(handshakes[1].messages.size() == 2);
    }
    SECTION("a later answer clears the doubt") {
        agree(script);
        script.at(6s).lost(tail_only(script));
        script.at(7s).from_client(encrypted_message(initiator, responder, {}));
        script.at(8s).from_server(encrypted_message(
            initiator, responder, {.response = true, .from_initiator = false, .seed = 2}));
        CHECK(script.end().handshake().basis == Basis::answered);
    }
    SECTION("so does an answer that came since they did, before they were told") {
        agree(script);
        auto lost = tail_only(script);
        lost.first_time = script_start + 10ms;
        script.at(1010ms).from_client(encrypted_message(initiator, responder, {}));
        script.at(1020ms).from_server(encrypted_message(
            initiator, responder, {.response = true, .from_initiator = false, .seed = 2}));
        script.at(5010ms).lost(lost);
        CHECK(script.end().handshake().basis == Basis::answered);
    }
}

TEST_CASE("lost datagram: told when another exchange is going on, it is of the one before",
          "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    auto lost = first_only(script, auth);
    lost.first_time = script_start + 10ms;
    for (const auto id : {1u, 2u}) {
        const auto at = 1000ms * id;
        script.at(at).from_client(encrypted_message(initiator, responder, {.id = id, .seed = id}));
        script.at(at + 10ms).from_server(
            encrypted_message(initiator,
                              responder,
                              {.id = id, .response = true, .from_initiator = false, .seed = 9}));
    }
    script.at(5010ms).lost(lost);
    CHECK(script.end().handshake().basis == Basis::answered);
}

TEST_CASE("lost datagram: IKE_SA_INIT begun anew, of which only the first fragment came",
          "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2ms).from_server(sa_init_refusal(initiator, 17, {0, 20}));
    const auto again = IkeBuilder::v2(34)
                           .spis(initiator)
                           .from_initiator()
                           .key_exchange(20, 3000)
                           .notify(16430)
                           .build();
    auto lost = first_only(script, again);
    lost.first_time = script_start + 10ms;
    script.at(5010ms).lost(lost);
    CHECK(has_ended_unanswered(script.end().handshake()));
}

TEST_CASE("lost datagram: a partial answer was an answer, so nothing takes another way",
          "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator));
    const auto answer = sa_init_response(initiator, responder, {.key_bytes = 2000});
    auto lost = first_only(script, answer);
    std::swap(lost.source, lost.destination);
    lost.first_time = script_start + 2ms;
    // Its end is known late, but it began before the client went on.
    script.at(2ms).lost(lost);
    script.at(20ms).from_client(encrypted_message(initiator, responder, {}));
    const auto handshake = script.end().handshake();
    CHECK_FALSE(handshake.half_view);
    CHECK(has_ended_unanswered(handshake));
}

TEST_CASE("lost datagram: refused by our gate", "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    auto lost = first_only(script, auth);
    lost.reason = Reason::overlap;
    SECTION("really") {
        script.at(10ms).lost(lost).end();
        CHECK(script.handshake().messages[2].refused);
        CHECK(script.handshake().messages[2].reason == Reason::overlap);
    }
    SECTION("only in observe or under a dry run") {
        lost.enforced = false;
        script.at(10ms).lost(lost).end();
        CHECK_FALSE(script.handshake().messages[2].refused);
    }
}

TEST_CASE("pair: what shows no SPI finds a proven handshake behind 70 strangers", "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    SECTION("ESP") {
        script.at(10ms).from_client(auth);
        script.at(20ms).from_server(encrypted_message(
            initiator, responder, {.response = true, .from_initiator = false, .bytes = 1400}));
        forge_openings(script.at(30ms));
        script.at(40ms).esp({script.client.address, 0}, {script.server.address, 0}).end();
        CHECK(find(script, initiator).outcome == Outcome::established);
        CHECK(find(script, initiator).basis == Basis::esp);
    }
    SECTION("an ICMP error that quotes the ports alone") {
        script.at(10ms).from_client(auth);
        forge_openings(script.at(20ms));
        script.at(30ms).icmp(quote_ports(script, auth)).end();
        CHECK(find(script, initiator).icmp.size() == 1);
    }
    SECTION("tails") {
        script.at(10ms).lost(first_only(script, auth));
        forge_openings(script.at(20ms));
        script.at(1s).lost(tail_only(script)).end();
        CHECK(find(script, initiator).messages.size() == 4);
    }
}

TEST_CASE("pair: a newcomer is found beside proven ones", "[tracker]") {
    TrackerScript script;
    const auto prove = [&](const Spi& spi) {
        script.from_client(sa_init_request(spi)).from_server(sa_init_response(spi, responder));
        script.from_client(encrypted_message(spi, responder, {.bytes = 200, .seed = spi[0]}));
    };
    SECTION("by its tails, behind 70 that ended") {
        for (std::uint8_t i = 100; i < 170; ++i) {
            script.at(1ms * i);
            prove(numbered(i));
        }
        script.at(100s).from_client(sa_init_request(numbered(1)));
        script.at(101s).lost(tail_only(script)).end();
        CHECK(find(script, numbered(1)).messages.size() == 2);
    }
    SECTION("by its tails, where the proven one has its answer") {
        script.at(0s);
        prove(initiator);
        script.at(1s).from_server(encrypted_message(
            initiator, responder, {.response = true, .from_initiator = false, .bytes = 1400}));
        script.at(2s).from_client(sa_init_request(numbered(1)));
        script.at(4s).lost(tail_only(script)).end();
        CHECK(find(script, numbered(1)).messages.size() == 2);
    }
    SECTION("by its tails, where the proven one gave up") {
        script.at(0s);
        prove(initiator);
        script.at(20s).from_client(sa_init_request(numbered(1)));
        script.at(22s).lost(tail_only(script)).end();
        CHECK(find(script, numbered(1)).messages.size() == 2);
    }
    SECTION("by an ICMP error, where the proven one is silent") {
        script.at(0s);
        prove(initiator);
        script.at(20s).from_client(sa_init_request(numbered(1)));
        script.at(20s + 5ms).icmp(quote_ports(script, sa_init_request(initiator))).end();
        CHECK(find(script, numbered(1)).icmp.size() == 1);
        CHECK(find(script, initiator).icmp.empty());
    }
    SECTION("but not if only the proven one spoke lately") {
        script.at(0s);
        prove(initiator);
        script.at(20s)
            .icmp(quote_ports(script, encrypted_message(initiator, responder, {.bytes = 200})))
            .end();
        CHECK(find(script, initiator).icmp.size() == 1);
    }
}

TEST_CASE("ICMP: believed if it quotes what we saw", "[tracker]") {
    const auto auth = encrypted_message(initiator, responder, {.bytes = 1400});
    struct Case {
        std::string name;
        void (*change)(IcmpSeen&);
        std::size_t records;
        std::uint32_t mtu;
    };
    const Case cases[] = {
        {"with the SPI",                         [](IcmpSeen&) {},                           1, 1400},
        {"with the ports alone",                 [](IcmpSeen& i) { i.quoted_message = {}; }, 1, 1400},
        {"the ports, but no message is so long",
         [](IcmpSeen& i) {
             i.quoted_message = {};
             i.quoted_udp_bytes = 1412;
         },                                                                                  0,
         0                                                                                          },
        {"another client port",
         [](IcmpSeen& i) {
             i.quoted_message = {};
             i.quoted_source.port = 1234;
         },                                                                                  0,
         0                                                                                          },
        {"the right SPI from the wrong port",
         [](IcmpSeen& i) { i.quoted_source.port = 1234; },
         0,                                                                                     0   },
        {"a strange SPI between the same ports",
         [](IcmpSeen& i) {
             static const auto other = encrypted_message(spi("aa11223344556677"), responder, {});
             i.quoted_message = Bytes(other).first(28);
         },                                                                                  0,
         0                                                                                          },
        {"MTU 576",                              [](IcmpSeen& i) { i.mtu = 576; },           1, 576 },
        {"MTU 575: told, not believed",          [](IcmpSeen& i) { i.mtu = 575; },           1, 0   },
        {"MTU 67: no link has that",             [](IcmpSeen& i) { i.mtu = 67; },            0, 0   },
        {"MTU above what did not fit",           [](IcmpSeen& i) { i.mtu = 1500; },          1, 0   },
        {"port unreachable",
         [](IcmpSeen& i) {
             i.code = 3;
             i.mtu = 0;
         },                                                                                  1,
         0                                                                                          },
        {"reassembly time exceeded",
         [](IcmpSeen& i) {
             i.type = 11;
             i.code = 1;
             i.mtu = 0;
         },                                                                                  1,
         0                                                                                          },
        {"TTL exceeded: not about us",
         [](IcmpSeen& i) {
             i.type = 11;
             i.code = 0;
         },                                                                                  0,
         0                                                                                          },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script);
            script.at(10ms).from_client(auth);
            auto seen = quote(script, Bytes(auth).first(28));
            c.change(seen);
            script.at(20ms).icmp(seen);
            const auto handshake = script.end().handshake();
            CHECK(handshake.icmp.size() == c.records);
            CHECK(handshake.path_mtu_bytes[index(Direction::to_server)] == c.mtu);
            if (c.records != 0) CHECK(handshake.icmp[0].direction == Direction::to_server);
        }
    }
}

TEST_CASE("ICMP: believed as long as the flow lives, established or not", "[tracker]") {
    struct Case {
        std::string name;
        Duration at;
        bool spi;
        std::size_t records;
    };
    const Case cases[] = {
        {"4 s after",                    5s,        false, 1},
        {"60 s after",                   61s,       false, 1},
        {"more than 60 s",               61s + 1ms, false, 0},
        {"60 s after, with the SPI",     61s,       true,  1},
        {"more than 60 s, with the SPI", 61s + 1ms, true,  0},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script);
            const auto auth = encrypted_message(initiator, responder, {.bytes = 1400});
            script.at(10ms).from_client(auth);
            script.at(12ms).from_server(encrypted_message(
                initiator, responder, {.response = true, .from_initiator = false, .bytes = 1400}));
            script.at(1s).from_client(
                encrypted_message(initiator, responder, {.exchange = 36, .id = 2, .bytes = 200}));
            script.at(c.at).icmp(quote(script, c.spi ? Bytes(auth).first(28) : Bytes{}));
            const auto handshake = script.end().handshake();
            CHECK(handshake.outcome == Outcome::established);
            CHECK(handshake.icmp.size() == c.records);
        }
    }
}

TEST_CASE("ICMP: the ports alone need the length of one of the flow's messages", "[tracker]") {
    TrackerScript script;
    agree(script);
    auto seen = quote(script, {});
    const auto auth = encrypted_message(initiator, responder, {.bytes = 4000});
    std::vector<std::uint16_t> wrong{3996, 4020};
    SECTION("behind the marker, of all IP fragments") {
        script.float_ports();
        script.at(10ms).from_client(auth, {.ip_fragments = 3});
        seen.quoted_udp_bytes = 4012;
        wrong.push_back(4008);
    }
    SECTION("of which only the first came here") {
        script.at(10ms).lost(first_only(script, auth));
        seen.quoted_udp_bytes = 4008;
    }
    SECTION("of which only the first came here, behind the marker") {
        script.float_ports();
        script.at(10ms).lost(first_only(script, auth));
        seen.quoted_udp_bytes = 4012;
    }
    seen.quoted_source = script.client;
    seen.quoted_destination = script.server;
    script.at(20ms).icmp(seen);
    for (const auto bytes : wrong) {
        auto forged = seen;
        forged.quoted_udp_bytes = bytes;
        script.at(21ms).icmp(forged);
    }
    CHECK(script.end().handshake().icmp.size() == 1);
}

TEST_CASE("ICMP: IPv6's own types and lowest MTU", "[tracker]") {
    TrackerScript script;
    script.client.address = address("2001:db8:1::7");
    script.server.address = address("2001:db8:2::5");
    agree(script);
    const auto auth = encrypted_message(initiator, responder, {});
    script.at(10ms).from_client(auth);
    auto seen = quote(script, Bytes(auth).first(28));
    seen.reporter = address("2001:db8:9::1");
    seen.type = 2;
    seen.code = 0;
    seen.mtu = 1279;
    script.at(20ms).icmp(seen);
    seen.mtu = 1280;
    script.at(21ms).icmp(seen);
    seen.type = 3;
    seen.code = 1;
    script.at(22ms).icmp(seen);
    seen.type = 1;
    seen.code = 4;
    script.at(23ms).icmp(seen);
    const auto handshake = script.end().handshake();
    CHECK(handshake.icmp.size() == 3);
    CHECK(handshake.path_mtu_bytes[index(Direction::to_server)] == 1280);
    const auto& icmp = script.tracker.totals().icmp[index(Family::ipv6)];
    CHECK(icmp == std::array<std::uint64_t, 3>{2, 1, 1});
}

TEST_CASE("ICMP: at most 16 a handshake", "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto init = sa_init_request(initiator);
    for (int i = 0; i < 100; ++i) script.at(20ms).icmp(quote(script, Bytes(init).first(28)));
    CHECK(script.end().handshake().icmp.size() == 16);
    CHECK(script.tracker.totals().icmp[index(Family::ipv4)][0] == 100);
}

TEST_CASE("muted: what cannot be known is not said", "[tracker]") {
    const auto begin = [](TrackerScript& script, Duration at) {
        script.at(at).from_client(sa_init_request(initiator));
    };
    TrackerScript script;
    SECTION("copies lost while it runs") {
        begin(script, 0s);
        script.at(2s).copies_lost().end();
        CHECK(script.handshake().muted);
        CHECK(script.tracker.totals().copies_lost == 1);
    }
    SECTION("copies lost just before") {
        script.at(0s).copies_lost();
        begin(script, 9s);
        script.end();
        CHECK(script.handshake().muted);
    }
    SECTION("copies lost long before") {
        script.at(0s).copies_lost();
        begin(script, 11s);
        script.end();
        CHECK_FALSE(script.handshake().muted);
    }
    SECTION("we had just started") {
        script.tracker.set_live_since(script_start);
        begin(script, 59s);
        script.end();
        CHECK(script.handshake().muted);
    }
    SECTION("we had started a minute ago") {
        script.tracker.set_live_since(script_start);
        begin(script, 60s);
        script.end();
        CHECK_FALSE(script.handshake().muted);
    }
    // Of three client networks; each goes on after an answer that we did not see.
    const auto half_view = [&script](int network, Duration at) {
        const auto client =
            std::exchange(script.client, {address("192.0." + std::to_string(network) + ".7"), 500});
        auto other = initiator;
        other[0] = static_cast<std::uint8_t>(at / 1s);
        other[7] = static_cast<std::uint8_t>(network);
        script.at(at).from_client(sa_init_request(other));
        script.at(at + 1s).from_client(encrypted_message(other, responder, {}));
        script.client = client;
    };
    SECTION("answers of this server take another way, for 10 minutes") {
        for (const int network : {1, 2, 3}) half_view(network, 0s);
        SECTION("within") {
            begin(script, 600s);
            script.end();
            CHECK(script.handshakes()[3].muted);
            CHECK_FALSE(script.handshakes()[3].half_view);
        }
        SECTION("after") {
            begin(script, 602s);
            script.end();
            CHECK_FALSE(script.handshakes()[3].muted);
        }
        SECTION("another server") {
            script.server.address = address("203.0.113.99");
            begin(script, 100s);
            script.end();
            CHECK_FALSE(script.handshakes()[3].muted);
        }
        SECTION("not once an answer of it is seen") {
            const auto third = spi("aa11223344556677");
            script.at(100s).from_client(sa_init_request(third));
            begin(script, 101s);
            script.at(102s).from_server(sa_init_response(third, responder));
            script.end();
            for (const std::size_t i : {3u, 4u}) CHECK_FALSE(script.handshakes()[i].muted);
        }
        SECTION("an answer nobody asked for is none") {
            script.at(100s).from_server(sa_init_response(spi("aa11223344556677"), responder));
            begin(script, 101s);
            script.end();
            CHECK(script.handshakes()[4].muted);
        }
    }
    SECTION("one network has no say over a whole server, however often it tries") {
        for (const auto at : {0s, 20s, 40s, 60s}) half_view(1, at);
        half_view(2, 70s);
        begin(script, 100s);
        script.end();
        CHECK(script.handshakes().front().half_view);
        CHECK_FALSE(script.handshakes().back().muted);
    }
    SECTION("nor have three over more than 10 minutes") {
        for (const int network : {1, 2, 3}) half_view(network, network * 301s);
        begin(script, 910s);
        script.end();
        CHECK_FALSE(script.handshakes()[3].muted);
    }
    SECTION("a server that never answered is not that case") {
        for (const auto at : {0s, 1s, 3s}) begin(script, at);
        script.end();
        CHECK_FALSE(script.handshake().muted);
        CHECK_FALSE(script.handshake().half_view);
    }
}

TEST_CASE("half view: several requests on their way at once are none", "[tracker]") {
    TrackerScript script;
    agree(script);
    script.at(8ms).from_client(encrypted_message(initiator, responder, {}));
    script.at(9ms).from_server(encrypted_message(
        initiator, responder, {.response = true, .from_initiator = false, .seed = 2}));
    for (const std::uint32_t id : {2u, 3u, 4u})
        script.at(20ms).from_client(
            encrypted_message(initiator, responder, {.exchange = 36, .id = id, .bytes = 200}));
    CHECK_FALSE(script.end().handshake().half_view);
}

TEST_CASE("tunnel packets are counted by whether their sources match", "[tracker]") {
    TrackerScript script;
    for (const bool matches : {true, false, false})
        script.tracker.feed({
            script_start, Leg::prerouting, OuterSeen{Transition::teredo, matches}
        });
    script.end();
    const auto& seen = script.tracker.totals().outer_seen;
    CHECK(seen[index(Transition::teredo)].matched == 1);
    CHECK(seen[index(Transition::teredo)].mismatched == 2);
    CHECK(seen[index(Transition::six_to_four)].mismatched == 0);
}

TEST_CASE("TCP fallbacks are counted", "[tracker]") {
    TrackerScript script;
    script.tracker.feed({script_start, Leg::prerouting, TcpFallbackSeen{}});
    script.end();
    CHECK(script.tracker.totals().tcp_fallbacks == 1);
}
