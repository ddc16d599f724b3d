// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/explain/explain.hpp"

#include "tests/support/daemon/story.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

namespace {

std::string fates(const Attempt& attempt) {
    std::string text;
    for (const auto& step : ladder(attempt))
        text += (text.empty() ? "" : " ") + std::string(to_string(step.fate)) +
                (step.pieces.empty() ? "" : ":" + step.pieces);
    return text;
}

void add_pieces(Attempt& attempt,
                double seconds,
                std::initializer_list<std::uint16_t> numbers,
                Direction direction = Direction::to_server) {
    for (const auto number : numbers) {
        auto& message =
            add_message(attempt,
                        seconds,
                        35,
                        direction,
                        direction == Direction::to_server ? Role::request : Role::response,
                        1236);
        message.transport = Transport::skf;
        message.skf_number = number;
        message.skf_total = 3;
    }
}

} // namespace

TEST_CASE("explain: what a target may be", "[explain]") {
    CHECK(std::holds_alternative<Spi>(*parse_explain_target("0011223344556677")));
    CHECK(std::get<Spi>(*parse_explain_target("00112233445566Aa"))[7] == 0xaa);
    CHECK(std::holds_alternative<IpAddress>(*parse_explain_target("203.0.113.7")));
    CHECK(std::holds_alternative<IpAddress>(*parse_explain_target("2001:db8::7")));
    for (const auto* wrong : {"", "vpn1", "001122334455667", "001122334455667g", "203.0.113.7:500"})
        CHECK_FALSE(parse_explain_target(wrong));
}

TEST_CASE("explain: ladder of a handshake that lost its fragments", "[explain]") {
    CHECK(fates(partial_story()) == "passed passed partial:1/2 partial:1/2");
}

TEST_CASE("explain: IKE fragments of one sending are one step", "[explain]") {
    auto attempt = partial_story();
    attempt.handshake.messages.resize(2);
    add_pieces(attempt, 0.1, {1, 2, 3});
    CHECK(fates(attempt) == "passed passed passed:3/3");
    SECTION("a second sending is another step, whatever came of it") {
        add_pieces(attempt, 1.1, {3, 1});
        CHECK(fates(attempt) == "passed passed passed:3/3 partial:2/3");
    }
    SECTION("fragments of the other direction are another step") {
        add_pieces(attempt, 0.2, {1, 2}, Direction::to_peer);
        CHECK(fates(attempt) == "passed passed passed:3/3 partial:2/3");
    }
}

TEST_CASE("explain: the findings say where on the ladder it was lost", "[explain]") {
    auto attempt = partial_story();
    attempt.handshake.messages.resize(2);
    attempt.findings.clear();
    auto& request = add_message(attempt, 0.1, 35, Direction::to_server, Role::request, 2200);
    request.ip_fragments = 2;
    request.first_fragment_bytes = 1500;
    SECTION("behind us") {
        add_finding(attempt, "D27", Actor::server_network);
        CHECK(fates(attempt) == "passed passed lost_after:2/2");
    }
    SECTION("on the way back") {
        auto& answer = add_message(attempt, 0.2, 35, Direction::to_peer, Role::response, 1800);
        answer.ip_fragments = 2;
        add_finding(attempt, "D10", Actor::server);
        CHECK(fates(attempt) == "passed passed passed:2/2 lost_after:2/2");
    }
    SECTION("here, by our verdict") {
        request.refused = true;
        request.reason = Reason::policy;
        CHECK(fates(attempt) == "passed passed dropped_here:2/2");
    }
    SECTION("here, by another rule") {
        for (auto& message : attempt.handshake.messages) message.left_time = message.time;
        attempt.handshake.messages.back().left_time.reset();
        add_finding(attempt, "D29", Actor::this_firewall);
        CHECK(fates(attempt) == "passed passed dropped_here:2/2");
    }
    SECTION("never answered") {
        add_finding(attempt, "D07", Actor::server);
        CHECK(fates(attempt) == "passed passed passed:2/2 never_came");
    }
    SECTION("said by ICMP") {
        IcmpRecord icmp;
        icmp.time = attempt.handshake.last_time;
        icmp.type = 3;
        icmp.code = 3;
        attempt.handshake.icmp.push_back(icmp);
        CHECK(fates(attempt) == "passed passed passed:2/2 icmp");
    }
}

