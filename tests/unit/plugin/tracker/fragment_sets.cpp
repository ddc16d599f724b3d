// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/fragment_sets.hpp"

#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");

FragmentHeader piece(std::uint16_t number, std::uint16_t total) {
    FragmentHeader header;
    header.number = number;
    header.total = total;
    header.last = number == total;
    return header;
}

FragmentOf auth_request() {
    FragmentOf of;
    of.exchange = {2, 35, 1};
    of.message_bytes = 1200;
    of.datagram_bytes = 1232;
    return of;
}

void agree(TrackerScript& script) {
    script.at(0ms).from_client(sa_init_request(initiator));
    script.at(2ms).from_server(sa_init_response(initiator, responder));
}

} // namespace

TEST_CASE("SKF set: RFC 7383's rules, step by step", "[tracker]") {
    struct Step {
        std::uint16_t number;
        std::uint16_t total;
    };
    struct Case {
        std::string name;
        std::vector<Step> steps;
        std::uint16_t total;
        std::uint16_t seen;
        bool complete;
        std::uint16_t previous_total;
    };
    const Case cases[] = {
        {"in order",                        {{1, 3}, {2, 3}, {3, 3}},         3,    3, true,  0},
        {"any order",                       {{3, 3}, {1, 3}, {2, 3}},         3,    3, true,  0},
        {"a duplicate does not complete",   {{1, 3}, {2, 3}, {2, 3}},         3,    2, false, 0},
        {"one of one",                      {{1, 1}},                         1,    1, true,  0},
        {"a larger total begins anew",      {{1, 2}, {1, 3}, {2, 3}},         3,    2, false, 2},
        {"... and completes",               {{1, 2}, {1, 3}, {2, 3}, {3, 3}}, 3,    3, true,  2},
        {"a smaller total is ignored",      {{1, 3}, {2, 3}, {1, 2}, {2, 2}}, 3,    2, false, 0},
        {"a complete set restarted",        {{1, 2}, {2, 2}, {1, 4}},         4,    1, false, 2},
        {"number zero is ignored",          {{1, 2}, {0, 2}},                 2,    1, false, 0},
 // A set of 300 that came whole was never complete, and its handshake taken for failed.
        {"numbers past 256 are told apart", {{1, 300}, {257, 300}},           300,  2, false, 0},
        {"... and their duplicates",        {{257, 300}, {257, 300}},         300,  1, false, 0},
        {"up to 1024",                      {{1024, 1024}},                   1024, 1, false, 0},
        {"past 1024 they are not",          {{1, 1025}, {1025, 1025}},        1025, 1, false, 0},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            SeldomList<FragmentSet> sets;
            unsigned completed = 0;
            for (const auto& step : c.steps)
                if (add_fragment(sets, auth_request(), piece(step.number, step.total)).completed)
                    ++completed;
            REQUIRE(sets.size() == 1);
            CHECK(sets[0].total == c.total);
            CHECK(sets[0].seen == c.seen);
            CHECK(sets[0].complete == c.complete);
            CHECK(sets[0].previous_total == c.previous_total);
            CHECK(completed == (c.complete || c.name == "a complete set restarted" ? 1 : 0));
            CHECK(sets[0].bytes == c.seen * 1200u);
        }
    }
}

TEST_CASE("SKF set: every order of up to 1024 completes exactly once", "[tracker]") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (std::uint16_t total = 1; total <= 1024; total = static_cast<std::uint16_t>(total * 2)) {
        std::vector<std::uint16_t> numbers(total);
        for (std::uint16_t i = 0; i < total; ++i) numbers[i] = static_cast<std::uint16_t>(i + 1);
        std::shuffle(numbers.begin(), numbers.end(), random);
        SeldomList<FragmentSet> sets;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const auto change = add_fragment(sets, auth_request(), piece(numbers[i], total));
            CHECK(change.completed == (i + 1 == numbers.size()));
            CHECK(add_fragment(sets, auth_request(), piece(numbers[i], total)).repeated);
        }
    }
}

