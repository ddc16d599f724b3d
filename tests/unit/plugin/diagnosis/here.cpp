// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/diagnosis_cases.hpp"

#include <memory>
#include <set>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

namespace {

HandshakeScript::Change refused(Reason reason) {
    return [reason](MessageRecord& message) {
        message.refused = true;
        message.reason = reason;
        message.ip_fragments = 2;
        message.transport = Transport::ip;
        message.first_fragment_bytes = 1500;
    };
}

HandshakeScript with_refusal(Reason reason) {
    return plain().message(35, 1, in, Role::request, 2200, refused(reason));
}

DatagramLost attack(Reason reason, const std::string& source = "192.0.2.66") {
    DatagramLost lost;
    lost.source = *parse_address(source);
    lost.destination = *parse_address("198.51.100.5");
    lost.packet_class = PacketClass::ike;
    lost.first_seen = true;
    lost.fragments = 3;
    lost.bytes = 1400;
    lost.reason = reason;
    return lost;
}

std::string stray_ids(const Firewall& firewall) {
    std::string text;
    firewall.diagnostician.for_each([&](const Finding& finding) {
        text += (text.empty() ? "" : " ") + std::string(finding.diagnosis->id);
    });
    return text;
}

const TimePoint start = TimePoint(std::chrono::hours(1));

} // namespace

TEST_CASE("D29: this firewall dropped it", "[diagnosis]") {
    check({
        {"by a rule",                                      "D02 D29", [] { return failed(with_refusal(Reason::policy)); }                        },
        {"by a limit",                                     "D02 D29", [] { return failed(with_refusal(Reason::too_many)); }                      },
        {"not when a repeat was let through and answered",
         "D02 D32",                                                   [] {
             return well(
                 with_refusal(Reason::source_limit).at(1).auth(2200, 2).at(1.1).answer(1300));
         }                                                                                                                    },
        {"came in, did not go out, others did",
         "D29",                                                       [] {
             HandshakeScript script;
             script.leaving(true).sa_init().at(0.05).sa_answer().leaving(false);
             return failed(script.at(0.1).auth(1300));
         }                                                                                                                        },
        {"not before 1 s has gone by",
         "",                                                          [] {
             return plain().leaving(true).at(0.09).sa_init().leaving(false).at(0.1).auth(1300).at(
                 1.0);
         }                                                                                                                           },
        {"not where going out is not watched",
         "D07",                                                       [] { return failed(plain().auth(1300).at(1).auth(1300).at(3).auth(1300)); }},
        {"not when it was answered",
         "D32",                                                       [] {
             return well(plain()
                             .leaving(true)
                             .at(0.09)
                             .sa_init()
                             .leaving(false)
                             .at(0.1)
                             .auth(1300)
                             .at(2)
                             .answer(1300));
         }                                                                                                                        },
        {"not while copies are lost",
         "",                                                          [] {
             auto script = plain();
             script.handshake.muted = true;
             return failed(
                 script.leaving(true).at(0.09).sa_init().leaving(false).at(0.1).auth(1300));
         }                                                                                                                           },
    });
}

TEST_CASE("D29: openings of which nothing goes on", "[diagnosis]") {
    // Others of the server go in and out; this one does not get in.
    const auto beside_others = [] {
        auto firewall = std::make_shared<Firewall>();
        HandshakeScript other(firewall);
        well(other.leaving(true).sa_init().at(0.05).sa_answer().at(0.1).auth(1300).at(0.2).answer(
            1300));
        return HandshakeScript(firewall).client("192.0.2.77").leaving(false).at(10);
    };
    const auto bare = [](MessageRecord& message) { message.notes = {}; };
    check({
        {"a client's, twice",
         "D29",                                               [=] { return failed(beside_others().sa_init().at(11).sa_init()); }},
        {"not one alone",                                 "", [=] { return failed(beside_others().sa_init()); }                 },
        {"not a scanner's, often",
         "",                                                  [=] {
             return failed(beside_others().sa_init(bare).at(11).sa_init(bare).at(13).sa_init(bare));
         }                                                                                                          },
        {"an answer that does not go on is the server's",
         "D29",                                               [=] {
             return failed(beside_others()
                               .sa_init(bare)
                               .at(10.1)
                               .sa_answer()
                               .at(11)
                               .sa_init(bare)
                               .at(11.1)
                               .sa_answer());
         }                                                                                                       },
    });
    const auto script = failed(beside_others().sa_init().at(11).sa_init());
    const auto* finding = script.finding("D29");
    REQUIRE(finding != nullptr);
    CHECK(finding->confidence == Confidence::medium);
    CHECK(finding->remedy.find("rp_filter") != std::string::npos);
    CHECK(finding->remedy.find("blocklist") != std::string::npos);
}

