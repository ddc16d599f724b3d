// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/json/json.hpp"

#include "daemon/timestamp.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

IpAddress address(const char* text) { return *parse_address(text); }

Handshake handshake() {
    Handshake h;
    h.initiator_spi = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77};
    h.client = {address("198.51.100.7"), 500};
    h.server = {address("2001:db8:0:0:1:0:0:1"), 4500};
    h.first_time = TimePoint(1'795'420'800s);
    h.last_time = h.first_time + 1'412'007'999ns;
    return h;
}

/// The first `count` keys of an object, separated by spaces.
std::string keys(const json::object& object, std::size_t count) {
    std::string names;
    for (const auto& member : object) {
        if (count-- == 0) break;
        if (!names.empty()) names += ' ';
        names += member.key();
    }
    return names;
}

} // namespace

TEST_CASE("timestamp: RFC 3339, UTC, six decimals, cut", "[json]") {
    CHECK(rfc3339(TimePoint{}) == "1970-01-01T00:00:00.000000Z");
    CHECK(rfc3339(TimePoint(1'795'420'800s + 1'412'007'999ns)) == "2026-11-23T08:00:01.412007Z");
    CHECK(rfc3339(TimePoint(-1ns)) == "1969-12-31T23:59:59.999999Z");
    CHECK(rfc3339(TimePoint(951'782'400s)) == "2000-02-29T00:00:00.000000Z");
    CHECK(rfc3339(TimePoint::max()) == "2262-04-11T23:47:16.854775Z");
}

TEST_CASE("json: a handshake has the fixed keys first, in their order", "[json]") {
    const auto object = to_json(handshake());
    CHECK(keys(object, 13) ==
          "initiator_spi responder_spi version client server first_time last_time outcome basis "
          "retransmits client_fragmentation server_fragmentation auth_transport");
    CHECK(object.at("initiator_spi") == "0011223344556677");
    CHECK(object.at("responder_spi").is_null());
    CHECK(object.at("version") == 2);
    CHECK(object.at("client") == "198.51.100.7");
    CHECK(object.at("server") == "2001:db8::1:0:0:1");
    CHECK(object.at("first_time") == "2026-11-23T08:00:00.000000Z");
    CHECK(object.at("last_time") == "2026-11-23T08:00:01.412007Z");
    CHECK(object.at("outcome") == "in_progress");
    CHECK(object.at("basis").is_null());
    CHECK(json::serialize(object.at("auth_transport")) == R"({"request":null,"response":null})");
}

