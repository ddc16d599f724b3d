// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <memory>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

namespace {

HandshakeScript::Change cookie() {
    return [](MessageRecord& message) {
        message.notes.set(Note::cookie);
        message.digest += static_cast<std::uint64_t>(message.time.time_since_epoch().count());
    };
}

HandshakeScript::Change group(std::uint16_t number) {
    return [number](MessageRecord& message) {
        message.key_group = number;
        message.digest += number;
    };
}

} // namespace

TEST_CASE("D19: the server keeps asking for cookies", "[diagnosis]") {
    check({
        {"three times",
         "D19", [] {
             HandshakeScript script;
             script.sa_init();
             for (int i = 1; i <= 3; ++i)
                 script.at(i).sa_refusal(Note::cookie).at(i + 0.1).sa_init(cookie());
             return failed(script);
         }},
        {"request repeated without the cookie",
         "D19", [] {
             HandshakeScript script;
             return failed(script.sa_init()
                               .at(0.1)
                               .sa_refusal(Note::cookie)
                               .at(1)
                               .sa_init()
                               .at(1.1)
                               .sa_refusal(Note::cookie)
                               .at(3)
                               .sa_init());
         }},
        {"not one round",
         "D32", [] {
             HandshakeScript script;
             return well(script.sa_init()
                             .at(0.1)
                             .sa_refusal(Note::cookie)
                             .at(0.2)
                             .sa_init(cookie())
                             .at(0.3)
                             .sa_answer()
                             .at(0.4)
                             .auth(1300)
                             .at(0.5)
                             .answer(1300));
         }},
    });
}

TEST_CASE("D19: a request that brings the cookie back complains of nothing", "[diagnosis]") {
    const auto with_notify = [](std::uint16_t type) {
        return [type](MessageRecord& message) {
            cookie()(message);
            message.notifies = {type};
        };
    };
    HandshakeScript script;
    script.sa_init();
    for (int i = 1; i <= 3; ++i)
        script.at(i)
            .message(34, 0, out, Role::response, 52, with_notify(16390))
            .at(i + 0.1)
            .sa_init(with_notify(16390));
    script = failed(script);
    REQUIRE(script.finding("D19") != nullptr);
    const auto& evidence = script.finding("D19")->evidence;
    REQUIRE(evidence.size() > 4);
    CHECK(evidence.front().ends_with("IKE_SA_INIT response, 52 octets, says COOKIE"));
    CHECK(evidence[3].ends_with(", without a cookie"));
    CHECK(evidence[4].find("says") == std::string::npos);
    CHECK(evidence[4].ends_with(" octets, with the cookie"));
}

TEST_CASE("D20: the ends do not agree on a group", "[diagnosis]") {
    check({
        {"same group again",
         "D20", [] {
             HandshakeScript script;
             return failed(script.sa_init(group(14))
                               .at(0.1)
                               .sa_refusal(Note::invalid_ke, 19)
                               .at(0.2)
                               .sa_init(group(14))
                               .at(2)
                               .sa_init(group(14))
                               .at(2.1)
                               .sa_refusal(Note::invalid_ke, 19));
         }},
        {"no new try",
         "D20", [] {
             HandshakeScript script;
             return failed(script.sa_init(group(14)).at(0.1).sa_refusal(Note::invalid_ke, 19));
         }},
        {"not when the client goes along",
         "D32", [] {
             HandshakeScript script;
             return well(script.sa_init(group(14))
                             .at(0.1)
                             .sa_refusal(Note::invalid_ke, 19)
                             .at(0.2)
                             .sa_init(group(19))
                             .at(0.3)
                             .sa_answer()
                             .at(0.4)
                             .auth(1300)
                             .at(0.5)
                             .answer(1300));
         }},
    });
}