TEST_CASE("D29: a rule of this host drops trailing fragments, as its ruleset tells",
          "[diagnosis]") {
    const auto fire = [](const FragmentDrops& drops, std::uint16_t fragments, int tries) {
        auto firewall = std::make_shared<Firewall>();
        firewall->diagnostician.set_fragment_drops(drops);
        auto script = plain(firewall);
        script.leaving(true);
        for (int i = 0; i < tries; ++i)
            script.at(0.1 + 2 * i).auth(fragments > 0 ? 2200 : 1300, fragments);
        return script;
    };
    const FragmentDrops here{"inet filter forward: ip frag-off & 8191 != 0 drop", ""};
    const FragmentDrops other{"", "ip6 filter forward: exthdr frag exists drop"};
    check({
        {"named with the second try",          "D02 D29", [=] { return fire(here, 2, 2); }                         },
        {"not with the first",                 "D02",     [=] { return fire(here, 2, 1).at(3); }                   },
        {"not for a message in one packet",    "D07",     [=] { return failed(fire(here, 0, 3)); }                 },
        {"not where there is no such rule",    "D02 D07", [=] { return failed(fire({}, 2, 3)); }                   },
        {"not for a rule of the other family",
         "D02 D07",                                       [=] { return failed(fire(other, 2, 3)); }                },
        {"withdrawn when the server answers",
         "D02 D32",                                       [=] { return well(fire(here, 2, 2).at(5).answer(1300)); }},
    });
    const auto script = failed(fire(here, 2, 3));
    REQUIRE(script.finding("D29") != nullptr);
    CHECK(script.finding("D29")->actor == Actor::this_firewall);
    CHECK(script.finding("D29")->remedy.find("ip frag-off & 8191 != 0 drop") != std::string::npos);
}

TEST_CASE("D29: the answer that did not go out", "[diagnosis]") {
    auto script = HandshakeScript();
    script.leaving(true).sa_init().at(0.05).sa_answer().at(0.1).auth(1300);
    script.leaving(false).at(0.2).answer(2200, 2).leaving(true).at(1.1).auth(1300);
    script.leaving(false).at(1.2).answer(2200, 2).leaving(true).at(3.1).auth(1300);
    failed(script);
    CHECK(script.failures() == "D29");
    REQUIRE(script.finding("D29") != nullptr);
    CHECK(script.finding("D29")->sentence.find("of 198.51.100.5 was dropped by this firewall") !=
          std::string::npos);
}