TEST_CASE("json: what an ended handshake says", "[json]") {
    auto h = handshake();
    h.responder_spi = {0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    h.outcome = Outcome::established;
    h.basis = Basis::later_exchange;
    h.client_side.fragmentation = Fragmentation::ike;
    h.server_side.fragmentation = Fragmentation::none;
    h.auth_request_transport = Transport::ip;
    h.auth_response_transport = Transport::skf;
    const auto object = to_json(h);
    CHECK(object.at("responder_spi") == "8899aabbccddeeff");
    CHECK(object.at("outcome") == "established");
    CHECK(object.at("basis") == "later_exchange");
    CHECK(object.at("client_fragmentation") == "ike");
    CHECK(object.at("server_fragmentation") == "none");
    CHECK(json::serialize(object.at("auth_transport")) == R"({"request":"ip","response":"skf"})");
}

TEST_CASE("json: what the parser learnt of a handshake and an address can be read", "[json]") {
    auto h = handshake();
    CHECK(json::serialize(to_json(h).at("offered")) == "[]");
    CHECK(to_json(h).at("client_side").at("other_behind_nat").is_null());
    const Transform strong{.type = transform_type::encryption, .id = 20, .key_bits = 256};
    const Transform group{.type = transform_type::key_exchange, .id = 31};
    h.offered = SharedList<Transform>({strong, group});
    h.chosen = SharedList<Transform>({strong});
    h.client_side.other_behind_nat = true;
    const auto object = to_json(h);
    CHECK(json::serialize(object.at("offered")) ==
          R"(["encryption=AES_GCM_16-256","key_exchange=CURVE_25519"])");
    CHECK(object.at("offered_truncated") == false);
    CHECK(json::serialize(object.at("chosen")) == R"(["encryption=AES_GCM_16-256"])");
    CHECK(object.at("client_side").at("other_behind_nat") == true);
    Peer peer;
    CHECK(to_json(peer).at("bogus") == false);
    peer.address = address("2002:a00:1::1"); // 6to4 of 10.0.0.1
    peer.transition = Transition::six_to_four;
    CHECK(to_json(peer).at("bogus") == true);
    peer.transition = Transition::nat64; // by a prefix of the configuration
    CHECK(to_json(peer).at("bogus") == false);
    peer.address = address("2002:c633:6453::1");
    peer.transition = Transition::six_to_four;
    CHECK(to_json(peer).at("bogus") == false);
}

TEST_CASE("json: hostile text is valid UTF-8 and harmless", "[json]") {
    const std::string nasty("\x1b[2J</script>'; DROP\n=cmd%n\xff\xfe\0end", 32);
    auto h = handshake();
    h.client_side.vendor = nasty;
    h.client_side.vendor_ids.add_name(nasty);
    Peer peer;
    peer.vendor = nasty;
    Finding finding;
    finding.sentence = nasty;
    finding.evidence.push_back(nasty);
    const std::string texts[] = {json::serialize(to_json(h)),
                                 json::serialize(to_json(peer)),
                                 json::serialize(to_json(finding))};
    for (const auto& text : texts) {
        json::error_code error;
        (void)json::parse(text, error);
        CHECK_FALSE(error);
        for (const char c : text) CHECK((c >= 0x20 && c < 0x7f));
    }
}

TEST_CASE("json: a peer and a finding without facts have nulls, not gaps", "[json]") {
    const auto peer = to_json(Peer{});
    CHECK(keys(peer, 5) == "address role fragmentation vendor transition");
    CHECK(peer.at("vendor").is_null());
    CHECK(peer.at("intermediate").is_null());
    CHECK(peer.at("intermediate_changed").is_null());
    Finding finding;
    finding.diagnosis = find_diagnosis("D04");
    REQUIRE(finding.diagnosis != nullptr);
    const auto object = to_json(finding);
    CHECK(keys(object, 12) == "id slug kind severity confidence actor client server initiator_spi "
                              "sentence remedy evidence");
    CHECK(object.at("slug") == "auth_partial_ipfrag");
    CHECK(object.at("initiator_spi").is_null());
}

TEST_CASE("json: verdicts have every reason, zeros included", "[json]") {
    VerdictTotals totals;
    Decision decision;
    decision.intended = Verdict::drop;
    decision.reason = Reason::overlap;
    totals.add(decision); // observe
    decision.verdict = Verdict::drop;
    decision.reason = Reason::timeout;
    totals.add(decision);
    totals.add(Decision{});
    const auto object = to_json(totals);
    CHECK(object.at("accept") == 2);
    CHECK(object.at("drop") == 1);
    CHECK(object.at("replace") == 0);
    CHECK(object.at("merge") == 0);
    const auto& reasons = object.at("drop_reasons").as_object();
    CHECK(reasons.size() == count_of<Reason> - 1);
    CHECK(reasons.at("timeout") == 1);
    CHECK(reasons.at("overlap") == 0);
    CHECK(object.at("intended").at("drop") == 2);
    CHECK(object.at("intended").at("drop_reasons").at("overlap") == 1);
}

TEST_CASE("json: a packet's entry", "[json]") {
    std::string out;
    Decision decision;
    append_packet_json(out, 1, decision, "");
    CHECK(out == R"({"number":1,"verdict":"accept","reason":null,"rule":null,"class":null,)"
                 R"("fragment":false,"intended":"accept"})");
    decision.verdict = decision.intended = Verdict::drop;
    decision.reason = Reason::bad_length;
    decision.packet_class = PacketClass::esp_in_udp;
    decision.fragment = true;
    out.clear();
    append_packet_json(out, 7, decision, "a \"quoted\" rule");
    CHECK(out == R"({"number":7,"verdict":"drop","reason":"bad_length",)"
                 R"("rule":"a \"quoted\" rule","class":"esp_in_udp","fragment":true,)"
                 R"("intended":"drop"})");
}

