// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/event_writer.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace ikefrag;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr TimePoint start{std::chrono::seconds(1'700'000'000)};

struct Folder {
    Folder() {
        char name[] = "/tmp/ikefrag-events-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file() const { return path + "/events.json"; }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> out;
        std::ifstream in(file());
        for (std::string line; std::getline(in, line);) out.push_back(line);
        return out;
    }
    std::string path;
};

Handshake some_handshake() {
    Handshake handshake;
    handshake.initiator_spi = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77};
    handshake.client = {*parse_address("203.0.113.77"), 4711};
    handshake.server = {*parse_address("198.51.100.5"), 500};
    handshake.first_time = start;
    handshake.last_time = start + 250ms;
    handshake.outcome = Outcome::established;
    handshake.basis = Basis::esp;
    handshake.proven = true;
    MessageRecord message;
    message.exchange = {2, 35, 1};
    handshake.messages.push_back(message);
    return handshake;
}

Finding some_finding(const std::string& text) {
    Finding finding;
    finding.diagnosis = find_diagnosis("D04");
    finding.client = *parse_address("203.0.113.77");
    finding.server = *parse_address("198.51.100.5");
    finding.sentence = "client 203.0.113.77 says " + text;
    finding.remedy = text;
    finding.evidence = {text};
    return finding;
}

/// Writes by `write` to a file, and gives its lines.
template <class Write>
std::vector<std::string> written(const EventOptions& options, bool mask, Write write) {
    const Folder folder;
    auto to_file = options;
    to_file.file = folder.file();
    {
        EventWriter events(to_file, mask);
        write(events);
    }
    return folder.lines();
}

void check_suppressed(const std::string& line,
                      const std::string& of,
                      const std::string& key,
                      std::int64_t count) {
    CAPTURE(line);
    const auto told = json::parse(line).as_object();
    CHECK(told.at("event_type").as_string() == "suppressed");
    CHECK(told.at("of").as_string() == of);
    CHECK(told.at("key").as_string() == key);
    CHECK(told.at("count").as_int64() == count);
}

} // namespace

TEST_CASE("events: a handshake's end is one JSON line with Suricata's names", "[events]") {
    const auto lines = written({}, false, [](EventWriter& events) {
        events.handshake_ended(some_handshake(), nullptr, "vpn1", start + 1s);
    });
    REQUIRE(lines.size() == 1);
    const auto event = json::parse(lines[0]).as_object();
    CHECK(event.at("timestamp").as_string() == "2023-11-14T22:13:21.000000Z");
    CHECK(event.at("event_type").as_string() == "ike_handshake");
    CHECK(event.at("src_ip").as_string() == "203.0.113.77");
    CHECK(event.at("src_port").as_int64() == 4711);
    CHECK(event.at("dest_ip").as_string() == "198.51.100.5");
    CHECK(event.at("server_name").as_string() == "vpn1");
    CHECK(event.at("outcome").as_string() == "established");
    CHECK(event.at("duration_seconds").as_double() == Approx(0.25));
    const auto& ike = event.at("ike").as_object();
    CHECK(ike.at("version_major").as_int64() == 2);
    CHECK(ike.at("init_spi").as_string() == "0011223344556677");
    CHECK(ike.at("exchange_type").as_int64() == 35);
    CHECK(ike.at("exchange_name").as_string() == "IKE_AUTH");
}

TEST_CASE("events: with [privacy] mask no client address is written", "[events]") {
    const auto lines = written({}, true, [](EventWriter& events) {
        const auto finding = some_finding("hello");
        events.handshake_ended(some_handshake(), &finding, "vpn1", start);
        events.finding_changed("opened", finding, "vpn1", start);
        events.capability_changed({*parse_address("203.0.113.77"),
                                   PeerRole::client,
                                   {Fragmentation::none},
                                   {Fragmentation::ike}},
                                  start);
        DatagramLost lost;
        lost.source = *parse_address("203.0.113.77");
        lost.destination = *parse_address("198.51.100.5");
        events.datagram_refused(lost, start);
    });
    REQUIRE(lines.size() == 4);
    for (const auto& line : lines) {
        CAPTURE(line);
        CHECK(line.find("203.0.113.77") == std::string::npos);
        CHECK(line.find("203.0.113.") != std::string::npos);
    }
}

