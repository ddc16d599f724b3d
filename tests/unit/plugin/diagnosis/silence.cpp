// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <memory>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

TEST_CASE("D06: nothing arrives after IKE_SA_INIT", "[diagnosis]") {
    check({
        {"the only attempt of the server",                                        "D06", [] { return failed(plain()); }                                       },
        {"not within 10 s",                                                       "",    [] { return plain().at(9.9); }                                       },
        {"after 10 s",                                                            "D06", [] { return plain().at(10.2); }                                      },
        {"not a scanner: no NAT detection, no 16430, no vendor ID",
         "",                                                                             [] {
             HandshakeScript script;
             const auto bare = [](MessageRecord& message) {
                 message.notes = Notes{};
                 message.notes.set(Note::sa);
                 message.notes.set(Note::ke);
                 message.notes.set(Note::nonce);
             };
             return failed(script.sa_init(bare).at(0.05).sa_answer());
         }                                                                                                                                        },
        {"not while the client repeats IKE_SA_INIT",
         "",                                                                             [] { return failed(plain().at(0.5).sa_init().at(0.55).sa_answer()); }},
        {"not with half the view",
         "",                                                                             [] {
             auto script = plain();
             script.handshake.half_view = true;
             return failed(script);
         }                                                                                                                                        },
        {"not when answers pass to what was not seen: 4500 takes another way in",
         "",                                                                             [] {
             const auto unasked = [](MessageRecord& message) { message.unasked = true; };
             return plain()
                 .at(0.2)
                 .message(35, 1, out, Role::response, 1300, unasked)
                 .at(60)
                 .ends(Outcome::unknown, Basis::answered);
         }                                                                                                                                        },
        {"not when the server begins an exchange of its own",
         "",                                                                             [] {
             return plain()
                 .at(8)
                 .message(37, 0, out, Role::request, 80)
                 .at(60)
                 .ends(Outcome::unknown, Basis::answered);
         }                                                                                                                                        },
        {"withdrawn, and no longer counted, when the client goes on after all",
         "",                                                                             [] {
             auto firewall = std::make_shared<Firewall>();
             const auto late = [&](const std::string& client) {
                 return well(
                     plain(firewall).client(client).at(12).auth(1300).at(12.2).answer(1300));
             };
             for (int i = 0; i < 9; ++i) late("203.0.113." + std::to_string(i + 8));
             return failed(plain(firewall));
         }                                                                                                                                        },
        {"not when one in ten attempts of the server stops there",
         "",                                                                             [] {
             auto firewall = std::make_shared<Firewall>();
             for (int i = 0; i < 9; ++i)
                 well(plain(firewall)
                          .client("192.0.2." + std::to_string(i + 1))
                          .auth(1300)
                          .at(0.2)
                          .answer(1300));
             return failed(plain(firewall));
         }                                                                                                                                        },
        {"when three of one client network do",
         "D06",                                                                          [] {
             auto firewall = std::make_shared<Firewall>();
             for (int i = 0; i < 30; ++i)
                 well(plain(firewall)
                          .client("192.0.2." + std::to_string(i + 1))
                          .auth(1300)
                          .at(0.2)
                          .answer(1300));
             failed(plain(firewall).client("203.0.113.8"));
             failed(plain(firewall).client("203.0.113.9"));
             return failed(plain(firewall));
         }                                                                                                                                     },
    });
}

