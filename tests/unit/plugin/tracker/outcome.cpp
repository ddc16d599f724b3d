// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");

ByteVector client_request(std::uint8_t exchange, std::uint32_t id, std::uint32_t seed = 50) {
    return encrypted_message(
        initiator, responder, {.exchange = exchange, .id = id, .bytes = 80, .seed = seed});
}

ByteVector server_answer(std::uint8_t exchange, std::uint32_t id, std::size_t bytes = 80) {
    return encrypted_message(initiator,
                             responder,
                             {.exchange = exchange,
                              .id = id,
                              .response = true,
                              .from_initiator = false,
                              .bytes = bytes,
                              .seed = 60 + id});
}

ByteVector server_request(std::uint8_t exchange, std::uint32_t id) {
    return encrypted_message(
        initiator,
        responder,
        {.exchange = exchange, .id = id, .from_initiator = false, .bytes = 80, .seed = 70});
}

ByteVector client_answer(std::uint8_t exchange, std::uint32_t id) {
    return encrypted_message(
        initiator, responder, {.exchange = exchange, .id = id, .response = true, .bytes = 80});
}

/// IKE_SA_INIT asked and answered.
void agree(TrackerScript& script, const InitOptions& options = {}) {
    script.at(0ms).from_client(sa_init_request(initiator, options));
    script.at(2ms).from_server(sa_init_response(initiator, responder, options));
}

/// ... and IKE_AUTH, answered at 10 ms.
void authenticate(TrackerScript& script, std::size_t answer_bytes = 1400) {
    agree(script);
    script.at(8ms).from_client(encrypted_message(initiator, responder, {}));
    script.at(10ms).from_server(server_answer(35, 1, answer_bytes));
}

ByteVector resume_request() {
    auto request = IkeBuilder::v2(38);
    request.spis(initiator).from_initiator().payload(40, noise(32, 1));
    return request.notify(16413, noise(60, 2)).notify(16430).build();
}

ByteVector resume_refusal() {
    auto answer = IkeBuilder::v2(38);
    return answer.spis(initiator).response().notify(16412).build();
}

/// A server with two addresses and one behind our DNAT.
PolicyPointer two_addresses() {
    Policy policy;
    Server server;
    server.name = "vpn1";
    for (const auto* text : {"203.0.113.5", "203.0.113.6"})
        server.addresses.push_back({address(text), 32});
    server.inside = {
        {address("10.0.0.5"), 32}
    };
    policy.servers.push_back(server);
    return std::make_shared<const Policy>(policy);
}

ByteVector clear_auth_error(std::uint16_t error) {
    auto answer = IkeBuilder::v2(35);
    return answer.spis(initiator, responder).id(1).response().notify(error).build();
}

struct Case {
    std::string name;
    void (*play)(TrackerScript&);
    Outcome outcome;
    Basis basis;
};

void check(const Case& c) {
    TrackerScript script;
    c.play(script);
    const auto handshake = script.end().handshake();
    CHECK(to_string(handshake.outcome) == to_string(c.outcome));
    CHECK(to_string(handshake.basis) == to_string(c.basis));
    CHECK(handshake.ended);
    CHECK(script.tracker.handshakes_in_progress() == 0);
}

} // namespace