TEST_CASE("SKF set: of more than 1024 nothing is said but that its last piece came", "[tracker]") {
    SeldomList<FragmentSet> sets;
    CHECK_FALSE(add_fragment(sets, auth_request(), piece(1, 2000)).ended);
    CHECK(sets[0].is_too_large());
    CHECK_FALSE(add_fragment(sets, auth_request(), piece(1999, 2000)).ended);
    const auto change = add_fragment(sets, auth_request(), piece(2000, 2000));
    CHECK(change.ended);
    CHECK_FALSE(change.completed);
    auto again = auth_request();
    again.same_bytes_seen = true;
    CHECK_FALSE(add_fragment(sets, again, piece(2000, 2000)).ended);
    SECTION("nor that it was lost when it is begun anew") {
        CHECK_FALSE(add_fragment(sets, auth_request(), piece(1, 3000)).abandoned);
    }
}

TEST_CASE("payload 132: pieces of different fragment ids make no set", "[tracker]") {
    auto of = auth_request();
    of.transport = Transport::cisco;
    const auto add = [&of](SeldomList<FragmentSet>& sets,
                           std::uint16_t id,
                           std::uint16_t number,
                           std::uint16_t total) {
        of.id = id;
        return add_fragment(sets, of, piece(number, total));
    };
    SeldomList<FragmentSet> sets;
    CHECK(add(sets, 1, 3, 3).started);
    CHECK(add(sets, 2, 1, 0).started);
    CHECK_FALSE(add(sets, 2, 2, 0).completed);
    REQUIRE(sets.size() == 2);
    CHECK_FALSE(sets[0].complete);
    CHECK_FALSE(sets[1].complete);
    SECTION("each id has its own, in any order") {
        CHECK_FALSE(add(sets, 1, 1, 0).completed);
        CHECK(add(sets, 2, 3, 3).completed);
        CHECK(add(sets, 1, 2, 0).completed);
        CHECK(sets.size() == 2);
    }
}

TEST_CASE("SKF set: at most 16 a handshake, the oldest goes", "[tracker]") {
    SeldomList<FragmentSet> sets;
    for (std::uint32_t id = 1; id <= 40; ++id) {
        auto of = auth_request();
        of.exchange.message_id = id;
        CHECK(add_fragment(sets, of, piece(1, 2)).started);
    }
    CHECK(sets.size() == max_sets);
    CHECK(sets[0].exchange.message_id == 25);
}

TEST_CASE("SKF: IKE_AUTH in fragments both ways", "[tracker]") {
    TrackerScript script;
    agree(script);
    const auto request = skf_set(initiator, responder, {.bytes = 5000}, 1232);
    const auto answer =
        skf_set(initiator,
                responder,
                {.response = true, .from_initiator = false, .bytes = 3000, .seed = 2},
                548);
    script.at(10ms).from_client(request).at(12ms).from_server(answer);
    script.at(50ms).from_client(
        encrypted_message(initiator, responder, {.exchange = 36, .id = 2, .bytes = 200}));
    const auto handshake = script.end().handshake();
    CHECK(handshake.outcome == Outcome::established);
    CHECK(handshake.auth_request_transport == Transport::skf);
    CHECK(handshake.auth_response_transport == Transport::skf);
    REQUIRE(handshake.sets.size() == 2);
    CHECK(handshake.sets[0].seen == request.size());
    CHECK(handshake.sets[1].seen == answer.size());
    CHECK(handshake.sets[1].largest_bytes == 548 + 28);
    const auto& totals = script.tracker.totals();
    CHECK(totals.skf_fragments == request.size() + answer.size());
    CHECK(totals.skf_sets == 2);
    CHECK(totals.skf_complete == 2);
    CHECK(totals.by_transport[index(Transport::skf)] == totals.skf_fragments);
    // The whole message is one of its size, not many of its pieces'.
    const auto& bytes = totals.message_bytes.at({std::uint8_t{2}, std::uint8_t{35}, Role::request});
    std::uint64_t counted = 0;
    for (const auto count : bytes) counted += count;
    CHECK(counted == 1);
}