TEST_CASE("json: messages by exchange, transport and SKF", "[json]") {
    TrackerTotals totals;
    totals.messages = 4;
    totals.by_exchange[{"IKE_SA_INIT", Role::request}] = 1;
    totals.by_exchange[{"IKE_SA_INIT", Role::response}] = 1;
    totals.by_exchange[{"MAIN_MODE", Role::request}] = 2;
    totals.by_transport[index(Transport::ip)] = 3;
    totals.skf_fragments = 5;
    totals.notify_16430[index(Role::response)] = 1;
    CHECK(json::serialize(messages_json(totals)) ==
          R"({"total":4,"malformed":0,"by_exchange":{)"
          R"("IKE_SA_INIT":{"requests":1,"responses":1},)"
          R"("MAIN_MODE":{"requests":2,"responses":0}},)"
          R"("by_transport":{"whole":0,"ip":3,"skf":0,"v1":0,"cisco":0},)"
          R"("skf":{"fragments":5,"sets":0,"complete":0},)"
          R"("notify_16430":{"requests":0,"responses":1}})");
}

TEST_CASE("json: what the server said in the clear, by name", "[json]") {
    auto h = handshake();
    CHECK(to_json(h).at("error_notify").is_null());
    CHECK(to_json(h).at("error_notify_name").is_null());
    MessageRecord message;
    message.direction = Direction::to_peer;
    message.error_notify = 12345;
    message.notifies = {16390, 12345};
    message.windows_error = 13868;
    h.messages.push_back(message);
    const auto object = to_json_with_timeline(h);
    CHECK(object.at("error_notify") == 12345);
    CHECK(object.at("error_notify_name") == "MS_NOTIFY_STATUS");
    const auto& shown = object.at("messages").at(0);
    CHECK(shown.at("error_notify_name") == "MS_NOTIFY_STATUS");
    CHECK(json::serialize(shown.at("notifies")) == R"(["COOKIE","MS_NOTIFY_STATUS"])");
    CHECK(shown.at("windows_error") == 13868);
}

TEST_CASE("json: a timeline has where NAT sent a message, and its groups by name", "[json]") {
    auto h = handshake();
    MessageRecord message;
    message.left_destination = Endpoint{address("10.0.0.5"), 500};
    message.key_group = 14;
    h.messages.push_back(message);
    message = {};
    message.wanted_group = 31;
    h.messages.push_back(message);
    h.path_mtu_bytes[index(Direction::to_server)] = 1400;
    const auto object = to_json_with_timeline(h);
    const auto& first = object.at("messages").at(0);
    CHECK(first.at("left_source").is_null());
    CHECK(json::serialize(first.at("left_destination")) == R"({"address":"10.0.0.5","port":500})");
    CHECK(first.at("key_group") == "MODP_2048");
    CHECK(first.at("wanted_group").is_null());
    CHECK(object.at("messages").at(1).at("wanted_group") == "CURVE_25519");
    CHECK(json::serialize(object.at("path_mtu_bytes")) == R"({"to_server":1400,"to_peer":null})");
}

TEST_CASE("json: a set has what is missing of it, and what it began anew from", "[json]") {
    auto h = handshake();
    FragmentSet set;
    set.total = 5;
    for (const auto number : {1u, 2u, 4u}) set.present.add(static_cast<std::uint16_t>(number));
    set.previous_total = 3;
    set.previous_largest_bytes = 1280;
    h.sets.push_back(set);
    h.sets.push_back(FragmentSet{});
    const auto sets = to_json_with_timeline(h).at("sets");
    CHECK(json::serialize(sets.at(0).at("missing")) == "[3,5]");
    CHECK(sets.at(0).at("previous_total") == 3);
    CHECK(sets.at(0).at("previous_largest_bytes") == 1280);
    CHECK(sets.at(1).at("missing").is_null());
    CHECK(sets.at(1).at("previous_total").is_null());
}

TEST_CASE("json: tunnel packets and those that do not match", "[json]") {
    TrackerTotals totals;
    totals.outer_seen[index(Transition::six_to_four)] = {.matched = 3, .mismatched = 1};
    totals.outer_seen[index(Transition::teredo)] = {.matched = 0, .mismatched = 2};
    CHECK(json::serialize(transition_json(totals)) == R"({"outer_seen":6,"mismatches":3})");
}