TEST_CASE("outcome: what follows IKE_AUTH", "[tracker]") {
    const Case cases[] = {
        {"nothing",                                                      [](TrackerScript& s) { authenticate(s); }, Outcome::unknown,     Basis::answered},
        {"ESP in UDP",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(50ms).esp(s.client, s.server);
         },                                                                                                         Outcome::established,
         Basis::esp                                                                                                                                      },
        {"plain ESP",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(50ms).esp({s.server.address, 0}, {s.client.address, 0});
         },                                                                                                         Outcome::established,
         Basis::esp                                                                                                                                      },
        {"ESP came before: of an older SA",
         [](TrackerScript& s) {
             s.at(0ms).esp(s.client, s.server);
             authenticate(s);
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"ESP of another port",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(50ms).esp({s.client.address, 4511}, s.server);
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"INFORMATIONAL at once: may be the client's refusal",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(40ms).from_client(client_request(37, 2));
             s.at(41ms).from_server(server_answer(37, 2));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"INFORMATIONAL 500 ms later",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(510ms).from_client(client_request(37, 2));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
        {"INFORMATIONAL 499 ms later, answered after 501",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(509ms).from_client(client_request(37, 2));
             s.at(511ms).from_server(server_answer(37, 2));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"an exchange nobody knows at once",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(40ms).from_client(client_request(200, 2));
             s.at(41ms).from_server(server_answer(200, 2));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"an exchange nobody knows 500 ms later",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(510ms).from_client(client_request(200, 2));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
        {"CREATE_CHILD_SA at once",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(20ms).from_client(client_request(36, 2));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
        {"the responder's own exchange at once",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(20ms).from_server(server_request(37, 0));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
        {"a clear-text INFORMATIONAL proves nothing",
         [](TrackerScript& s) {
             authenticate(s);
             auto clear = IkeBuilder::v2(37);
             clear.spis(initiator, responder).id(2).from_initiator().notify(11);
             s.at(900ms).from_client(clear.build());
         },                                                                                                         Outcome::failed,
         Basis::unanswered                                                                                                                               },
        {"a ticket is not taken",
         [](TrackerScript& s) {
             s.at(0ms).from_client(
                 IkeBuilder::v2(38).spis(initiator).from_initiator().notify(16413).build());
             s.at(2ms).from_server(
                 IkeBuilder::v2(38).spis(initiator).response().notify(16412).build());
         },                                                                                                         Outcome::failed,
         Basis::refused                                                                                                                                  },
        {"a short answer and nothing more",
         [](TrackerScript& s) { authenticate(s, 120); },
         Outcome::failed,
         Basis::refused                                                                                                                                  },
        {"an answer of 121 octets and nothing more",
         [](TrackerScript& s) { authenticate(s, 121); },
         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"a short answer, then the client goes on",
         [](TrackerScript& s) {
             authenticate(s, 100);
             s.at(20ms).from_client(client_request(37, 2));
             s.at(21ms).from_server(server_answer(37, 2));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"a short answer, then the server's own INFORMATIONAL",
         [](TrackerScript& s) {
             authenticate(s, 100);
             s.at(30s).from_server(server_request(37, 0));
             s.at(30s + 1ms).from_client(client_answer(37, 0));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"a short answer, then the server's, of another SA or in clear",
         [](TrackerScript& s) {
             authenticate(s, 100);
             const auto other = spi("8899aabbccddee00");
             s.at(30s).from_server(encrypted_message(
                 initiator, other, {.exchange = 37, .id = 0, .from_initiator = false}));
             auto clear = IkeBuilder::v2(37);
             clear.spis(initiator, responder).id(1).notify(11);
             s.at(31s).from_server(clear.build());
         },                                                                                                         Outcome::failed,
         Basis::refused                                                                                                                                  },
        {"a childless SA's short answer, then a child is made",
         [](TrackerScript& s) {
             authenticate(s, 112);
             s.at(20ms).from_client(client_request(36, 2));
             s.at(22ms).from_server(server_answer(36, 2, 208));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
        {"a clear-text error after the answer is told, not acted on",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(11ms).from_server(clear_auth_error(24));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"nor does a short answer after it refuse",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(11ms).from_server(server_answer(35, 1, 100));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"a clear-text error, then the answer",
         [](TrackerScript& s) {
             agree(s);
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(9ms).from_server(clear_auth_error(24));
             s.at(10ms).from_server(server_answer(35, 1, 1400));
         },                                                                                                         Outcome::unknown,
         Basis::answered                                                                                                                                 },
        {"EAP: the last answer counts",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(20ms).from_client(client_request(35, 2));
             s.at(21ms).from_server(server_answer(35, 2, 100));
         },                                                                                                         Outcome::failed,
         Basis::refused                                                                                                                                  },
        {"EAP: a slow user, then all is well",
         [](TrackerScript& s) {
             authenticate(s);
             s.at(20ms).from_client(client_request(35, 2));
             s.at(21ms).from_server(server_answer(35, 2, 90));
             s.at(30s).from_client(client_request(35, 3));
             s.at(31s).from_server(server_answer(35, 3, 260));
             s.at(32s).from_client(client_request(37, 4));
         },                                                                                                         Outcome::established,
         Basis::later_exchange                                                                                                                           },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            check(c);
        }
}

TEST_CASE("outcome: where a handshake stops", "[tracker]") {
    const Case cases[] = {
        {"IKE_SA_INIT unanswered",
         [](TrackerScript& s) { s.at(0ms).from_client(sa_init_request(initiator)); },
         Outcome::failed,
         Basis::unanswered    },
        {"IKE_SA_INIT answered, the client falls silent",
         [](TrackerScript& s) { agree(s); },
         Outcome::unknown,
         Basis::answered      },
        {"IKE_AUTH unanswered",
         [](TrackerScript& s) {
             agree(s);
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
         },                                                                           Outcome::failed,
         Basis::unanswered    },
        {"NO_PROPOSAL_CHOSEN",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 14));
         },                                                                           Outcome::failed,
         Basis::refused       },
        {"INVALID_KE_PAYLOAD and no new try",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 17, hex("0013")));
         },                                                                           Outcome::failed,
         Basis::refused       },
        {"INVALID_KE_PAYLOAD and a new try, answered",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 17, hex("0013")));
             const InitOptions other{.group = 19, .key_bytes = 64};
             s.at(4ms).from_client(sa_init_request(initiator, other));
             s.at(6ms).from_server(sa_init_response(initiator, responder, other));
         },                                                                           Outcome::unknown,
         Basis::answered      },
        {"COOKIE, the client never comes back with it",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 16390, noise(20, 3)));
         },                                                                           Outcome::failed,
         Basis::unanswered    },
        {"COOKIE, then all is well",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 16390, noise(20, 3)));
             s.at(4ms).from_client(sa_init_request(initiator, {.cookie = noise(20, 3)}));
             s.at(6ms).from_server(sa_init_response(initiator, responder));
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(9ms).from_server(server_answer(35, 1, 1400));
             s.at(20ms).from_client(client_request(36, 2));
         },                                                                           Outcome::established,
         Basis::later_exchange},
        {"REDIRECT",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_refusal(initiator, 16407, hex("0104cb007107")));
         },                                                                           Outcome::unknown,
         Basis::redirected    },
        {"IKE_INTERMEDIATE unanswered",
         [](TrackerScript& s) {
             agree(s, {.intermediate = true});
             s.at(4ms).from_client(client_request(43, 1));
         },                                                                           Outcome::failed,
         Basis::unanswered    },
        {"IKE_INTERMEDIATE, IKE_AUTH with id 2, IKE_FOLLOWUP_KE",
         [](TrackerScript& s) {
             agree(s, {.intermediate = true});
             s.at(4ms).from_client(client_request(43, 1));
             s.at(6ms).from_server(server_answer(43, 1, 1200));
             s.at(8ms).from_client(client_request(35, 2));
             s.at(9ms).from_server(server_answer(35, 2, 1200));
             s.at(20ms).from_client(client_request(44, 3));
         },                                                                           Outcome::established,
         Basis::later_exchange},
        {"session resumption refused",
         [](TrackerScript& s) {
             s.at(0ms).from_client(resume_request());
             s.at(2ms).from_server(resume_refusal());
         },                                                                           Outcome::failed,
         Basis::refused       },
        {"session resumption refused, then the whole of IKE_SA_INIT",
         [](TrackerScript& s) {
             s.at(0ms).from_client(resume_request());
             s.at(2ms).from_server(resume_refusal());
             s.at(4ms).from_client(sa_init_request(initiator));
             s.at(6ms).from_server(sa_init_response(initiator, responder));
         },                                                                           Outcome::unknown,
         Basis::answered      },
        {"session resumption",
         [](TrackerScript& s) {
             auto answer = IkeBuilder::v2(38);
             answer.spis(initiator, responder).response().payload(40, noise(32, 3)).notify(16430);
             s.at(0ms).from_client(resume_request());
             s.at(2ms).from_server(answer.build());
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(9ms).from_server(server_answer(35, 1, 1400));
             s.at(20ms).from_client(client_request(36, 2));
         },                                                                           Outcome::established,
         Basis::later_exchange},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            check(c);
        }
}