TEST_CASE("D07: IKE_AUTH came complete, the server is silent", "[diagnosis]") {
    const auto tries = [](HandshakeScript script, std::initializer_list<double> times) {
        for (const double t : times) script.at(t).auth(1300);
        return script;
    };
    check({
        {"three tries",
         "D07",     [=] {
             return failed(tries(plain(), {0.1, 1.1, 3.1}));
         }                                                                               },
        {"in IP fragments",
         "D02 D07", [] { return failed(plain().auth(2200, 2).at(1).auth(2200, 2).at(3).auth(2200, 2)); }},
        {"in IKE fragments",
         "D07",     [] {
             auto script = agreed();
             for (const double t : {0.1, 1.1, 3.1})
                 script.at(t).piece(in, 1, 2).piece(in, 2, 2, 500);
             return failed(script);
         }                                                                               },
        {"named 5 s after the first try",
         "D07",     [=] {
             return tries(plain(), {0.1, 1.1, 3.1}).at(5.2);
         }                                                                               },
        {"not earlier",
         "",        [=] {
             return tries(plain(), {0.1, 1.1, 3.1}).at(5.0);
         }                                                                                  },
        {"not after two tries",
         "",        [=] {
             return failed(tries(plain(), {0.1, 4.1}));
         }                                                                                  },
        {"withdrawn when the server answers after all",
         "D32",     [=] {
             return well(tries(plain(), {0.1, 1.1, 3.1}).at(8).answer(1500));
         }                                                                               },
        {"not for an EAP round that takes 30 s",
         "D31",     [] {
             return plain()
                 .auth(1300)
                 .at(0.2)
                 .answer(1500)
                 .at(0.3)
                 .auth(200, 0, 2)
                 .at(1.3)
                 .auth(200, 0, 2)
                 .at(3.3)
                 .auth(200, 0, 2)
                 .at(7.3)
                 .auth(200, 0, 2)
                 .at(30);
         }                                                                               },
        {"for an EAP round that takes more than 60 s",
         "D07 D31", [] {
             return failed(plain()
                               .auth(1300)
                               .at(0.2)
                               .answer(1500)
                               .at(0.3)
                               .auth(200, 0, 2)
                               .at(1.3)
                               .auth(200, 0, 2)
                               .at(3.3)
                               .auth(200, 0, 2)
                               .at(7.3)
                               .auth(200, 0, 2),
                           70);
         }                                                                           },
        {"not with half the view",
         "",        [=] {
             auto script = plain();
             script.handshake.half_view = true;
             return failed(tries(script, {0.1, 1.1, 3.1}));
         }                                                                                  },
        {"not while answers of its server take another way",
         "",        [=] {
             auto script = plain();
             script.handshake.muted = true;
             return failed(tries(script, {0.1, 1.1, 3.1}));
         }                                                                                  },
        {"half a view of one handshake mutes no other",
         "D07",     [=] {
             auto firewall = std::make_shared<Firewall>();
             auto other = plain(firewall);
             other.handshake.half_view = true;
             failed(other);
             return failed(tries(plain(firewall), {0.1, 1.1, 3.1}));
         }                                                                               },
    });
    SECTION("whose doing it is depends on whether it left us") {
        CHECK(failed(tries(plain(), {0.1, 1.1, 3.1})).finding("D07")->actor ==
              Actor::server_network);
        auto script = plain().leaving(true);
        const auto left = failed(tries(script, {0.1, 1.1, 3.1}));
        REQUIRE(left.finding("D07") != nullptr);
        CHECK(left.finding("D07")->actor == Actor::server);
        CHECK(left.finding("D07")->sentence.find("left this firewall") != std::string::npos);
    }
}

TEST_CASE("D08: UDP 4500 of a server is dead for all", "[diagnosis]") {
    const auto stuck = [](std::shared_ptr<Firewall> firewall, const std::string& client) {
        return failed(
            plain(std::move(firewall)).client(client).auth(1300).at(1).auth(1300).at(3).auth(1300));
    };
    check({
        {"third client",
         "D07 D08", [=] {
             auto firewall = std::make_shared<Firewall>();
             stuck(firewall, "203.0.113.8");
             stuck(firewall, "203.0.113.9");
             return stuck(firewall, "203.0.113.10");
         }},
        {"not the same client three times",
         "D07",     [=] {
             auto firewall = std::make_shared<Firewall>();
             stuck(firewall, "203.0.113.8");
             stuck(firewall, "203.0.113.8");
             return stuck(firewall, "203.0.113.8");
         }    },
        {"not after a success",
         "D07",     [=] {
             auto firewall = std::make_shared<Firewall>();
             well(plain(firewall).client("203.0.113.99").auth(1300).at(0.2).answer(1500));
             stuck(firewall, "203.0.113.8");
             stuck(firewall, "203.0.113.9");
             return stuck(firewall, "203.0.113.10");
         }    },
        {"told once",
         "D07",     [=] {
             auto firewall = std::make_shared<Firewall>();
             stuck(firewall, "203.0.113.8");
             stuck(firewall, "203.0.113.9");
             stuck(firewall, "203.0.113.10");
             return stuck(firewall, "203.0.113.11");
         }    },
    });
}

TEST_CASE("D09: IKE_SA_INIT is never answered", "[diagnosis]") {
    const auto tries = [](HandshakeScript script, int count) {
        for (int i = 0; i < count; ++i) script.at(i * 2.0).sa_init();
        return script;
    };
    check({
        {"three",                                      "D09", [=] { return failed(tries(HandshakeScript(), 3)); }},
        {"named with the third",                       "D09", [=] { return tries(HandshakeScript(), 3); }        },
        {"not two",                                    "",    [=] { return failed(tries(HandshakeScript(), 2)); }},
        {"not when COOKIE answers show a busy server",
         "",                                                  [] {
             HandshakeScript script;
             return failed(
                 script.sa_init().at(1).sa_init().at(1.1).sa_refusal(Note::cookie).at(3).sa_init());
         }                                                                                           },
        {"not a scanner",
         "",                                                  [] {
             HandshakeScript script;
             const auto bare = [](MessageRecord& message) {
                 message.notes = Notes{};
                 message.notes.set(Note::sa);
             };
             return failed(script.sa_init(bare).at(1).sa_init(bare).at(2).sa_init(bare));
         }                                                                                           },
        {"not in the first minute of a daemon's life",
         "",                                                  [=] {
             HandshakeScript script;
             script.handshake.muted = true;
             return failed(tries(script, 3));
         }                                                                                           },
    });
}

