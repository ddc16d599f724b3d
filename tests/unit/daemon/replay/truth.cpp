// SPDX-License-Identifier: GPL-2.0-or-later
// What tshark says of every recorded capture, against what replay says.
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/replay/replay.hpp"

#include "tests/support/daemon/temporary_file.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace ikefrag;
namespace json = boost::json;

namespace {

const std::string captures = TESTS_DIR "/captures/";

PolicyPointer shipped(Mode mode) {
    const TextFile config{"test", "mode = \"" + std::string(to_string(mode)) + "\"\n"};
    const std::vector<TextFile> rules{shipped_rule_file()};
    return parse_config(config, rules)->policy;
}

std::unique_ptr<Replay> replay(const std::string& file, Mode mode = Mode::exclusive) {
    auto reader = CaptureReader::open(::open((captures + file).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(reader);
    auto done = std::make_unique<Replay>(ReplayOptions{
        .policy = shipped(mode), .vendor_ids = default_vendor_ids(), .keep_packets = true});
    done->run(*reader);
    return done;
}

std::uint64_t number(const json::value& value) { return value.to_number<std::uint64_t>(); }

/// "v2 IKE_AUTH req" → "IKE_AUTH req", "v1 INFORMATIONAL" → "INFORMATIONAL_V1 req".
std::string our_name(std::string name) {
    if (name.rfind("v1 ", 0) == 0) {
        name = name.substr(3);
        return (name == "INFORMATIONAL" ? "INFORMATIONAL_V1" : name) + " req";
    }
    return name.substr(3);
}

std::map<std::string, std::uint64_t> exchanges(const TrackerTotals& totals) {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& [key, count] : totals.by_exchange)
        if (count != 0)
            counts[key.first + (key.second == Role::request ? " req" : " resp")] = count;
    return counts;
}

} // namespace

TEST_CASE("replay: fragments, messages, SKF and 16430 are as tshark counts them", "[replay]") {
    std::istringstream lines(testing::read_file(captures + "truth.jsonl"));
    std::size_t files = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto truth = json::parse(line).as_object();
        const std::string file(truth.at("file").as_string());
        DYNAMIC_SECTION(file) {
            const auto done = replay(file);
            CHECK(done->facts().packets == number(truth.at("packets")));
            CHECK(done->facts().truncated == truth.at("truncated_file").as_bool());
            CHECK(done->fragments() == number(truth.at("ipv4_fragments").at("total")) +
                                           number(truth.at("ipv6_fragments").at("total")));
            const auto& ike = truth.at("ike").as_object();
            const auto& totals = done->tracker().totals();
            CHECK(totals.messages == number(ike.at("total")));
            std::map<std::string, std::uint64_t> expected;
            for (const auto& member : ike.at("by_exchange").as_object())
                expected[our_name(std::string(member.key()))] = number(member.value());
            CHECK(exchanges(totals) == expected);
            CHECK(totals.skf_fragments == number(ike.at("skf").at("messages")));
            const auto& notify = ike.at("notify_16430");
            CHECK(totals.notify_16430[0] == number(notify.at("sa_init_request")));
            CHECK(totals.notify_16430[1] == number(notify.at("sa_init_response")));
            CHECK(totals.by_transport[index(Transport::ip)] ==
                  number(ike.at("arrived_in_ip_fragments")));
            CHECK(totals.by_transport[index(Transport::v1)] ==
                  number(ike.at("ikev1_frag_payload")));
            // Every record has one verdict, nothing is left open.
            std::uint64_t verdicts = 0;
            for (const auto count : done->verdicts().verdicts) verdicts += count;
            CHECK(verdicts == done->facts().packets);
            CHECK_FALSE(done->gate().next_deadline());
            done->tracker().for_each_handshake([](const Handshake& handshake) {
                CHECK(handshake.outcome != Outcome::in_progress);
                CHECK(handshake.basis != Basis::none);
            });
        }
        ++files;
    }
    CHECK(files >= 50);
}

TEST_CASE("replay: IKE_AUTH both ways in fragments, nobody announces 16430", "[replay]") {
    const auto done = replay("ss-v2-ipfrag-ipv4.i-side.pcap");
    CHECK(done->fragments() == 4);
    CHECK(done->verdicts().verdicts[index(Verdict::accept)] == 8);
    const auto& datagrams = done->gate().counters().datagrams[index(Family::ipv4)];
    CHECK(datagrams[index(DatagramOutcome::complete)].get() == 2);
    std::size_t handshakes = 0;
    done->tracker().for_each_handshake([&](const Handshake& handshake) {
        ++handshakes;
        CHECK(handshake.outcome == Outcome::established);
        CHECK(handshake.auth_request_transport == Transport::ip);
        CHECK(handshake.auth_response_transport == Transport::ip);
    });
    CHECK(handshakes == 1);
}

TEST_CASE("replay: fragments dropped behind the capture, two attempts fail", "[replay]") {
    const auto done = replay("v2-ipfrag-dropped-ip4.pcap");
    CHECK(done->verdicts().verdicts[index(Verdict::accept)] == 28);
    const auto& datagrams = done->gate().counters().datagrams[index(Family::ipv4)];
    CHECK(datagrams[index(DatagramOutcome::complete)].get() == 6);
    std::size_t handshakes = 0;
    done->tracker().for_each_handshake([&](const Handshake& handshake) {
        ++handshakes;
        CHECK(handshake.outcome == Outcome::failed);
        CHECK(handshake.basis == Basis::unanswered);
        CHECK(handshake.retransmits == 2);
    });
    CHECK(handshakes == 2);
}

TEST_CASE("replay: fragments of ESP in UDP are left by the shipped rule", "[replay]") {
    const auto done = replay("v2-espfrag-natt-ip4.pcap");
    std::size_t seen = 0;
    for (const auto& decision : done->packets()) {
        if (!decision.fragment || decision.packet_class != PacketClass::esp_in_udp) continue;
        ++seen;
        CHECK(decision.verdict == Verdict::accept);
        REQUIRE(decision.rule >= 0);
        const Rule& rule = done->policy().rules[static_cast<std::size_t>(decision.rule)];
        CHECK(rule.name == "esp-in-udp");
        CHECK(rule.action == Action::leave);
    }
    CHECK(seen == 4);
}

TEST_CASE("replay: observe would have done what exclusive does", "[replay]") {
    for (const std::string file : {"v2-espfrag-natt-ip4.pcap",
                                   "v2-cookie-ip4.pcap",
                                   "ss-v2-stall-ipfrag-dropped.r-side.pcap"}) {
        CAPTURE(file);
        const auto guard = replay(file, Mode::guard);
        const auto observe = replay(file, Mode::observe);
        REQUIRE(guard->packets().size() == observe->packets().size());
        for (std::size_t i = 0; i < guard->packets().size(); ++i) {
            CHECK(observe->packets()[i].verdict == Verdict::accept);
            CHECK(observe->packets()[i].intended == guard->packets()[i].verdict);
            CHECK(observe->packets()[i].reason == guard->packets()[i].reason);
        }
    }
}