TEST_CASE("outcome: what is seen of it only in part", "[tracker]") {
    const Case cases[] = {
        {"IKE_AUTH follows an IKE_SA_INIT we saw no answer to",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
         },                                                                      Outcome::unknown,
         Basis::half_view     },
        {"a cookie comes back that we did not see asked for",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(8ms).from_client(sa_init_request(initiator, {.cookie = noise(20, 3)}));
         },                                                                      Outcome::unknown,
         Basis::half_view     },
        {"but the answer comes after all, recorded behind the IKE_AUTH",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(8ms + 100us).from_server(sa_init_response(initiator, responder));
             s.at(10ms).from_server(server_answer(35, 1, 1400));
             s.at(20ms).from_client(client_request(36, 2));
         },                                                                      Outcome::established,
         Basis::later_exchange},
        {"but the answer comes after all, and IKE_AUTH is unanswered",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(8ms + 100us).from_server(sa_init_response(initiator, responder));
         },                                                                      Outcome::failed,
         Basis::unanswered    },
        {"an EAP round's answer recorded behind the next request",
         [](TrackerScript& s) {
             agree(s);
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(20ms).from_client(client_request(35, 2));
             s.at(20ms + 100us).from_server(server_answer(35, 1, 1400));
             s.at(22ms).from_server(server_answer(35, 2, 260));
             s.at(40ms).from_client(client_request(36, 3));
         },                                                                      Outcome::established,
         Basis::later_exchange},
        {"the answer before the one that was doubted heals nothing",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(20ms).from_client(client_request(35, 2));
             s.at(20ms + 100us).from_server(sa_init_response(initiator, responder));
         },                                                                      Outcome::unknown,
         Basis::half_view     },
        {"only answers",
         [](TrackerScript& s) {
             s.at(2ms).from_server(sa_init_response(initiator, responder));
             s.at(9ms).from_server(server_answer(35, 1, 1400));
         },                                                                      Outcome::unknown,
         Basis::half_view     },
        {"first met in IKE_AUTH",
         [](TrackerScript& s) {
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(9ms).from_server(server_answer(35, 1, 1400));
         },                                                                      Outcome::unknown,
         Basis::mid_stream    },
        {"first met in IKE_AUTH, then ESP",
         [](TrackerScript& s) {
             s.at(8ms).from_client(encrypted_message(initiator, responder, {}));
             s.at(9ms).from_server(server_answer(35, 1, 1400));
             s.at(20ms).esp(s.client, s.server);
         },                                                                      Outcome::established,
         Basis::esp           },
        {"first met in CREATE_CHILD_SA",
         [](TrackerScript& s) { s.at(8ms).from_client(client_request(36, 5)); },
         Outcome::established,
         Basis::later_exchange},
        {"first met in the server's INFORMATIONAL",
         [](TrackerScript& s) { s.at(8ms).from_server(server_request(37, 3)); },
         Outcome::established,
         Basis::later_exchange},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            check(c);
        }
}

