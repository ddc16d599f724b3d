// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");
const auto auth = encrypted_message(initiator, responder, {});
const auto auth_answer =
    encrypted_message(initiator, responder, {.response = true, .from_initiator = false, .seed = 2});

void agree(TrackerScript& script) {
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2ms).from_server(sa_init_response(initiator, responder));
}

} // namespace

TEST_CASE("retransmits: the same bytes again, of either side", "[tracker]") {
    struct Case {
        std::string name;
        void (*play)(TrackerScript&);
        std::uint32_t retransmits;
        std::size_t records;
    };
    const Case cases[] = {
        {"none",                                                        [](TrackerScript& s) { agree(s); }, 0, 2},
        {"the request twice more",
         [](TrackerScript& s) {
             agree(s);
             s.at(10ms).from_client(auth).at(1010ms).from_client(auth).at(3010ms).from_client(auth);
         },                                                                                                 2,
         5                                                                                                      },
        {"request and answer",
         [](TrackerScript& s) {
             agree(s);
             s.at(10ms).from_client(auth).at(12ms).from_server(auth_answer);
             s.at(1010ms).from_client(auth).at(1012ms).from_server(auth_answer);
         },                                                                                                 2,
         6                                                                                                      },
        {"one packet shown twice",
         [](TrackerScript& s) {
             agree(s);
             s.at(10ms).from_client(auth).at(10ms + 3us).from_client(auth);
         },                                                                                                 0,
         3                                                                                                      },
        {"every packet of a retransmit shown twice",
         [](TrackerScript& s) {
             agree(s);
             s.at(10ms).from_client(auth).at(10ms + 3us).from_client(auth);
             s.at(510ms).from_client(auth).at(510ms + 3us).from_client(auth);
         },                                                                                                 1,
         4                                                                                                      },
        {"other bytes, same id: refragmented, a cookie, another group",
         [](TrackerScript& s) {
             s.at(0ms).from_client(sa_init_request(initiator));
             s.at(1s).from_client(sa_init_request(initiator, {.group = 19}));
         },                                                                                                 0,
         2                                                                                                      },
        {"EAP rounds are progress",
         [](TrackerScript& s) {
             agree(s);
             for (std::uint32_t id = 1; id <= 4; ++id)
                 s.at(id * 1s).from_client(
                     encrypted_message(initiator, responder, {.id = id, .bytes = 100}));
         },                                                                                                 0,
         6                                                                                                      },
        {"the move to port 4500 keeps the bytes",
         [](TrackerScript& s) {
             agree(s);
             s.at(10ms).from_client(auth);
             s.float_ports().at(1s).from_client(auth);
         },                                                                                                 1,
         4                                                                                                      },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            c.play(script);
            const auto handshake = script.end().handshake();
            CHECK(handshake.retransmits == c.retransmits);
            CHECK(handshake.messages.size() == c.records);
            std::uint32_t marked = 0;
            for (const auto& record : handshake.messages) marked += record.retransmit ? 1 : 0;
            CHECK(marked == c.retransmits);
        }
    }
}

TEST_CASE("retransmits: a frame shown twice is a message of the capture, not of the handshake",
          "[tracker]") {
    TrackerScript script;
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2us).from_client(sa_init_request(initiator)).end();
    CHECK(script.tracker.totals().messages == 2);
    CHECK(script.handshake().messages.size() == 1);
}

TEST_CASE("retransmits: of SKF by fragment 1, a set counts once", "[tracker]") {
    const auto set = skf_set(initiator, responder, {.bytes = 4000}, 1200);
    REQUIRE(set.size() == 4);
    struct Case {
        std::string name;
        void (*play)(TrackerScript&, const std::vector<ByteVector>&);
        std::uint32_t retransmits;
        std::uint16_t attempts;
    };
    const Case cases[] = {
        {"once",
         [](TrackerScript& s, const std::vector<ByteVector>& pieces) { s.from_client(pieces); },
         0,                                                                                         1},
        {"three times",
         [](TrackerScript& s, const std::vector<ByteVector>& pieces) {
             s.from_client(pieces).at(1s).from_client(pieces).at(3s).from_client(pieces);
         },                                                         2,
         3                                                                                           },
        {"again without fragment 1",
         [](TrackerScript& s, const std::vector<ByteVector>& pieces) {
             s.from_client(pieces).at(1s);
             for (std::size_t i = 1; i < pieces.size(); ++i) s.from_client(pieces[i]);
         },                                                         0,
         1                                                                                           },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script);
            c.play(script.at(10ms), set);
            const auto handshake = script.end().handshake();
            CHECK(handshake.retransmits == c.retransmits);
            REQUIRE(handshake.sets.size() == 1);
            CHECK(handshake.sets[0].attempts == c.attempts);
            CHECK(handshake.sets[0].complete);
            CHECK(script.tracker.totals().skf_sets == 1);
            CHECK(script.tracker.totals().skf_complete == 1);
        }
    }
}
