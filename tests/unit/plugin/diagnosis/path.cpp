// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <memory>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

TEST_CASE("D04: the first IP fragment comes, the rest does not", "[diagnosis]") {
    check({
        {"three tries",
         "D02 D04",                                              [] { return failed(plain().auth_partial().at(1).auth_partial().at(3).auth_partial()); }},
        {"two tries",
         "D02 D04",                                              [] { return failed(plain().auth_partial().at(1).auth_partial()); }                     },
        {"not after one try",                             "D02", [] { return failed(plain().auth_partial()); }                                          },
        {"not when a repeat came whole and was answered",
         "D02 D32",                                              [] {
             return well(
                 plain().auth_partial().at(1).auth_partial().at(3).auth(2200, 2).at(3.1).answer(
                     1500));
         }                                                                                                                           },
        {"not when refused for another reason",
         "D02 D29",                                              [] {
             return failed(plain()
                               .auth_partial(1500, Reason::source_limit)
                               .at(1)
                               .auth_partial(1500, Reason::source_limit));
         }                                                                                                                           },
        {"not while copies are lost",
         "D02",                                                  [] {
             auto script = plain();
             script.handshake.muted = true;
             return failed(script.auth_partial().at(1).auth_partial());
         }                                                                                                                               },
        {"with an unanswered offer",
         "D01 D04",                                              [] {
             HandshakeScript script;
             script.offers(Fragmentation::ike, Fragmentation::none).sa_init().at(0.05).sa_answer();
             return failed(script.at(0.1).auth_partial().at(1).auth_partial());
         }                                                                                                                           },
        {"one try each of two attempts of a client",
         "D02 D04",                                              [] {
             auto firewall = std::make_shared<Firewall>();
             failed(plain(firewall).auth_partial());
             return failed(plain(firewall).auth_partial());
         }                                                                                                                           },
    });
}

TEST_CASE("D04: sentence, evidence and remedy name what was seen", "[diagnosis]") {
    auto script = plain();
    script.handshake.client_side.vendor = "windows";
    script.auth_partial().at(1).auth_partial().at(3).auth_partial();
    const auto* finding = script.finding("D04");
    REQUIRE(finding != nullptr);
    CHECK(finding->actor == Actor::client_network);
    CHECK(finding->confidence == Confidence::high);
    CHECK(finding->sentence ==
          "IKE_AUTH of 203.0.113.7 (Windows) to 198.51.100.5 came 3 times as IP fragments (+0.1 "
          "+1.0 +3.0 s); the first fragment (1500 octets) arrived each time, the rest never: "
          "non-first fragments are dropped between the client and this firewall.");
    CHECK(finding->remedy.find("EnableServerFragmentation -PropertyType DWORD -Value 1 -Force; "
                               "Restart-Service RemoteAccess") != std::string::npos);
    REQUIRE(finding->evidence.size() == 4);
    CHECK(finding->evidence[1] == "+0.100 s to server: IKE_AUTH request, 2200 octets, first IP "
                                  "fragment (1500 octets) came, the rest did not, dropped by this "
                                  "firewall (timeout)");
    CHECK_FALSE(finding->closed);
}

TEST_CASE("D05: trailing fragments only", "[diagnosis]") {
    check({
        {"after IKE_SA_INIT, twice",
         "D05",                                               [] { return failed(plain().at(5.1).tails().at(6.1).tails().at(8.1).tails()); }},
        {"not once",                                      "", [] { return failed(plain().at(5.1).tails()); }                                },
        {"not of a client without a handshake",
         "",                                                  [] {
             HandshakeScript script;
             return script.tails().at(1).tails();
         }                                                                                                                      },
        {"not before IKE_SA_INIT (DNS of the same host)",
         "D06",                                               [] {
             HandshakeScript script;
             script.tails().at(1).tails().at(7).sa_init().at(7.05).sa_answer();
             return failed(script, 67);
         }                                                                                                                   },
        {"not when IKE_AUTH came",
         "D02 D32",                                           [] {
             return well(plain().auth(2200, 2).at(0.2).answer(1500).at(5).tails().at(6).tails());
         }                                                                                                               },
    });
}