TEST_CASE("outcome: answers that do not count", "[tracker]") {
    const Case cases[] = {
        {"from another port",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 {s.server.address, 501}, s.client, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"from another port of a configured server",
         [](TrackerScript& s) {
             s.tracker.set_policy(two_addresses());
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 {s.server.address, 501}, s.client, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"from another port of where a configured server is inside",
         [](TrackerScript& s) {
             s.tracker.set_policy(two_addresses());
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 {address("10.0.0.5"), 501}, s.client, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"from another address of a configured server",
         [](TrackerScript& s) {
             s.tracker.set_policy(two_addresses());
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 {address("203.0.113.6"), 500}, s.client, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"to another port",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 s.server, {s.client.address, 1024}, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"from another address",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).send(
                 {address("203.0.113.6"), 500}, s.client, sa_init_response(initiator, responder));
         }, Outcome::failed,
         Basis::unanswered},
        {"of another exchange",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(server_answer(35, 1, 1400));
         }, Outcome::failed,
         Basis::unanswered},
        {"refused by our gate",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(2ms).from_server(sa_init_response(initiator, responder),
                                   {.refused = true, .reason = Reason::checksum});
         }, Outcome::failed,
         Basis::unanswered},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            check(c);
        }
}

TEST_CASE("outcome: open until it is known, closed after 60 s of silence", "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator));
    script.expire(59s);
    CHECK(script.handshake().outcome == Outcome::in_progress);
    CHECK(script.tracker.handshakes_in_progress() == 1);
    CHECK(script.tracker.next_deadline() == script_start + 60s + 50ms);
    script.expire(60s + 50ms);
    CHECK(script.handshake().outcome == Outcome::failed);
    CHECK(script.tracker.handshakes_in_progress() == 0);
    CHECK_FALSE(script.tracker.next_deadline());
}