TEST_CASE("SKF: an answer in very many fragments is an answer", "[tracker]") {
    struct Case {
        std::string name;
        std::size_t pieces;
        std::uint64_t complete;
    };
    const Case cases[] = {
        {"300, told apart",      300,  2},
        {"1100, too many to be", 1100, 1},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            TrackerScript script;
            agree(script);
            script.at(10ms).from_client(skf_set(initiator, responder, {.bytes = 1000}, 548));
            const auto answer = skf_set(
                initiator,
                responder,
                {.response = true, .from_initiator = false, .bytes = c.pieces * 36, .seed = 2},
                97);
            REQUIRE(answer.size() == c.pieces);
            script.at(12ms).from_server(answer);
            script.at(50ms).from_client(
                encrypted_message(initiator, responder, {.exchange = 36, .id = 2, .bytes = 200}));
            const auto handshake = script.end().handshake();
            CHECK(handshake.outcome == Outcome::established);
            CHECK(handshake.auth_response_transport == Transport::skf);
            CHECK(script.tracker.totals().skf_complete == c.complete);
            const auto& lost = script.tracker.server_totals().at(0).skf_incomplete;
            CHECK(lost.empty());
        }
    }
}

TEST_CASE("SKF: an incomplete request or answer is not one", "[tracker]") {
    const auto request = skf_set(initiator, responder, {.bytes = 5000}, 1232);
    const auto answer =
        skf_set(initiator,
                responder,
                {.response = true, .from_initiator = false, .bytes = 3000, .seed = 2},
                1232);
    SECTION("request") {
        TrackerScript script;
        agree(script);
        for (std::size_t i = 0; i + 1 < request.size(); ++i)
            script.at(10ms).from_client(request[i]);
        const auto handshake = script.end().handshake();
        CHECK(handshake.basis == Basis::unanswered);
        CHECK_FALSE(handshake.auth_request_transport);
        const auto& server = script.tracker.server_totals().at(0);
        CHECK(server.skf_incomplete.at({std::uint8_t{2}, std::uint8_t{35}, Role::request}) == 1);
    }
    SECTION("answer") {
        TrackerScript script;
        agree(script);
        script.at(10ms).from_client(request);
        for (std::size_t i = 1; i < answer.size(); ++i) script.at(12ms).from_server(answer[i]);
        const auto handshake = script.end().handshake();
        CHECK(handshake.basis == Basis::unanswered);
        CHECK(handshake.auth_request_transport == Transport::skf);
        CHECK_FALSE(handshake.auth_response_transport);
    }
}

TEST_CASE("SKF: what never came whole counts once, however often its handshake ends", "[tracker]") {
    const auto small = skf_set(initiator, responder, {.bytes = 5000}, 1232);
    const auto smaller = skf_set(initiator, responder, {.bytes = 5000, .seed = 2}, 548);
    const auto all_but_last = [](const std::vector<ByteVector>& set) {
        return std::vector<ByteVector>(set.begin(), set.end() - 1);
    };
    const auto next = encrypted_message(initiator, responder, {.id = 2});
    const auto incomplete = [](TrackerScript& script) {
        const auto& server = script.tracker.server_totals().at(0);
        return server.skf_incomplete.at({std::uint8_t{2}, std::uint8_t{35}, Role::request});
    };
    TrackerScript script;
    agree(script);
    script.at(10ms).from_client(all_but_last(small)).expire(100s);
    REQUIRE(script.handshake().ended);
    REQUIRE(incomplete(script) == 1);
    SECTION("it goes on with another message and ends again") {
        script.at(101s).from_client(next).expire(102s);
        REQUIRE_FALSE(script.handshake().ended);
        script.end();
        CHECK(script.handshake().ended);
        CHECK(incomplete(script) == 1);
    }
    SECTION("smaller pieces begin it anew and come whole") {
        script.at(101s).from_client(smaller).end();
        CHECK(script.handshake().sets[0].complete);
        CHECK(incomplete(script) == 1);
    }
    SECTION("smaller pieces begin it anew, and some are lost again") {
        script.at(101s).from_client(next).from_client(all_but_last(smaller)).end();
        CHECK(script.handshake().ended);
        CHECK(incomplete(script) == 2);
        CHECK(script.tracker.totals().skf_sets == 2);
    }
}

