// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");

enum class Vid { none, fragmentation };

ByteVector proposal(const Spi& answer_by, Vid vid) {
    auto builder = IkeBuilder::v1(2);
    builder.spis(initiator, answer_by)
        .payload(1,
                 v1_sa_payload({
                     {1, 7 },
                     {2, 4 },
                     {3, 3 },
                     {4, 14}
    }));
    if (vid == Vid::fragmentation) builder.vendor(hex("4048b7d56ebce88525e7de7f00d6c2d3"));
    return builder.build();
}

ByteVector key(std::uint32_t seed) {
    auto builder = IkeBuilder::v1(2);
    builder.spis(initiator, responder).payload(4, noise(256, seed)).payload(10, noise(32, 9));
    return builder.build();
}

ByteVector identity(std::uint32_t seed, std::size_t bytes = 2000) {
    return IkeBuilder::v1(2).spis(initiator, responder).encrypted(bytes, seed).build();
}

ByteVector later(std::uint8_t exchange, std::uint32_t seed = 90) {
    auto builder = IkeBuilder::v1(exchange);
    builder.spis(initiator, responder).id(0x12345678 + seed).encrypted(108, seed);
    return builder.build();
}

ByteVector authip(const Spi& answer_by) {
    return IkeBuilder::v1(243).spis(initiator, answer_by).payload(1, noise(40, 1)).build();
}

/// Main mode's first messages, up to and with this one.
void main_mode(TrackerScript& s, int messages, Vid vid = Vid::fragmentation) {
    if (messages >= 1) s.at(0ms).from_client(proposal({}, vid));
    if (messages >= 2) s.at(1ms).from_server(proposal(responder, vid));
    if (messages >= 3) s.at(2ms).from_client(key(1));
    if (messages >= 4) s.at(3ms).from_server(key(5));
    if (messages >= 5) s.at(4ms).from_client(identity(10));
    if (messages >= 6) s.at(5ms).from_server(identity(11));
}

ByteVector aggressive(std::uint32_t seed, const Spi& answer_by) {
    auto builder = IkeBuilder::v1(4);
    builder.spis(initiator, answer_by)
        .payload(1,
                 v1_sa_payload({
                     {1, 7}
    }))
        .payload(4, noise(128, seed));
    return builder.build();
}

/// Of a client's message only the first IP fragment came; told when the hold ends, 5 s later.
void first_fragment_only(TrackerScript& script, Duration came, const ByteVector& message) {
    auto lost = first_only(script, message);
    lost.first_time = script_start + came;
    script.at(came + 5s).lost(lost);
}

} // namespace