TEST_CASE("outcome: a client that comes back after the end opens it again", "[tracker]") {
    TrackerScript script;
    authenticate(script, 100);
    script.expire(90s);
    CHECK(script.handshake().basis == Basis::refused);
    script.at(95s).from_client(client_request(35, 2)).expire(96s);
    CHECK(script.handshake().outcome == Outcome::in_progress);
    script.at(96s).from_server(server_answer(35, 2, 1400));
    script.at(97s).from_client(client_request(36, 3)).end();
    CHECK(script.handshake().outcome == Outcome::established);
    // Counters never go back, but a success is one, whatever it was taken for before.
    const auto& totals = script.tracker.server_totals().at(0);
    CHECK(totals.started[2] == 1);
    CHECK(totals.failed == std::map<std::string, std::uint64_t>{
                               {"auth_rejected_probably", 1}
    });
    CHECK(totals.completed[2] == 1);
    CHECK(totals.duration.back() == 1);
    for (const auto& address : {script.handshake().client.address, script.server.address}) {
        const auto* peer = script.tracker.find_peer(address);
        REQUIRE(peer != nullptr);
        CHECK(peer->handshakes_ok == 1);
        CHECK(peer->handshakes_failed == 0);
    }
    const auto ends = [&] {
        std::vector<bool> counted;
        for (const auto& event : script.tracker.take_events())
            if (const auto* ended = std::get_if<HandshakeEnded>(&event.what))
                counted.push_back(ended->counted);
        return counted;
    };
    CHECK(ends() == std::vector<bool>{true, true}); // the failure, the success
    SECTION("and is no second one when it goes on") {
        script.at(100s).from_client(client_request(36, 4)).end();
        for (const bool counted : ends()) CHECK_FALSE(counted);
        CHECK(script.tracker.server_totals().at(0).completed[2] == 1);
    }
}

TEST_CASE("outcome: an IKE_AUTH a day after an IKE_SA_INIT whose answer was not seen",
          "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator)).expire(24h);
    CHECK(script.handshake().basis == Basis::unanswered);
    script.at(24h).from_client(encrypted_message(initiator, responder, {})).end();
    CHECK(script.handshake().outcome == Outcome::unknown);
    CHECK(script.handshake().basis == Basis::half_view);
    const auto& totals = script.tracker.server_totals().at(0);
    CHECK(totals.failed == std::map<std::string, std::uint64_t>{
                               {"unnamed", 1}
    });
}