TEST_CASE("D10: the answer's fragments die behind us", "[diagnosis]") {
    check({
        {"IP fragments",
         "D02 D10", [] {
             return failed(plain()
                               .auth(2200, 2)
                               .at(0.2)
                               .answer(1800, 2)
                               .at(2)
                               .auth(2200, 2)
                               .at(2.1)
                               .answer(1800, 2)
                               .at(5)
                               .auth(2200, 2)
                               .at(5.1)
                               .answer(1800, 2));
         }},
        {"IKE fragments",
         "D10",     [] {
             auto script = agreed();
             for (const double t : {0.2, 3.2, 7.2}) {
                 script.at(t).piece(in, 1, 2).piece(in, 2, 2, 600);
                 script.at(t + 0.1).piece(out, 1, 2).piece(out, 2, 2, 500);
             }
             return failed(script);
         }    },
        {"not when answer and repeat crossed",
         "D02 D32", [] {
             return well(plain()
                             .auth(2200, 2)
                             .at(0.9)
                             .answer(1800, 2)
                             .at(1)
                             .auth(2200, 2)
                             .at(1.1)
                             .answer(1800, 2)
                             .at(1.9)
                             .auth(2200, 2)
                             .at(2)
                             .answer(1800, 2));
         }},
        {"not when crossing repeats are all there is",
         "D02",     [] {
             return failed(plain()
                               .auth(2200, 2)
                               .at(0.9)
                               .answer(1800, 2)
                               .at(1)
                               .auth(2200, 2)
                               .at(1.1)
                               .answer(1800, 2)
                               .at(1.9)
                               .auth(2200, 2)
                               .at(2)
                               .answer(1800, 2));
         }    },
        {"not when the client went on (EAP)",
         "D02",     [] {
             return plain()
                 .auth(2200, 2)
                 .at(0.2)
                 .answer(1800, 2)
                 .at(3)
                 .auth(2200, 2)
                 .at(3.1)
                 .answer(1800, 2)
                 .at(7)
                 .auth(2200, 2)
                 .at(7.1)
                 .answer(1800, 2)
                 .at(7.2)
                 .auth(300, 0, 2);
         }    },
    });
}

TEST_CASE("D11: only a part of the answer reaches us", "[diagnosis]") {
    check({
        {"first fragments",
         "D11",                                   [] {
             return failed(plain()
                               .auth(1300)
                               .at(0.2)
                               .answer_partial()
                               .at(4)
                               .auth(1300)
                               .at(4.1)
                               .answer_partial());
         }                                                                                           },
        {"not once",                          "", [] { return failed(plain().auth(1300).at(0.2).answer_partial()); }},
        {"not when the next answer is whole",
         "D32",                                   [] {
             return well(plain()
                             .auth(1300)
                             .at(0.2)
                             .answer_partial()
                             .at(4)
                             .auth(1300)
                             .at(4.1)
                             .answer_partial()
                             .at(11)
                             .auth(1300)
                             .at(11.1)
                             .answer(1800, 2));
         }                                                                                           },
    });
}

TEST_CASE("D12: a set of IKE fragments stays incomplete", "[diagnosis]") {
    check({
        {"one of three, sent twice",
         "D12", [] {
             return failed(agreed()
                               .piece(in, 1, 3)
                               .piece(in, 3, 3, 400)
                               .at(4)
                               .piece(in, 1, 3)
                               .piece(in, 3, 3, 400));
         }},
        {"of the answer",
         "D12", [] {
             return failed(agreed()
                               .piece(in, 1, 2)
                               .piece(in, 2, 2, 400)
                               .at(0.3)
                               .piece(out, 2, 2)
                               .at(4.1)
                               .piece(in, 1, 2)
                               .piece(in, 2, 2, 400)
                               .at(4.3)
                               .piece(out, 2, 2));
         }},
        {"not when they come in any order and slowly",
         "D32", [] {
             return well(agreed()
                             .piece(in, 3, 3, 400)
                             .at(0.9)
                             .piece(in, 1, 3)
                             .at(2.5)
                             .piece(in, 2, 3)
                             .at(2.7)
                             .answer(1500)
                             .at(3));
         }},
        {"not when a repeat brings what was missing",
         "D32", [] {
             return well(
                 agreed().piece(in, 1, 2).at(6).piece(in, 1, 2).piece(in, 2, 2).at(6.2).answer(
                     1500));
         }},
    });
    SECTION("who must act depends on the direction") {
        const auto to_us = failed(agreed().piece(in, 2, 2));
        CHECK(to_us.finding("D12")->actor == Actor::client_network);
        auto script = agreed().piece(in, 1, 2).piece(in, 2, 2).at(1).piece(out, 1, 2);
        CHECK(failed(script).finding("D12")->actor == Actor::server_network);
        CHECK(to_us.finding("D12")->sentence.find("missing: 1.") != std::string::npos);
    }
}
