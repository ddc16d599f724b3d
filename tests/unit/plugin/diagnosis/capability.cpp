// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <memory>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

namespace {

HandshakeScript offered(std::shared_ptr<Firewall> firewall = std::make_shared<Firewall>()) {
    HandshakeScript script(std::move(firewall));
    script.offers(Fragmentation::ike, Fragmentation::none).sa_init().at(0.05).sa_answer().at(0.1);
    return script;
}

HandshakeScript fine(HandshakeScript script) {
    return well(script.auth(1300).at(0.2).answer(1300));
}

HandshakeScript::Change in_ip_fragments(std::uint16_t count) {
    return [count](MessageRecord& message) {
        message.ip_fragments = count;
        message.first_fragment_bytes = 1500;
    };
}

} // namespace

TEST_CASE("D01: the server does not answer the offer", "[diagnosis]") {
    check({
        {"and a message came in IP fragments",
         "D01 D32",                                   [] { return well(offered().auth(2200, 2).at(0.2).answer(1300)); }},
        {"and the third client meets it",
         "D01 D32",                                   [] {
             auto firewall = std::make_shared<Firewall>();
             fine(offered(firewall).client("203.0.113.8"));
             fine(offered(firewall).client("203.0.113.9"));
             return fine(offered(firewall));
         }                                                                                          },
        {"not the second",
         "D32",                                       [] {
             auto firewall = std::make_shared<Firewall>();
             fine(offered(firewall).client("203.0.113.8"));
             return fine(offered(firewall));
         }                                                                                              },
        {"not the same client thrice",
         "D32",                                       [] {
             auto firewall = std::make_shared<Firewall>();
             fine(offered(firewall));
             fine(offered(firewall));
             return fine(offered(firewall));
         }                                                                                              },
        {"told once a day by number",
         "D32",                                       [] {
             auto firewall = std::make_shared<Firewall>();
             for (const auto* client : {"203.0.113.8", "203.0.113.9", "203.0.113.10"})
                 fine(offered(firewall).client(client));
             return fine(offered(firewall));
         }                                                                                              },
        {"not on a COOKIE answer",
         "",                                          [] {
             HandshakeScript script;
             script.offers(Fragmentation::ike, Fragmentation::unknown);
             return script.sa_init().at(0.1).sa_refusal(Note::cookie).at(0.2).auth(2200, 2);
         }                                                                                                 },
        {"not when both offer",                "D32", [] { return fine(agreed()); }                                    },
    });
    SECTION("the remedy is the server's own, where it is known") {
        auto script = offered();
        script.handshake.server_side.vendor = "fortinet";
        script.auth(2200, 2);
        REQUIRE(script.finding("D01") != nullptr);
        CHECK(script.finding("D01")->remedy ==
              "Turn on IKE fragmentation at the server: FortiGate: config vpn ipsec "
              "phase1-interface; edit NAME; set fragmentation enable; end.");
    }
}

TEST_CASE("D02: the client cannot", "[diagnosis]") {
    check({
        {"and its IKE_AUTH came in IP fragments",
         "D02 D32",                                      [] { return well(plain().auth(2200, 2).at(0.2).answer(1300)); }},
        {"not when it fits",                      "D32", [] { return fine(plain()); }                                   },
        {"not with Cisco's vendor ID",
         "D32",                                          [] {
             HandshakeScript script;
             script.offers(Fragmentation::cisco, Fragmentation::none)
                 .sa_init()
                 .at(0.05)
                 .sa_answer();
             return well(script.at(0.1).auth(2200, 2).at(0.2).answer(1300));
         }                                                                                               },
    });
}

TEST_CASE("D03: agreed and not used", "[diagnosis]") {
    check({
        {"repeated unfragmented",
         "D03 D32", [] { return well(agreed().auth(2200, 2).at(4).auth(2200, 2).at(4.1).answer(1300)); }},
        {"not one try that is answered",
         "D32",     [] { return well(agreed().auth(2200, 2).at(0.2).answer(1300)); }                    },
        {"not when IKE fragments follow",
         "D15 D32", [] {
             return well(agreed()
                             .auth(2200, 2)
                             .at(2)
                             .auth(2200, 2)
                             .at(4)
                             .piece(in, 1, 2)
                             .piece(in, 2, 2, 600)
                             .at(4.1)
                             .answer(1300));
         }                                                                           },
        {"answer unfragmented to a fragmented request",
         "D03 D32", [] {
             return well(agreed().piece(in, 1, 2).piece(in, 2, 2, 600).at(0.2).answer(2200, 2));
         }                                                                           },
    });
}