TEST_CASE("two real answers to IKE_SA_INIT: the client's next request tells which it took",
          "[tracker]") {
    const auto other = spi("8899aabbccddee66");
    struct Case {
        std::string name;
        Spi taken;
        Fragmentation fragmentation;
    };
    const Case cases[] = {
        {"the first",  responder, Fragmentation::ike },
        {"the second", other,     Fragmentation::none},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script);
            script.at(4ms).from_server(
                sa_init_response(initiator, other, {.fragmentation = false}));
            script.at(8ms).from_client(encrypted_message(initiator, c.taken, {}));
            script.at(10ms).from_server(encrypted_message(
                initiator, c.taken, {.response = true, .from_initiator = false, .bytes = 1400}));
            script.at(20ms).from_client(
                encrypted_message(initiator, c.taken, {.exchange = 36, .id = 2, .bytes = 80}));
            const auto handshake = script.end().handshake();
            CHECK(handshake.outcome == Outcome::established);
            CHECK(handshake.responder_spi == c.taken);
            CHECK(handshake.server_side.fragmentation == c.fragmentation);
            CHECK(handshake.proven);
        }
}

TEST_CASE("a further answer to an answered IKE_AUTH is in the timeline", "[tracker]") {
    TrackerScript script;
    authenticate(script);
    script.at(11ms).from_server(clear_auth_error(24));
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.messages.size() == 5);
    CHECK(handshake.messages[4].error_notify == 24);
    CHECK(handshake.auth_answered == script_start + 10ms);
}

TEST_CASE("an opening of a stranger with a running handshake's SPI takes nothing over",
          "[tracker]") {
    const auto theirs = spi("8899aabbccddee55");
    const Endpoint stranger{address("198.51.100.99"), 500};
    const auto open = [&](TrackerScript& script, Duration at, const ByteVector& request) {
        script.at(at).send(stranger, script.server, request);
        script.at(at + 1ms).send(script.server, stranger, sa_init_response(initiator, theirs));
    };
    SECTION("after the real answer") {
        TrackerScript script;
        std::uint32_t addresses = 1;
        agree(script);
        SECTION("with bytes of its own") {
            open(script, 5ms, sa_init_request(initiator, {.key_bytes = 64}));
        }
        SECTION("with the client's bytes") { open(script, 50ms, sa_init_request(initiator)); }
        SECTION("behind a request of its own") {
            script.at(4ms).send(stranger, script.server, client_request(37, 9));
            open(script, 5ms, sa_init_request(initiator, {.key_bytes = 64}));
            script.expire(60ms);
            CHECK(script.handshake().messages[3].unasked);
            addresses = 2;
        }
        script.at(80ms).from_client(encrypted_message(initiator, responder, {}));
        script.at(82ms).from_server(server_answer(35, 1, 1400));
        script.at(90ms).from_client(client_request(36, 2));
        const auto handshake = script.end().handshake();
        CHECK(handshake.outcome == Outcome::established);
        CHECK(handshake.responder_spi == responder);
        CHECK(handshake.client == script.client);
        CHECK(handshake.client_addresses == addresses);
        CHECK(handshake.retransmits == 0);
        CHECK(script.tracker.peer_count() == 2);
    }
    SECTION("before it: it may be the client behind a NAT that changed its address") {
        TrackerScript script;
        script.at(0ms).from_client(sa_init_request(initiator));
        script.client = stranger;
        script.at(2s).from_client(sa_init_request(initiator));
        script.at(2s + 2ms).from_server(sa_init_response(initiator, responder));
        script.at(2s + 8ms).from_client(encrypted_message(initiator, responder, {}));
        script.at(2s + 9ms).from_server(server_answer(35, 1, 1400));
        script.at(2s + 20ms).from_client(client_request(36, 2));
        const auto handshake = script.end().handshake();
        CHECK(handshake.outcome == Outcome::established);
        CHECK(handshake.client_addresses == 2);
        CHECK(handshake.client == stranger);
        CHECK(handshake.offered.size() == 3);
        CHECK(handshake.proven);
    }
}
