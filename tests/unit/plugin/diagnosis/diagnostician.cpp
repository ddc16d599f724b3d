// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

TEST_CASE("catalogue: 35 rows, in order, each with words", "[diagnosis]") {
    REQUIRE(catalogue().size() == 35);
    std::set<std::string_view> slugs;
    for (std::size_t i = 0; i < catalogue().size(); ++i) {
        const auto& row = catalogue()[i];
        INFO(row.id);
        CHECK(row.id == (i < 9 ? "D0" : "D") + std::to_string(i + 1));
        CHECK(slugs.insert(row.slug).second);
        CHECK(find_diagnosis(row.id) == &row);
        CHECK(find_diagnosis(row.slug) == &row);
        CHECK_FALSE(row.actors.empty());
        for (const auto text : {row.says, row.sentence, row.remedy, row.meaning, row.not_when}) {
            CHECK_FALSE(text.empty());
            CHECK(std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; }));
        }
    }
    CHECK(find_diagnosis("D36") == nullptr);
    CHECK(find_diagnosis("") == nullptr);
}

TEST_CASE("catalogue: kinds are DIAGNOSES 1.6's", "[diagnosis]") {
    const std::set<std::string_view> advice{"D01", "D02", "D03", "D13", "D15", "D17", "D33", "D35"};
    const std::set<std::string_view> facts{"D14", "D26", "D31", "D32", "D34"};
    for (const auto& row : catalogue()) {
        INFO(row.id);
        const auto expected = advice.contains(row.id)  ? FindingKind::advice
                              : facts.contains(row.id) ? FindingKind::fact
                                                       : FindingKind::failure;
        CHECK(row.kind == expected);
    }
}

TEST_CASE("diagnostician: a finding is opened, updated and closed once", "[diagnosis]") {
    auto script = plain().auth_partial().at(1).auth_partial().at(3).auth_partial().at(60);
    script.ends(Outcome::failed, Basis::unanswered);
    std::string story;
    for (const auto& step : script.firewall().steps)
        if (step.finding.diagnosis->id == "D04")
            story += step.change == Diagnostician::Change::opened    ? "o"
                     : step.change == Diagnostician::Change::updated ? "u"
                                                                     : "c";
    CHECK(story == "ouc");
    REQUIRE(script.finding("D04") != nullptr);
    CHECK(script.finding("D04")->closed);
    CHECK_FALSE(script.finding("D04")->withdrawn);
}

TEST_CASE("diagnostician: what did not hold is withdrawn", "[diagnosis]") {
    auto script = plain().auth(1300).at(1.1).auth(1300).at(3.1).auth(1300).at(6);
    REQUIRE(script.failures() == "D07");
    CHECK(script.firewall().diagnostician.cause_of(script.handshake.number) != nullptr);
    script.answer(1300).at(7).ends(Outcome::established, Basis::esp);
    CHECK(script.failures().empty());
    CHECK(script.firewall().diagnostician.cause_of(script.handshake.number) == nullptr);
    const auto closed = std::ranges::find_if(script.firewall().steps, [](const auto& step) {
        return step.finding.diagnosis->id == "D07" && step.finding.withdrawn;
    });
    REQUIRE(closed != script.firewall().steps.end());
    CHECK(closed->change == Diagnostician::Change::closed);
}

TEST_CASE("diagnostician: the cause is the most specific failure", "[diagnosis]") {
    auto firewall = std::make_shared<Firewall>();
    for (const auto* client : {"203.0.113.8", "203.0.113.9"})
        failed(plain(firewall).client(client).auth(1300).at(1).auth(1300).at(3).auth(1300));
    const auto script = failed(plain(firewall).auth(1300).at(1).auth(1300).at(3).auth(1300));
    const auto* cause = firewall->diagnostician.cause_of(script.handshake.number);
    REQUIRE(cause != nullptr);
    CHECK(cause->diagnosis->id == "D08");
    CHECK(firewall->diagnostician.cause_of(999) == nullptr);
}

TEST_CASE("diagnostician: our own probe is no failing client", "[diagnosis]") {
    HandshakeScript script;
    script.handshake.probe = true;
    CHECK(failed(script.sa_init().at(1).sa_init().at(3).sa_init()).ids().empty());
    CHECK_FALSE(script.due());
}

TEST_CASE("diagnostician: several client addresses lower the confidence", "[diagnosis]") {
    auto script = plain();
    script.handshake.client_addresses = 2;
    script.auth_partial().at(1).auth_partial().at(3).auth_partial();
    REQUIRE(script.finding("D04") != nullptr);
    CHECK(script.finding("D04")->confidence == Confidence::medium);
}