TEST_CASE("events: handshakes nobody proved to be real cannot fill the file", "[events]") {
    const auto lines = written({}, false, [](EventWriter& events) {
        auto forged = some_handshake();
        forged.proven = false;
        for (int i = 0; i < 1000; ++i) events.handshake_ended(forged, nullptr, "vpn1", start);
        for (int i = 0; i < 7; ++i) events.handshake_ended(some_handshake(), nullptr, "", start);
        events.tick(start + 61s);
    });
    REQUIRE(lines.size() == 5 + 7 + 1);
    check_suppressed(lines.back(), "ike_handshake", "203.0.113.0/24", 995);
}

TEST_CASE("events: nor can clients that show they receive, and fail or succeed", "[events]") {
    const auto outcome = GENERATE(Outcome::failed, Outcome::established);
    const auto lines = written({}, false, [&](EventWriter& events) {
        auto handshake = some_handshake();
        handshake.outcome = outcome;
        for (int i = 0; i < 1000; ++i) events.handshake_ended(handshake, nullptr, "vpn1", start);
        handshake.client.address = *parse_address("192.0.2.7");
        events.handshake_ended(handshake, nullptr, "vpn1", start);
        events.tick(start + 61s);
    });
    REQUIRE(lines.size() == 300 + 1 + 1);
    check_suppressed(lines.back(), "ike_handshake", "proven 203.0.113.0/24", 700);
}

TEST_CASE("events: all clients of a large gateway coming back at once are told", "[events]") {
    const auto lines = written({}, false, [&](EventWriter& events) {
        auto handshake = some_handshake();
        for (int i = 0; i < 4000; ++i) {
            const auto network = std::to_string(i % 200);
            handshake.client.address = *parse_address("10.1." + network + ".7");
            events.handshake_ended(handshake, nullptr, "vpn1", start);
        }
    });
    CHECK(lines.size() == 3000);
}

TEST_CASE("events: neither refused datagrams nor findings can fill the file", "[events]") {
    SECTION("refusals, each reason and network for itself") {
        const auto lines = written({}, false, [](EventWriter& events) {
            DatagramLost lost;
            lost.destination = *parse_address("198.51.100.5");
            for (const auto reason : {Reason::overlap, Reason::timeout}) {
                lost.reason = reason;
                for (int i = 0; i < 1000; ++i) {
                    lost.source = *parse_address("203.0.113." + std::to_string(i % 250));
                    events.datagram_refused(lost, start);
                }
            }
            lost.source = *parse_address("2001:db8:0:17::1");
            events.datagram_refused(lost, start);
            events.tick(start + 61s);
        });
        REQUIRE(lines.size() == 5 + 5 + 1 + 2);
        check_suppressed(lines[11], "ike_refusal", "overlap 203.0.113.0/24", 995);
        check_suppressed(lines[12], "ike_refusal", "timeout 203.0.113.0/24", 995);
    }
    SECTION("findings, opened and closed each for itself") {
        const auto lines = written({}, false, [](EventWriter& events) {
            auto finding = some_finding("nothing");
            for (const auto* change : {"opened", "closed"})
                for (int i = 0; i < 1000; ++i) {
                    finding.client = *parse_address("203.0.113." + std::to_string(i % 250));
                    events.finding_changed(change, finding, "vpn1", start);
                }
            events.tick(start + 61s);
        });
        REQUIRE(lines.size() == 5 + 5 + 2);
        const auto key = [](const std::string& change) {
            return "auth_partial_ipfrag vpn1 " + change + " 203.0.113.0/24";
        };
        check_suppressed(lines[10], "ike_finding", key("closed"), 995);
        check_suppressed(lines[11], "ike_finding", key("opened"), 995);
    }
}