TEST_CASE("SKF: a set that came unfragmented tells what the path carries", "[tracker]") {
    const auto set = skf_set(initiator, responder, {.bytes = 5000}, 1252);
    const auto to_server = index(Direction::to_server);
    TrackerScript script;
    agree(script);
    SECTION("whole") {
        script.at(10ms).from_client(set).end();
        CHECK(script.handshake().path_mtu_bytes[to_server] == 1280);
        CHECK(script.tracker.find_peer(script.client.address)->path_mtu_bytes == 1280);
        CHECK(script.tracker.server_totals().at(0).path_mtu_bytes[to_server] == 1280);
    }
    SECTION("with one missing") {
        for (std::size_t i = 1; i < set.size(); ++i) script.at(10ms).from_client(set[i]);
        script.end();
        CHECK(script.handshake().path_mtu_bytes[to_server] == 0);
    }
    SECTION("in IP fragments: the first fragment's size is the path's") {
        for (const auto& message : set)
            script.at(10ms).from_client(message, {.ip_fragments = 2, .first_fragment_bytes = 996});
        script.end();
        CHECK(script.handshake().path_mtu_bytes[to_server] == 996);
    }
    SECTION("smaller than the path is known to carry") {
        script.at(9ms).from_client(encrypted_message(initiator, responder, {.bytes = 4000}),
                                   {.ip_fragments = 3, .first_fragment_bytes = 1492});
        script.at(10ms).from_client(set).end();
        CHECK(script.handshake().path_mtu_bytes[to_server] == 1492);
    }
}

TEST_CASE("SKF: inside IP fragments, and shrunk", "[tracker]") {
    TrackerScript script;
    agree(script);
    for (const auto& large : skf_set(initiator, responder, {.bytes = 3000}, 1800))
        script.at(10ms).from_client(large, {.ip_fragments = 2});
    for (const auto& small : skf_set(initiator, responder, {.bytes = 3000, .seed = 4}, 600))
        script.at(2s).from_client(small);
    const auto handshake = script.end().handshake();
    REQUIRE(handshake.sets.size() == 1);
    CHECK(handshake.sets[0].previous_total == 2);
    CHECK(handshake.sets[0].previous_largest_bytes == 1828);
    CHECK(handshake.sets[0].complete);
    CHECK(handshake.messages[2].ip_fragments == 2);
    CHECK(handshake.messages[2].transport == Transport::skf);
    CHECK(handshake.retransmits == 0);
}

TEST_CASE("Cisco's own fragments in IKEv2 are payload 132", "[tracker]") {
    TrackerScript script;
    const InitOptions cisco{.fragmentation = false, .cisco = true};
    script.at(0ms).from_client(sa_init_request(initiator, cisco));
    script.at(2ms).from_server(sa_init_response(initiator, responder, cisco));
    const auto whole = encrypted_message(initiator, responder, {.bytes = 3000});
    script.at(8ms).from_client(payload_132_set(whole, 1200));
    const auto handshake = script.end().handshake();
    CHECK(handshake.client_side.fragmentation == Fragmentation::cisco);
    CHECK(handshake.server_side.fragmentation == Fragmentation::cisco);
    CHECK(handshake.auth_request_transport == Transport::cisco);
    CHECK(script.tracker.totals().by_transport[index(Transport::cisco)] == 3);
}