TEST_CASE("explain: text for people", "[explain]") {
    const auto text = explain_text({partial_story()}, {});
    INFO(text);
    CHECK(text.starts_with("What happened to 203.0.113.7, in one sentence.\n"));
    for (const auto* part :
         {"+0.000 s  |------------>|------------>|  IKE_SA_INIT request, 400 octets (no IKE "
          "fragmentation)",
          "+0.050 s  |<------------|<------------|  IKE_SA_INIT response, 440 octets",
          "+0.100 s  |- 1/2 -x     |             |  IKE_AUTH request, 2200 octets (only the first "
          "IP fragment (1500 octets) came)",
          "Who must act: the client's network",
          "What to do:   What 203.0.113.7 must change.",
          "client  203.0.113.7 (windows), can fragment IKE",
          "server  198.51.100.5 vpn1, offers no IKE fragmentation",
          "What would disprove it: "})
        CHECK(text.find(part) != std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    const auto coloured = explain_text({partial_story()}, {.colour = true});
    CHECK(coloured.find("\x1b[31m|- 1/2 -x     |             |\x1b[0m") != std::string::npos);
}

TEST_CASE("explain: masked, no whole client address is left", "[explain]") {
    const auto text = explain_text({partial_story()}, {.mask = true});
    CHECK(text.find("203.0.113.7") == std::string::npos);
    CHECK(text.find("203.0.113.x") != std::string::npos);
    const auto json = explain_json({partial_story()}, {.mask = true});
    CHECK(json.find("203.0.113.7") == std::string::npos);
    CHECK(json.find("203.0.113.x") != std::string::npos);
    CHECK(shown_address(*parse_address("2001:db8:1:2::3"), true) == "2001:db8:1::x");
}

TEST_CASE("explain: every address is masked but the server's", "[explain]") {
    const auto server = *parse_address("198.51.100.5");
    const auto masked = [&](std::string_view text) { return shown_text(text, server, true); };
    CHECK(masked("203.0.113.77 and 203.0.113.7.") == "203.0.113.x and 203.0.113.x.");
    CHECK(masked("from 203.0.113.7: lost") == "from 203.0.113.x: lost");
    CHECK(masked("2001:db8:1:2::7 (Windows)") == "2001:db8:1::x (Windows)");
    CHECK(masked("to 198.51.100.5, to 198.51.100.55") == "to 198.51.100.5, to 198.51.100.x");
    CHECK(masked("since 5.5.1, at 1.5 s: face, ...: 1.") == "since 5.5.1, at 1.5 s: face, ...: 1.");
    CHECK(masked("") == "");
    CHECK(shown_text("203.0.113.7", server, false) == "203.0.113.7");
}

TEST_CASE("explain: hostile text reaches the terminal as hex", "[explain]") {
    auto attempt = partial_story();
    attempt.handshake.client_side.vendor = "\x1b[2J";
    attempt.server_name = "a\nb";
    attempt.findings.front().sentence = "\x1b]0;x\x07";
    const auto text = explain_text({attempt}, {});
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\\x1b[2J") != std::string::npos);
    CHECK(text.find("a\\x0ab") != std::string::npos);
    attempt.findings.front().evidence = {"\xff"};
    CHECK_NOTHROW(boost::json::parse(explain_json({attempt}, {})));
}

TEST_CASE("explain: JSON has the story's parts", "[explain]") {
    const auto value = boost::json::parse(explain_json({partial_story()}, {}));
    const auto& object = value.as_object();
    CHECK(object.at("format") == 1);
    const auto& attempt = object.at("attempts").as_array().at(0).as_object();
    CHECK(attempt.at("cause") == "D04");
    CHECK(attempt.at("server_name") == "vpn1");
    CHECK(attempt.at("headline") == "What happened to 203.0.113.7, in one sentence.");
    CHECK(attempt.at("ladder").as_array().size() == 4);
    CHECK(attempt.at("ladder").as_array().at(2).as_object().at("fate") == "partial");
    CHECK(attempt.at("findings").as_array().at(0).as_object().at("id") == "D04");
    CHECK(attempt.at("handshake").as_object().at("client") == "203.0.113.7");
}

TEST_CASE("explain: a headline for every end", "[explain]") {
    struct Case {
        Outcome outcome;
        Basis basis;
        std::string part;
    };
    const Case cases[] = {
        {Outcome::established, Basis::esp,        "it succeeded."                      },
        {Outcome::in_progress, Basis::none,       "it is under way."                   },
        {Outcome::failed,      Basis::unanswered, "it was not answered; no known cause"},
        {Outcome::failed,      Basis::refused,    "it was refused; no known cause"     },
        {Outcome::unknown,     Basis::answered,   "IKE_AUTH was answered"              },
        {Outcome::unknown,     Basis::half_view,  "answers take another way"           },
        {Outcome::unknown,     Basis::mid_stream, "from the middle on"                 },
        {Outcome::unknown,     Basis::redirected, "REDIRECT"                           },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.part) {
            auto attempt = partial_story();
            attempt.findings.clear();
            attempt.handshake.outcome = c.outcome;
            attempt.handshake.basis = c.basis;
            CHECK(headline(attempt).find(c.part) != std::string::npos);
            CHECK(headline(attempt).find("vpn1 (198.51.100.5)") != std::string::npos);
        }
}

TEST_CASE("explain: clear notifies are named, and a refusal without a finding quotes them",
          "[explain]") {
    auto attempt = partial_story();
    attempt.findings.clear();
    attempt.handshake.outcome = Outcome::failed;
    attempt.handshake.basis = Basis::refused;
    auto& answer = add_message(attempt, 0.2, 34, Direction::to_peer, Role::response, 36);
    answer.notifies = {12345};
    answer.windows_error = 13868;
    CHECK(headline(attempt).ends_with(
        ": it was refused; the answer says MS_NOTIFY_STATUS, Windows error 13868 (policy match: "
        "the proposals do not fit)."));
    std::string notes;
    for (const auto& row : ladder(attempt)) notes += row.note + '\n';
    CHECK(notes.find("MS_NOTIFY_STATUS, Windows error 13868") != std::string::npos);
    // What a request brings back is no complaint.
    auto& request = add_message(attempt, 2, 34, Direction::to_server, Role::request, 300);
    request.notifies = {16390};
    request.notes.set(Note::cookie);
    CHECK(ladder(attempt).back().note == "with the cookie; no IKE fragmentation");
}