TEST_CASE("D09: IKE_SA_INIT of which only the first IP fragment comes", "[diagnosis]") {
    const auto part = [](MessageRecord& message) {
        message.transport = Transport::ip;
        message.complete = message.last_seen = false;
        message.reason = Reason::timeout;
        message.ip_fragments = 1;
        message.message_bytes = 1976;
        message.first_fragment_bytes = 1500;
        message.notes = Notes{};
        message.notes.set(Note::sa);
    };
    const auto tries = [=](int partial, int whole) {
        HandshakeScript script;
        int at = 0;
        for (int i = 0; i < partial; ++i) script.at(2.0 * at++).sa_init(part);
        for (int i = 0; i < whole; ++i) script.at(2.0 * at++).sa_init();
        return failed(script);
    };
    check({
        {"three, though nothing of a VPN client shows in them",
         "D09 D17",                                                        [=] { return tries(3, 0); }},
        {"one of them whole",                                   "D09 D17", [=] { return tries(3, 1); }},
        {"not two",                                             "D17",     [=] { return tries(2, 0); }},
    });
    const auto script = tries(3, 0);
    REQUIRE(script.finding("D09") != nullptr);
    CHECK(script.finding("D09")->actor == Actor::client_network);
    CHECK(script.finding("D09")->sentence ==
          "203.0.113.7 sent IKE_SA_INIT 3 times (+0.0 +2.0 +4.0 s) and 198.51.100.5 "
          "answered "
          "none of them: of its IP fragments only the first arrived here.");
}

TEST_CASE("D16: more fragments than the receiver takes", "[diagnosis]") {
    const auto tries = [](std::uint16_t total, std::uint32_t bytes) {
        auto script = agreed();
        for (const double t : {0.1, 1.1, 3.1}) {
            script.at(t);
            for (std::uint16_t i = 1; i <= total; ++i) script.piece(in, i, total, bytes);
        }
        return script;
    };
    check({
        {"300 tiny ones",          "D16", [=] { return failed(tries(300, 60)); }                   },
        {"29 small ones",          "D16", [=] { return failed(tries(29, 500)); }                   },
        {"more than 10000 octets", "D16", [=] { return failed(tries(9, 1300)); }                   },
        {"not 16 of 500 octets",   "D07", [=] { return failed(tries(16, 500)); }                   },
        {"not when answered",      "D32", [=] { return well(tries(29, 500).at(3.5).answer(1500)); }},
    });
    const auto single = failed(tries(1, 12000));
    REQUIRE(single.finding("D16") != nullptr);
    CHECK(single.finding("D16")->sentence.find(
              " arrived complete as 1 IKE fragment, 12000 octets together, ") != std::string::npos);
}

TEST_CASE("IKE fragments too many to be told apart are nobody's failure", "[diagnosis]") {
    const auto pieces = [](HandshakeScript& script, Direction direction) {
        static constexpr std::uint16_t numbers[]{1, 2, 1099, 1100};
        for (const auto number : numbers) script.piece(direction, number, 1100, 60);
    };
    check({
        {"a request, sent three times",
         "", [=] {
             auto script = agreed();
             for (const double t : {0.1, 1.1, 3.1}) pieces(script.at(t), in);
             return failed(script);
         }},
        {"an answer",
         "", [=] {
             auto script = agreed();
             script.at(0.1).auth(1300);
             pieces(script.at(0.2), out);
             return failed(script);
         }},
    });
}

TEST_CASE("D18: IKE_INTERMEDIATE stuck", "[diagnosis]") {
    const auto with = [](int repeats, bool whole) {
        auto script = agreed();
        for (int i = 0; i <= repeats; ++i) {
            script.at(0.1 + i * 2).piece(in, 1, 2, 1248, 43);
            if (whole) script.piece(in, 2, 2, 500, 43);
        }
        return script;
    };
    check({
        {"partial, repeated twice",  "D18", [=] { return failed(with(2, false)); }},
        {"complete, repeated twice", "D18", [=] { return failed(with(2, true)); } },
        {"not repeated once",        "",    [=] { return failed(with(1, true)); } },
        {"not when it went on",
         "",                                [=] {
             return with(2, true)
                 .at(4.5)
                 .message(43, 1, out, Role::response, 1300)
                 .at(4.6)
                 .auth(1200, 0, 2);
         }                                                            },
    });
}