TEST_CASE("D13: IKE fragments in IP fragments", "[diagnosis]") {
    check({
        {"too large for the path",
         "D13 D32", [] {
             return well(agreed()
                             .piece(in, 1, 2, 1600, 35, 1, in_ip_fragments(2))
                             .piece(in, 2, 2, 500)
                             .at(0.2)
                             .answer(1300));
         }                                                                              },
        {"not when they fit",
         "D32",     [] { return well(agreed().piece(in, 1, 2).piece(in, 2, 2, 500).at(0.2).answer(1300)); }},
    });
}

TEST_CASE("D14: smaller fragments on the second try", "[diagnosis]") {
    check({
        {"larger total, smaller pieces",
         "D14 D32", [] {
             auto script = agreed().piece(in, 1, 2, 1448).piece(in, 2, 2, 1448).at(4);
             for (std::uint16_t i = 1; i <= 6; ++i) script.piece(in, i, 6, 500);
             return well(script.at(4.1).answer(1300));
         }},
        {"not a repeat of the same size",
         "D32",     [] {
             return well(agreed()
                             .piece(in, 1, 2)
                             .piece(in, 2, 2)
                             .at(4)
                             .piece(in, 1, 2)
                             .piece(in, 2, 2)
                             .at(4.1)
                             .answer(1300));
         }    },
    });
    const auto script = well(agreed()
                                 .piece(in, 1, 1, 1448)
                                 .at(4)
                                 .piece(in, 1, 2, 800)
                                 .piece(in, 2, 2, 700)
                                 .at(4.1)
                                 .answer(1300));
    REQUIRE(script.finding("D14") != nullptr);
    CHECK(script.finding("D14")->sentence.find(
              "first as 1 IKE fragment of up to 1480 octets, then as 2 of up to 832: ") !=
          std::string::npos);
}

TEST_CASE("D15: fragments only after repeats", "[diagnosis]") {
    check({
        {"plain, then IKE fragments",
         "D15 D32", [] {
             return well(
                 agreed().auth(1400).at(3).piece(in, 1, 2).piece(in, 2, 2).at(3.1).answer(1300));
         }},
        {"not the other way round",
         "D32",     [] {
             return well(
                 agreed().piece(in, 1, 2).piece(in, 2, 2).at(3).auth(1400).at(3.1).answer(1300));
         }    },
    });
}

TEST_CASE("D17: IKE_SA_INIT in IP fragments", "[diagnosis]") {
    check({
        {"request",
         "D17 D32", [] {
             HandshakeScript script;
             script.sa_init([](MessageRecord& message) {
                 message.ip_fragments = 2;
                 message.message_bytes = 2300;
                 message.first_fragment_bytes = 1500;
             });
             return fine(script.at(0.05).sa_answer().at(0.1));
         }},
        {"not a large one in one packet",
         "D32",     [] {
             HandshakeScript script;
             script.sa_init([](MessageRecord& message) { message.message_bytes = 1450; });
             return fine(script.at(0.05).sa_answer().at(0.1));
         }    },
    });
}

TEST_CASE("D33: IKEv1 fragmentation", "[diagnosis]") {
    const auto v1 = [](Fragmentation client, Fragmentation server, bool large) {
        HandshakeScript script;
        script.version(1).offers(client, server);
        const auto notes = [](std::initializer_list<Note> list) {
            return [list = std::vector<Note>(list)](MessageRecord& message) {
                message.notes = Notes{};
                for (const auto note : list) message.notes.set(note);
            };
        };
        script.message(2, 0, in, Role::request, 200, notes({Note::sa, Note::known_vendor}));
        script.handshake.init_answered = true;
        script.at(0.05).message(2, 0, out, Role::request, 150, notes({Note::sa}));
        script.at(0.1).message(
            2, 0, in, Role::request, 300, notes({Note::ke, Note::nat_detection}));
        script.at(0.15).message(2, 0, out, Role::request, 300, notes({Note::ke}));
        const auto last = [&](MessageRecord& message) {
            notes({Note::encrypted})(message);
            if (large) in_ip_fragments(2)(message);
        };
        script.at(0.2).message(2, 0, in, Role::request, large ? 2200 : 900, last);
        script.at(0.3).message(2, 0, out, Role::request, 900, notes({Note::encrypted}));
        return well(script);
    };
    using F = Fragmentation;
    check({
        {"nobody has it, IP fragments", "D32 D33", [=] { return v1(F::none, F::none, true); } },
        {"the server lacks it",         "D32 D33", [=] { return v1(F::v1, F::none, true); }   },
        {"not when both have it",       "D32",     [=] { return v1(F::v1, F::v1, true); }     },
        {"not when it fits",            "D32",     [=] { return v1(F::none, F::none, false); }},
    });
    CHECK(v1(F::v1, F::none, true).finding("D33")->actor == Actor::server);
    CHECK(v1(F::none, F::v1, true).finding("D33")->actor == Actor::client);
}