TEST_CASE("D30: fragments no honest sender makes", "[diagnosis]") {
    check({
        {"in a handshake",                  "D02 D30", [] { return failed(with_refusal(Reason::overlap)); }},
        {"not when the handshake succeeds",
         "D02 D32",                                    [] {
             return well(with_refusal(Reason::overlap).at(1).auth(2200, 2).at(1.1).answer(1300));
         }                                                                              },
    });
    SECTION("without a handshake, one finding for each source and server") {
        Firewall firewall;
        firewall.diagnostician.stray(attack(Reason::overlap), start);
        firewall.diagnostician.stray(attack(Reason::overlap), start + std::chrono::seconds(2));
        firewall.diagnostician.stray(attack(Reason::too_many, "192.0.2.67"), start);
        CHECK(stray_ids(firewall) == "D30 D30");
        firewall.take();
        REQUIRE(firewall.steps.size() == 3);
        CHECK(firewall.steps[1].change == Diagnostician::Change::updated);
        CHECK(firewall.steps[1].finding.sentence.find("(twice)") != std::string::npos);
    }
    SECTION("told with what was done, and counted right") {
        auto one = attack(Reason::overlap);
        one.fragments = 1;
        one.bytes = 1;
        one.enforced = false;
        Firewall firewall;
        firewall.diagnostician.stray(attack(Reason::overlap), start);
        firewall.diagnostician.stray(one, start + std::chrono::seconds(2));
        firewall.take();
        REQUIRE(firewall.steps.size() == 2);
        CHECK(firewall.steps[0].finding.remedy.starts_with("They were refused. If "));
        CHECK(firewall.steps[1].finding.remedy.starts_with(
            "They were let through (mode observe, or a rule's dry_run). If "));
        CHECK(firewall.steps[1].finding.evidence[1].starts_with("1 IP fragment from "));
        CHECK(firewall.steps[1].finding.evidence[1].find(" 1 octet: overlap") != std::string::npos);
    }
    SECTION("a flood of sources is bounded") {
        Firewall firewall;
        for (int i = 0; i < 1000; ++i)
            firewall.diagnostician.stray(
                attack(Reason::overlap,
                       "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)),
                start);
        firewall.take();
        CHECK(firewall.steps.size() == 64);
    }
    SECTION("closed after a quiet minute") {
        Firewall firewall;
        firewall.diagnostician.stray(attack(Reason::overlap), start);
        firewall.diagnostician.stray(attack(Reason::overlap, "192.0.2.67"),
                                     start + std::chrono::seconds(61));
        firewall.take();
        REQUIRE(firewall.steps.size() == 3);
        CHECK(firewall.steps[1].change == Diagnostician::Change::closed);
    }
    SECTION("not an exact duplicate, nor other traffic's fragments") {
        Firewall firewall;
        firewall.diagnostician.stray(attack(Reason::duplicate), start);
        auto other = attack(Reason::overlap);
        other.packet_class = PacketClass::other;
        firewall.diagnostician.stray(other, start);
        other.packet_class.reset();
        firewall.diagnostician.stray(other, start);
        CHECK(stray_ids(firewall).empty());
    }
}

TEST_CASE("D29 and D30: every reason of a refusal has words and a remedy of its own",
          "[diagnosis]") {
    struct Row {
        Reason reason;
        const char* id;       ///< without a handshake; null: none
        const char* sentence; ///< a part of it
        const char* remedy;   ///< a part of it
    };
    // By the catalogue of reasons in DESIGN §2; what the rows leave out is no refusal of IKE.
    const Row rows[] = {
        {Reason::overlap,           "D30",   "they overlap",                     ""                       },
        {Reason::inconsistent_last, "D30",   "two different ends",               ""                       },
        {Reason::bad_length,        "D30",   "a length is impossible",           ""                       },
        {Reason::tiny_first,        "D30",   "hides the IKE header",             ""                       },
        {Reason::checksum,          "D30",   "UDP checksum is wrong",            ""                       },
        {Reason::udp_length,        "D30",   "UDP length does not fit",          ""                       },
        {Reason::header_chain,      "D30",   "IPv6 header chain",                ""                       },
        {Reason::ip_options,        "D30",   "IP options",                       ""                       },
        {Reason::ike_malformed,     "D30",   "no IKE message",                   ""                       },
        {Reason::poisoned,          "D30",   "datagram that was found bad",      ""                       },
        {Reason::too_many,          "D30",   "more than max_fragments",          ""                       },
        {Reason::too_big,           "D30",   "larger than max_datagram_bytes",   ""                       },
        {Reason::policy,            "D29",   "a rule or the mode forbids it",    "rules test"             },
        {Reason::tiny_nonlast,      "D29",   "smaller than min_nonlast_bytes",   "Lower min_nonlast_bytes"},
        {Reason::source_limit,      "D29",   "source_datagrams",                 "raise source_datagrams" },
        {Reason::table_full,        "D29",   "table of held fragments was full", "ikefragctl status"      },
        {Reason::evicted,           "D29",   "it was evicted",                   "ikefragctl status"      },
        {Reason::timeout,           nullptr, "",                                 ""                       },
        {Reason::duplicate,         nullptr, "",                                 ""                       },
        {Reason::unreadable,        nullptr, "",                                 ""                       },
    };
    std::set<Reason> told;
    for (const auto& row : rows) {
        INFO(to_string(row.reason));
        told.insert(row.reason);
        Firewall firewall;
        firewall.diagnostician.stray(attack(row.reason), start);
        CHECK(stray_ids(firewall) == (row.id == nullptr ? "" : row.id));
        firewall.take();
        REQUIRE(firewall.steps.size() == (row.id == nullptr ? 0u : 1u));
        if (row.id == nullptr) continue;
        CHECK(firewall.steps[0].finding.sentence.find(row.sentence) != std::string::npos);
        CHECK(firewall.steps[0].finding.remedy.find(row.remedy) != std::string::npos);
        // What is not enforced has dropped nothing.
        auto let_through = attack(row.reason);
        let_through.enforced = false;
        Firewall watching;
        watching.diagnostician.stray(let_through, start);
        CHECK(stray_ids(watching) == (std::string(row.id) == "D30" ? "D30" : ""));
        watching.take();
        CHECK((watching.steps.empty() || watching.steps[0].finding.remedy.starts_with(
                                             "They were let through (mode observe")));
    }
    for (const auto& word : words<Reason>())
        CHECK((word.value == Reason::none || told.count(word.value) == 1));
    // In a handshake a limit is ours to change, and said with how.
    for (const auto& [reason, words] : {std::pair(Reason::too_many, "Raise max_fragments"),
                                        std::pair(Reason::too_big, "Raise max_datagram_bytes")}) {
        const auto script = failed(with_refusal(reason));
        REQUIRE(script.finding("D29") != nullptr);
        CHECK(script.finding("D29")->remedy.find(words) != std::string::npos);
    }
}

TEST_CASE("D34: out of order, released in order", "[diagnosis]") {
    const auto reordered = [](MessageRecord& message) {
        message.reordered = true;
        message.ip_fragments = 2;
        message.first_fragment_bytes = 1500;
    };
    check({
        {"reordered",
         "D02 D32 D34",                  [=] {
             return well(
                 plain().message(35, 1, in, Role::request, 2200, reordered).at(0.2).answer(1300));
         }                                                                       },
        {"in order",          "D02 D32", [] { return well(plain().auth(2200, 2).at(0.2).answer(1300)); }},
        {"told once an hour",
         "D02 D32",                      [=] {
             auto firewall = std::make_shared<Firewall>();
             well(plain(firewall)
                      .message(35, 1, in, Role::request, 2200, reordered)
                      .at(0.2)
                      .answer(1300));
             return well(plain(firewall)
                             .message(35, 1, in, Role::request, 2200, reordered)
                             .at(0.2)
                             .answer(1300));
         }                                                                           },
    });
}

TEST_CASE("D26: the path MTU", "[diagnosis]") {
    check({
        {"fragmentation needed",
         "D26 D32",     [] {
             return well(
                 plain().icmp(3, 4, out, "192.0.2.1", 1400).auth(1300).at(0.2).answer(1300));
         }                                                          },
        {"packet too big",
         "D26 D32",     [] {
             return well(
                 plain().icmp(2, 0, out, "2001:db8::1", 1280).auth(1300).at(0.2).answer(1300));
         }                                                          },
        {"not an impossible one",
         "D32",         [] {
             return well(plain().icmp(3, 4, out, "192.0.2.1", 60).auth(1300).at(0.2).answer(1300));
         }                                                              },
        {"not below 1280 on IPv6",
         "D32",         [] {
             return well(
                 plain().icmp(2, 0, out, "2001:db8::1", 1000).auth(1300).at(0.2).answer(1300));
         }                                                              },
        {"by the size of first fragments",
         "D02 D26 D32", [] {
             return well(plain()
                             .message(35,
                                      1,
                                      in,
                                      Role::request,
                                      2200,
                                      [](MessageRecord& message) {
                                          message.ip_fragments = 2;
                                          message.first_fragment_bytes = 1396;
                                      })
                             .at(0.2)
                             .answer(1300));
         }                                                      },
        {"not at Ethernet's size",
         "D02 D32",     [] { return well(plain().auth(2200, 2).at(0.2).answer(1300)); }},
    });
}

TEST_CASE("D27: the far end lost fragments", "[diagnosis]") {
    check({
        {"the server says so",
         "D02 D27", [] { return failed(plain().auth(2200, 2).at(30).icmp(11, 1, in, "198.51.100.5")); }},
        {"not when it went well",
         "D02 D32", [] {
             return well(plain()
                             .auth(2200, 2)
                             .at(30)
                             .icmp(11, 1, in, "198.51.100.5")
                             .at(31)
                             .auth(2200, 2)
                             .at(31.1)
                             .answer(1300));
         }                                                                          },
        {"not time to live exceeded",
         "D02",     [] { return failed(plain().auth(2200, 2).at(30).icmp(11, 0, in, "198.51.100.5")); }},
    });
}

TEST_CASE("D28: unreachable", "[diagnosis]") {
    check({
        {"port unreachable",
         "D28", [] {
             HandshakeScript script;
             return failed(script.sa_init().at(0.1).icmp(3, 3, in, "198.51.100.5"));
         }                                                                     },
        {"wins over D09",
         "D28", [] {
             HandshakeScript script;
             return failed(script.sa_init()
                               .at(0.1)
                               .icmp(3, 3, in, "198.51.100.5")
                               .at(1)
                               .sa_init()
                               .at(3)
                               .sa_init());
         }                                                                     },
        {"filtered by a router",
         "D28", [] { return failed(plain().auth(1300).at(0.2).icmp(3, 13, in, "192.0.2.1")); }},
        {"not when it answers later",
         "D32", [] {
             return well(plain()
                             .auth(1300)
                             .at(0.2)
                             .icmp(3, 3, in, "198.51.100.5")
                             .at(1)
                             .auth(1300)
                             .at(1.1)
                             .answer(1300));
         }                                                                     },
        {"not a client that is gone",
         "D22", [] {
             return failed(
                 plain().auth(1300).at(0.2).answer(80).at(0.3).icmp(3, 3, out, "203.0.113.7"));
         }                                                                     },
    });
    HandshakeScript script;
    script.sa_init().at(0.1).icmp(3, 3, in, "198.51.100.5");
    REQUIRE(script.finding("D28") != nullptr);
    CHECK(script.finding("D28")->actor == Actor::server);
    CHECK(
        script.finding("D28")->evidence.front() ==
        "+0.100 s ICMP from 198.51.100.5: port unreachable (type 3, code 3) about a packet to the "
        "server");
}