TEST_CASE("IKEv1: outcome", "[tracker]") {
    struct Case {
        std::string name;
        void (*play)(TrackerScript&);
        Outcome outcome;
        Basis basis;
    };
    const Case cases[] = {
        {"phase 1 complete, nothing more",
         [](TrackerScript& s) { main_mode(s, 6); },
         Outcome::unknown,
         Basis::answered      },
        {"then QUICK_MODE",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(10ms).from_client(later(32));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"two messages, then QUICK_MODE: of no SA",
         [](TrackerScript& s) {
             main_mode(s, 2);
             s.at(10ms).from_client(later(32));
         },                                                           Outcome::unknown,
         Basis::answered      },
        {"TRANSACTION instead of message 6, asked only",
         [](TrackerScript& s) {
             main_mode(s, 5);
             s.at(10ms).from_server(later(6));
         },                                                           Outcome::failed,
         Basis::unanswered    },
        {"QUICK_MODE, its SA's last answer unseen",
         [](TrackerScript& s) {
             main_mode(s, 5);
             s.at(10ms).from_client(later(32));
         },                                                           Outcome::unknown,
         Basis::half_view     },
        {"first met in message 5, then QUICK_MODE",
         [](TrackerScript& s) {
             s.at(4ms).from_client(identity(10));
             s.at(5ms).from_server(identity(11));
             s.at(10ms).from_client(later(32));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"then TRANSACTION, begun by the server",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(10ms).from_server(later(6));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"then ESP",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(10ms).esp(s.client, s.server);
         },                                                           Outcome::established,
         Basis::esp           },
        {"then an INFORMATIONAL at once",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(40ms).from_client(later(5));
         },                                                           Outcome::unknown,
         Basis::answered      },
        {"then an INFORMATIONAL 500 ms later",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(505ms).from_client(later(5));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"message 1 unanswered",
         [](TrackerScript& s) { main_mode(s, 1); },
         Outcome::failed,
         Basis::unanswered    },
        {"the client silent after message 4",
         [](TrackerScript& s) { main_mode(s, 4); },
         Outcome::unknown,
         Basis::answered      },
        {"message 5 unanswered",
         [](TrackerScript& s) { main_mode(s, 5); },
         Outcome::failed,
         Basis::unanswered    },
        {"message 5 answered by an INFORMATIONAL",
         [](TrackerScript& s) {
             main_mode(s, 5);
             s.at(5ms).from_server(later(5));
         },                                                           Outcome::failed,
         Basis::refused       },
        {"message 1 refused in clear",
         [](TrackerScript& s) {
             main_mode(s, 1);
             auto refusal = IkeBuilder::v1(5);
             refusal.spis(initiator, responder).id(77).notify(14);
             s.at(1ms).from_server(refusal.build());
         },                                                           Outcome::failed,
         Basis::refused       },
        {"message 3 without a message 2",
         [](TrackerScript& s) {
             main_mode(s, 1);
             s.at(2ms).from_client(key(1));
         },                                                           Outcome::unknown,
         Basis::half_view     },
        {"message 2 recorded behind message 3",
         [](TrackerScript& s) {
             main_mode(s, 1);
             s.at(2ms).from_client(key(1));
             s.at(2ms + 100us).from_server(proposal(responder, Vid::fragmentation));
             s.at(3ms).from_server(key(5));
             s.at(4ms).from_client(identity(10));
             s.at(5ms).from_server(identity(11));
             s.at(10ms).from_client(later(32));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"aggressive mode, then QUICK_MODE",
         [](TrackerScript& s) {
             s.at(0ms).from_client(aggressive(1, {}));
             s.at(1ms).from_server(aggressive(2, responder));
             auto third = IkeBuilder::v1(4);
             third.spis(initiator, responder).encrypted(108, 3);
             s.at(2ms).from_client(third.build());
             s.at(3ms).from_client(later(32));
         },                                                           Outcome::established,
         Basis::later_exchange},
        {"then an exchange nobody knows",
         [](TrackerScript& s) {
             main_mode(s, 6);
             s.at(600ms).from_client(later(99));
         },                                                           Outcome::unknown,
         Basis::answered      },
        {"first met in an exchange nobody knows",
         [](TrackerScript& s) { s.at(0ms).from_client(later(99)); },
         Outcome::unknown,
         Basis::mid_stream    },
        {"AuthIP, answered",
         [](TrackerScript& s) {
             s.at(0ms).from_client(authip({}));
             s.at(1ms).from_server(authip(responder));
         },                                                           Outcome::unknown,
         Basis::answered      },
        {"AuthIP, unanswered",
         [](TrackerScript& s) { s.at(0ms).from_client(authip({})); },
         Outcome::failed,
         Basis::unanswered    },
        {"first met in QUICK_MODE",
         [](TrackerScript& s) { s.at(0ms).from_client(later(32)); },
         Outcome::established,
         Basis::later_exchange},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            c.play(script);
            const auto handshake = script.end().handshake();
            CHECK(to_string(handshake.outcome) == to_string(c.outcome));
            CHECK(to_string(handshake.basis) == to_string(c.basis));
            CHECK(handshake.version == 1);
        }
    }
}

TEST_CASE("IKEv1: outcome where only the first IP fragment of a message came", "[tracker]") {
    struct Case {
        std::string name;
        void (*play)(TrackerScript&);
        Outcome outcome;
        Basis basis;
    };
    const Case cases[] = {
        {"of message 5, twice",
         [](TrackerScript& s) {
             main_mode(s, 4);
             first_fragment_only(s, 10ms, identity(10));
             first_fragment_only(s, 3010ms, identity(10));
         }, Outcome::failed,
         Basis::unanswered},
        {"of message 3",
         [](TrackerScript& s) {
             main_mode(s, 2);
             first_fragment_only(s, 10ms, key(1));
         }, Outcome::failed,
         Basis::unanswered},
        {"of message 3, and message 2 was not seen",
         [](TrackerScript& s) {
             main_mode(s, 1);
             first_fragment_only(s, 10ms, key(1));
         }, Outcome::unknown,
         Basis::half_view },
        {"of message 5, which came whole later and was answered",
         [](TrackerScript& s) {
             main_mode(s, 4);
             first_fragment_only(s, 10ms, identity(10));
             s.at(6000ms).from_client(identity(10));
             s.at(6010ms).from_server(identity(11));
         }, Outcome::unknown,
         Basis::answered  },
        {"of message 3, which came whole and was answered before it was told",
         [](TrackerScript& s) {
             main_mode(s, 2);
             s.at(3000ms).from_client(key(1));
             s.at(3010ms).from_server(key(5));
             first_fragment_only(s, 10ms, key(1));
         }, Outcome::unknown,
         Basis::answered  },
        {"of message 3, which came otherwise and was answered before it was told",
         [](TrackerScript& s) {
             main_mode(s, 2);
             s.at(3000ms).from_client(key(2));
             s.at(3010ms).from_server(key(5));
             first_fragment_only(s, 10ms, key(1));
         }, Outcome::unknown,
         Basis::answered  },
        {"of an answered message sent again",
         [](TrackerScript& s) {
             main_mode(s, 4);
             first_fragment_only(s, 10ms, key(1));
         }, Outcome::unknown,
         Basis::answered  },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            c.play(script);
            const auto handshake = script.end().handshake();
            CHECK(to_string(handshake.outcome) == to_string(c.outcome));
            CHECK(to_string(handshake.basis) == to_string(c.basis));
        }
    }
}