TEST_CASE("D31: whose timing it is", "[diagnosis]") {
    const auto with = [](std::initializer_list<double> times) {
        auto script = plain();
        for (const double t : times) script.at(0.1 + t).auth(1300);
        return script;
    };
    check({
        {"three gaps",
         "D07 D31", [=] {
             return failed(with({0, 1, 3, 7}));
         }},
        {"not two",
         "D07",     [=] {
             return failed(with({0, 1, 3}));
         }    },
    });
    struct Row {
        std::string stack;
        std::vector<double> times;
    };
    const Row rows[] = {
        {"Windows",                 {0, 1, 3, 7, 15, 31, 47}},
        {"strongSwan",              {0, 4, 11.2, 24.2, 47.5}},
        {"libreswan or Android",    {0, 0.5, 1.5, 3.5}      },
        {"MikroTik",                {0, 5, 10, 15, 20}      },
        {"racoon or old Cisco IOS", {0, 10, 20, 30}         },
        {"no stack known here",     {0, 2, 2.5, 9}          },
    };
    for (const auto& row : rows) DYNAMIC_SECTION(row.stack) {
            auto script = plain();
            for (const double t : row.times) script.at(0.1 + t).auth(1300);
            REQUIRE(script.finding("D31") != nullptr);
            CHECK(script.finding("D31")->sentence.find(row.stack + ".") != std::string::npos);
        }
}

TEST_CASE("D32: success, and how", "[diagnosis]") {
    const auto script = well(plain().auth(2200, 2).at(0.6).answer(1300));
    REQUIRE(script.finding("D32") != nullptr);
    CHECK(script.finding("D32")->sentence ==
          "203.0.113.7 and 198.51.100.5 set up IKEv2 in 0.600 s: IKE_AUTH 2 IP fragments, 2200 "
          "octets, answer 1300 octets; no repeats; ESP seen.");
    CHECK(script.finding("D32")->closed);
    const auto single = well(agreed().piece(in, 1, 1, 600).at(0.6).piece(out, 1, 1, 700));
    REQUIRE(single.finding("D32") != nullptr);
    CHECK(single.finding("D32")->sentence.find(
              ": IKE_AUTH 1 IKE fragment, 600 octets, answer 1 IKE fragment, 700 octets; ") !=
          std::string::npos);
    SECTION("not for an SA met in the middle of its life") {
        HandshakeScript other;
        other.handshake.mid_stream = true;
        other.message(37, 5, in, Role::request, 80).at(0.1).message(37, 5, out, Role::response, 80);
        CHECK(well(other).ids().empty());
    }
}

TEST_CASE("D35: one network fails, the others do not", "[diagnosis]") {
    const auto many = [](int bad, int good) {
        auto firewall = std::make_shared<Firewall>();
        for (int i = 0; i < good; ++i)
            fine(plain(firewall).client("192.0.2." + std::to_string(i + 1)));
        for (int i = 0; i < bad - 1; ++i)
            failed(plain(firewall)
                       .client("100.64.1." + std::to_string(i + 1))
                       .auth_partial()
                       .at(1)
                       .auth_partial());
        return failed(plain(firewall).client("100.64.2.1").auth_partial().at(1).auth_partial());
    };
    check({
        {"carrier-grade NAT",             "D02 D04 D35", [=] { return many(20, 20); }},
        {"not with 19",                   "D02 D04",     [=] { return many(19, 20); }},
        {"not without others to compare", "D02 D04",     [=] { return many(20, 5); } },
    });
}