TEST_CASE("diagnostician: findings are bounded, facts go first", "[diagnosis]") {
    auto firewall = std::make_shared<Firewall>();
    firewall->diagnostician = Diagnostician(std::make_shared<const Policy>(), 10);
    const auto bad = failed(plain(firewall).auth_partial().at(1).auth_partial());
    for (int i = 0; i < 50; ++i) well(plain(firewall).auth(1300).at(0.2).answer(1300));
    CHECK(bad.failures() == "D04");
    std::size_t kept = 0;
    firewall->diagnostician.for_each([&](const Finding&) { ++kept; });
    CHECK(kept == 10);
    CHECK(firewall->diagnostician.evicted() == 42);
}

TEST_CASE("diagnostician: a flood of repeats on one SPI costs few looks", "[diagnosis]") {
    auto script = plain();
    for (int i = 0; i < 400; ++i) script.at(0.1 + i * 0.01).auth(1300);
    std::size_t changes = 0;
    for (const auto& step : script.firewall().steps)
        if (step.finding.diagnosis->id == "D31") ++changes;
    CHECK(changes <= 30);
    const auto due = script.due();
    REQUIRE(due);
    CHECK(*due <= script.now() + std::chrono::milliseconds(250));
}

TEST_CASE("diagnostician: handshakes of every healthy kind have no failure", "[diagnosis]") {
    const auto eap = [] {
        auto script = agreed().auth(400).at(0.2).answer(1500);
        for (std::uint32_t id = 2; id < 8; ++id)
            script.at(id).auth(200, 0, id).at(id + 0.1).answer(id == 7 ? 300 : 110, 0, id);
        return well(script);
    };
    check({
        {"whole",                   "D32", [] { return well(agreed().auth(1300).at(0.2).answer(1300)); }     },
        {"IP fragments both ways",
         "D02 D32",                        [] { return well(plain().auth(3400, 3).at(0.2).answer(3000, 3)); }},
        {"IKE fragments both ways",
         "D32",                            [] {
             return well(agreed().piece(in, 1, 2).piece(in, 2, 2).at(0.2).piece(out, 1, 2).piece(
                 out, 2, 2));
         }                                                                                    },
        {"EAP",                     "D32", eap                                                               },
        {"a repeat or two",
         "D32",                            [] {
             return well(
                 agreed().auth(1300).at(1.1).auth(1300).at(1.2).answer(1300).at(1.25).answer(1300));
         }                                                                                    },
    });
}

TEST_CASE("time to name: 3 s after the second attempt where thresholds allow", "[diagnosis]") {
    struct Row {
        std::string id;
        double second_attempt;
        std::function<HandshakeScript()> script;
    };
    const Row rows[] = {
        {"D04", 1, [] { return plain().auth_partial().at(1).auth_partial().at(4); }   },
        {"D09",
         2,        [] {
             HandshakeScript script;
             return script.sa_init().at(1).sa_init().at(2).sa_init().at(5);
         }                                                                 },
        {"D11",
         1,        [] {
             return plain()
                 .auth(1300)
                 .at(0.2)
                 .answer_partial()
                 .at(1)
                 .auth(1300)
                 .at(1.1)
                 .answer_partial()
                 .at(4);
         }                                                                 },
        {"D12", 1, [] { return agreed().piece(in, 1, 2).at(1).piece(in, 1, 2).at(4); }},
        {"D18",
         2,        [] {
             return agreed()
                 .piece(in, 1, 2, 1248, 43)
                 .at(1)
                 .piece(in, 1, 2, 1248, 43)
                 .at(2)
                 .piece(in, 1, 2, 1248, 43)
                 .at(5);
         }                                                                 },
        {"D29",
         1,        [] {
             return plain()
                 .leaving(true)
                 .at(0.09)
                 .sa_init()
                 .leaving(false)
                 .at(0.1)
                 .auth(1300)
                 .at(1)
                 .auth(1300)
                 .at(4);
         }                                                                 },
    };
    for (const auto& row : rows) DYNAMIC_SECTION(row.id) {
            const auto script = row.script();
            const auto* finding = script.finding(row.id);
            REQUIRE(finding != nullptr);
            const auto named =
                std::chrono::duration<double>(finding->opened - script.handshake.first_time)
                    .count();
            CHECK(named <= row.second_attempt + 3);
        }
}