TEST_CASE("D21: no proposal in common", "[diagnosis]") {
    check({
        {"refused",
         "D21", [] {
             HandshakeScript script;
             return failed(script.sa_init().at(0.1).sa_refusal(Note::no_proposal));
         }},
        {"not a scanner",
         "",    [] {
             HandshakeScript script;
             const auto bare = [](MessageRecord& message) { message.notes = Notes{}; };
             return failed(script.sa_init(bare).at(0.1).sa_refusal(Note::no_proposal));
         }   },
        {"not when a later try of the same SPI is taken",
         "D32", [] {
             HandshakeScript script;
             return well(script.sa_init()
                             .at(0.1)
                             .sa_refusal(Note::no_proposal)
                             .at(0.2)
                             .sa_init(group(19))
                             .at(0.3)
                             .sa_answer()
                             .at(0.4)
                             .auth(1300)
                             .at(0.5)
                             .answer(1300));
         }},
    });
    SECTION("what was offered is told") {
        HandshakeScript script;
        script.handshake.offered = SharedList<Transform>({
            {2, transform_type::encryption,   12, 256},
            {2, transform_type::key_exchange, 14, 0  }
        });
        script.sa_init().at(0.1).sa_refusal(Note::no_proposal);
        REQUIRE(script.finding("D21") != nullptr);
        CHECK(script.finding("D21")->sentence.find(
                  "; offered: key_exchange=MODP_2048, encryption=AES_CBC-256.") !=
              std::string::npos);
    }
    SECTION("groups first however much is offered, and how many more there are") {
        HandshakeScript script;
        std::vector<Transform> offered;
        for (std::uint16_t bits = 1; bits <= 30; ++bits)
            offered.push_back({2, transform_type::encryption, 12, bits});
        offered.push_back({2, transform_type::key_exchange, 14, 0});
        offered.push_back({2, transform_type::key_exchange, 28, 0});
        offered.push_back({2, transform_type::first_additional_key_exchange, 36, 0});
        script.handshake.offered = SharedList<Transform>(std::move(offered));
        script.handshake.offered_truncated = true;
        script.sa_init().at(0.1).sa_refusal(Note::no_proposal);
        REQUIRE(script.finding("D21") != nullptr);
        const auto& sentence = script.finding("D21")->sentence;
        CHECK(sentence.find(
                  "; offered: key_exchange=MODP_2048/BRAINPOOL_P256R1, "
                  "additional_key_exchange_1=ML_KEM_768, encryption=AES_CBC-1/AES_CBC-2/") !=
              std::string::npos);
        CHECK(sentence.ends_with("/AES_CBC-24 and 6 more, and more than were kept."));
    }
}

TEST_CASE("D22: authentication probably refused", "[diagnosis]") {
    check({
        {"tiny answer and nothing more",
         "D22",                                    [] { return failed(plain().auth(1300).at(0.3).answer(80)); }                       },
        {"named after 5 s",                 "D22", [] { return plain().auth(1300).at(0.3).answer(80).at(5.4); }                       },
        {"not before",                      "",    [] { return plain().auth(1300).at(0.3).answer(80).at(5.2); }                       },
        {"not 121 octets",                  "",    [] { return failed(plain().auth(1300).at(0.3).answer(121)); }                      },
        {"not when ESP flows",              "D32", [] { return well(plain().auth(1300).at(0.3).answer(80)); }                         },
        {"not when EAP goes on",
         "",                                       [] { return plain().auth(1300).at(0.3).answer(100).at(4).auth(200, 0, 2).at(9.5); }},
        {"not when something else follows",
         "",                                       [] {
             return failed(
                 plain().auth(1300).at(0.3).answer(80).at(3).message(37, 2, in, Role::request, 80));
         }                                                                                                                },
    });
}

TEST_CASE("D22: a clear error is quoted", "[diagnosis]") {
    auto script = failed(plain().auth(1300).at(0.3).message(
        35, 1, Direction::to_peer, Role::response, 36, [](MessageRecord& message) {
            message.notes = Notes{};
            message.error_notify = 24;
            message.notifies = {24};
        }));
    REQUIRE(script.finding("D22") != nullptr);
    const auto& finding = *script.finding("D22");
    CHECK(finding.sentence.find(", in clear, and nothing followed: it says "
                                "AUTHENTICATION_FAILED. Not a fragmentation problem.") !=
          std::string::npos);
    CHECK(finding.evidence[1].ends_with("36 octets, says AUTHENTICATION_FAILED"));
    CHECK(finding.confidence == Confidence::medium); // anyone may have sent it
}