TEST_CASE("events: who changes at will cannot fill the file; a first capability is no line",
          "[events]") {
    const auto lines = written({}, false, [](EventWriter& events) {
        const auto show = [&](const char* address, Fragmentation before, Fragmentation after) {
            events.capability_changed(
                {*parse_address(address), PeerRole::client, {before}, {after}}, start);
        };
        show("203.0.113.9", Fragmentation::unknown, Fragmentation::ike);
        for (int i = 0; i < 100; ++i) {
            const auto address = "203.0.113." + std::to_string(i);
            show(address.c_str(), Fragmentation::none, Fragmentation::ike);
        }
        show("198.51.100.9", Fragmentation::none, Fragmentation::ike);
        events.tick(start + 61s);
    });
    REQUIRE(lines.size() == 5 + 1 + 1);
    check_suppressed(lines.back(), "ike_capability", "client 203.0.113.0/24", 95);
}

TEST_CASE("events: the file is ours alone, links are not followed, rotation is", "[events]") {
    const Folder folder;
    EventOptions options;
    options.file = folder.file();
    SECTION("mode") {
        { EventWriter(options, false).daemon_changed("start", true, "", start); }
        struct stat status {};
        REQUIRE(::stat(folder.file().c_str(), &status) == 0);
        CHECK((status.st_mode & 07777 & ~0640u) == 0);
    }
    SECTION("a link") {
        std::ofstream(folder.path + "/target") << "keep";
        REQUIRE(::symlink("target", folder.file().c_str()) == 0);
        EventWriter events(options, false);
        events.daemon_changed("start", true, "", start);
        while (events.counters().failures.get() == 0) ::usleep(1000);
        std::string kept;
        std::ifstream(folder.path + "/target") >> kept;
        CHECK(kept == "keep");
    }
    SECTION("rotation") {
        EventWriter events(options, false);
        events.daemon_changed("start", true, "", start);
        while (events.counters().written.get() == 0) ::usleep(1000);
        std::filesystem::rename(folder.file(), folder.path + "/events.json.1");
        events.change(options, false);
        events.daemon_changed("reload", true, "", start);
        while (events.counters().written.get() < 2) ::usleep(1000);
        CHECK(folder.lines().size() == 1);
    }
    SECTION("a full disk is counted, and the writer goes on") {
        options.file = "/dev/full";
        EventWriter events(options, false);
        for (int i = 0; i < 3; ++i) events.daemon_changed("start", true, "", start);
        while (events.counters().failures.get() < 3) ::usleep(1000);
        CHECK(events.counters().written.get() == 0);
    }
}

TEST_CASE("events: a change of IKE_INTERMEDIATE is told beside that of fragmentation", "[events]") {
    const auto address = *parse_address("198.51.100.5");
    const auto lines = written({}, false, [&](EventWriter& events) {
        const auto show = [&](const Capability& before, const Capability& after) {
            events.capability_changed({address, PeerRole::server, before, after}, start);
        };
        show({Fragmentation::ike}, {Fragmentation::ike, true});
        show({Fragmentation::ike, true}, {Fragmentation::ike, false});
        show({Fragmentation::none}, {Fragmentation::ike, true});
    });
    REQUIRE(lines.size() == 2); // the first that is known is no change
    const auto lost = json::parse(lines[0]).as_object();
    CHECK(lost.at("before") == "ike");
    CHECK(lost.at("after") == "ike");
    CHECK(lost.at("intermediate_before") == true);
    CHECK(lost.at("intermediate_after") == false);
    const auto gained = json::parse(lines[1]).as_object();
    CHECK(gained.at("after") == "ike");
    CHECK(gained.at("intermediate_before").is_null());
    CHECK(gained.at("intermediate_after") == true);
}