TEST_CASE("IKEv1: payload 132 makes a message, two in a row are two", "[tracker]") {
    TrackerScript script;
    main_mode(script, 2);
    // Both sides reuse fragment id 1: number 1 with other bytes begins the next message.
    script.at(2ms).from_client(payload_132_set(key(1), 200));
    script.at(3ms).from_server(payload_132_set(key(5), 200));
    script.at(4ms).from_client(payload_132_set(identity(10), 576));
    script.at(5ms).from_server(payload_132_set(identity(11), 576));
    script.at(6ms).from_client(later(32));
    const auto handshake = script.end().handshake();
    CHECK(handshake.outcome == Outcome::established);
    CHECK(handshake.retransmits == 0);
    CHECK(handshake.client_side.fragmentation == Fragmentation::v1);
    CHECK(handshake.server_side.fragmentation == Fragmentation::v1);
    CHECK(handshake.auth_request_transport == Transport::v1);
    CHECK(handshake.auth_response_transport == Transport::v1);
    CHECK(handshake.proven);
    REQUIRE(handshake.sets.size() == 4);
    for (const auto& set : handshake.sets) {
        CHECK(set.complete);
        CHECK(set.seen == set.total);
    }
}

TEST_CASE("IKEv1: a repeated payload-132 set counts once", "[tracker]") {
    TrackerScript script;
    main_mode(script, 4);
    script.at(4ms).from_client(payload_132_set(identity(10), 576));
    script.at(1s).from_client(payload_132_set(identity(10), 576));
    const auto handshake = script.end().handshake();
    CHECK(handshake.retransmits == 1);
    REQUIRE(handshake.sets.size() == 1);
    CHECK(handshake.sets[0].attempts == 2);
}

TEST_CASE("IKEv1: racoon's payload 132 has the E flag", "[tracker]") {
    const auto racoon = [](std::uint32_t seed) {
        auto pieces = payload_132_set(identity(seed), 576);
        for (auto& piece : pieces) piece[19] = 1;
        return pieces;
    };
    TrackerScript script;
    main_mode(script, 4);
    script.at(4ms).from_client(racoon(10));
    SECTION("answered") {
        script.at(5ms).from_server(racoon(11));
        const auto handshake = script.at(6ms).from_client(later(32)).end().handshake();
        CHECK(handshake.outcome == Outcome::established);
        CHECK(handshake.auth_request_transport == Transport::v1);
        CHECK(handshake.auth_response_transport == Transport::v1);
    }
    SECTION("not answered, and sent again") {
        for (const auto at : {10s, 20s, 30s}) script.at(at).from_client(racoon(10));
        const auto handshake = script.end().handshake();
        CHECK(handshake.basis == Basis::unanswered);
        CHECK(handshake.retransmits == 3);
        CHECK(handshake.auth_request_transport == Transport::v1);
    }
}

TEST_CASE("IKEv1: payload 132 of two fragment ids is two messages", "[tracker]") {
    TrackerScript script;
    main_mode(script, 4);
    const auto first = payload_132_set(identity(10), 800, 1);
    const auto second = payload_132_set(identity(12), 800, 2);
    REQUIRE(first.size() == 3);
    script.at(4ms).from_client(first[2]);
    script.at(4s).from_client(second[0]).from_client(second[1]);
    const auto handshake = script.end().handshake();
    CHECK(handshake.basis == Basis::unanswered);
    CHECK_FALSE(handshake.auth_request_transport);
    CHECK(handshake.sets.size() == 2);
}

TEST_CASE("IKEv1: how the message after the key exchange travelled", "[tracker]") {
    TrackerScript script;
    main_mode(script, 4, Vid::none);
    script.at(4ms).from_client(identity(10), {.ip_fragments = 2});
    script.at(5ms).from_server(identity(11, 900));
    const auto handshake = script.end().handshake();
    CHECK(handshake.auth_request_transport == Transport::ip);
    CHECK(handshake.auth_response_transport == Transport::whole);
    CHECK(handshake.client_side.fragmentation == Fragmentation::none);
    CHECK(handshake.server_side.fragmentation == Fragmentation::none);
}