TEST_CASE("D23: they answer and do not understand each other", "[diagnosis]") {
    const auto clear = [](Note note) {
        return [note](MessageRecord& message) {
            message.notes = Notes{};
            message.notes.set(note);
        };
    };
    check({
        {"INVALID_IKE_SPI in clear",
         "D23", [=] {
             return failed(plain().auth(1300).at(0.2).message(
                 37, 0, out, Role::response, 36, clear(Note::invalid_spi)));
         }},
        {"INVALID_MAJOR_VERSION",
         "D23", [=] {
             HandshakeScript script;
             return failed(script.sa_init().at(0.2).message(
                 34, 0, out, Role::response, 36, clear(Note::invalid_major_version)));
         }},
        {"repeats though each was answered in one packet",
         "D23", [] {
             return failed(plain()
                               .auth(1300)
                               .at(0.2)
                               .answer(1200)
                               .at(2)
                               .auth(1300)
                               .at(2.1)
                               .answer(1200)
                               .at(5)
                               .auth(1300)
                               .at(5.1)
                               .answer(1200));
         }},
        {"not one repeat that crossed the answer",
         "",    [] {
             return failed(
                 plain().auth(1300).at(0.9).answer(1200).at(1).auth(1300).at(1.1).answer(1200));
         }   },
        {"not of an established one",
         "D32", [=] {
             return well(plain().auth(1300).at(0.2).answer(1200).at(1).message(
                 37, 0, out, Role::response, 36, clear(Note::invalid_spi)));
         }},
    });
}

TEST_CASE("D24: UDP 500 and 4500 go to different servers", "[diagnosis]") {
    const auto inside = [](const std::string& address) {
        return [address](MessageRecord& message) {
            message.left_time = message.time;
            message.left_destination = Endpoint{*parse_address(address), message.destination.port};
        };
    };
    const auto split = [=](const std::string& second) {
        HandshakeScript script;
        script.sa_init(inside("10.0.0.5")).at(0.05).sa_answer().at(0.1);
        for (const double t : {0.1, 1.1, 3.1})
            script.at(t).message(35, 1, in, Role::request, 1300, [&](MessageRecord& message) {
                message.destination.port = 4500;
                inside(second)(message);
            });
        return script;
    };
    check({
        {"two inside addresses", "D24", [=] { return failed(split("10.0.0.6")); }                   },
        {"not the same one",     "D07", [=] { return failed(split("10.0.0.5")); }                   },
        {"not when it works",    "D32", [=] { return well(split("10.0.0.6").at(3.2).answer(1300)); }},
    });
}

TEST_CASE("D25: many clients behind one address", "[diagnosis]") {
    const auto crowd = [](std::uint16_t count, std::shared_ptr<Firewall> firewall) {
        for (std::uint16_t i = 0; i < count; ++i)
            well(plain(firewall)
                     .client("203.0.113.7", static_cast<std::uint16_t>(1000 + i))
                     .auth(1300)
                     .at(0.2)
                     .answer(1300));
    };
    const auto next = [](std::shared_ptr<Firewall> firewall) {
        return plain(std::move(firewall))
            .client("203.0.113.7", 999)
            .auth(1300)
            .at(1)
            .auth(1300)
            .at(3)
            .auth(1300);
    };
    check({
        {"the eleventh fails",
         "D25", [=] {
             auto firewall = std::make_shared<Firewall>();
             crowd(10, firewall);
             return failed(next(firewall));
         }},
        {"not the tenth",
         "D07", [=] {
             auto firewall = std::make_shared<Firewall>();
             crowd(9, firewall);
             return failed(next(firewall));
         }},
        {"not when it works",
         "D32", [=] {
             auto firewall = std::make_shared<Firewall>();
             crowd(10, firewall);
             return well(next(firewall).at(3.2).answer(1300));
         }},
        {"not redials of one client from one port",
         "D07", [=] {
             auto firewall = std::make_shared<Firewall>();
             for (int i = 0; i < 12; ++i)
                 well(plain(firewall).client("203.0.113.7", 999).auth(1300).at(0.2).answer(1300));
             return failed(next(firewall));
         }},
    });
}
