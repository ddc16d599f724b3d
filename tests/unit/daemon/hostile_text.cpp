// SPDX-License-Identifier: GPL-2.0-or-later
// One nasty text, as vendor ID and wherever else strangers' text may come from, through every
// output. That of whole commands: tests/system/hostile_text.py.
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/json/json.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics/metric_table.hpp"
#include "daemon/metrics/snapshot.hpp"
#include "daemon/probe/verdict.hpp"
#include "daemon/recorder/attempt_file.hpp"
#include "daemon/report/report.hpp"
#include "daemon/state/peer_store.hpp"

#include "tests/support/daemon/story.hpp"
#include "tests/support/daemon/temporary_file.hpp"
#include "tests/support/daemon/temporary_folder.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <sstream>

using namespace ikefrag;
using namespace std::string_literals;
using testing::TemporaryFolder;
namespace json = boost::json;

namespace {

/// DESIGN §9's string, what ends a JSON string and an attribute, and an 8-bit control (CSI) both
/// bare and as UTF-8. 49 octets: a vendor ID's name keeps 64.
const std::string nasty = "=cmd\x1b[2J</script>'; DROP TABLE peer; --%n\n\0\"\\\x9b\xc2\x9b\xff"s;

/// What a terminal, a log or a line of a file may show.
bool is_calm(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\n'; });
}
std::ptrdiff_t lines_of(std::string_view text) { return std::ranges::count(text, '\n'); }
bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

Attempt nasty_attempt() {
    auto attempt = testing::partial_story();
    attempt.server_name = nasty;
    for (auto* side : {&attempt.handshake.client_side, &attempt.handshake.server_side}) {
        side->vendor = nasty.substr(4); // it keeps 15 bytes
        side->vendor_ids.add_name(nasty);
    }
    auto& finding = attempt.findings.front();
    finding.sentence = finding.remedy = nasty;
    finding.evidence = {nasty};
    return attempt;
}

Peer peer_of(const std::string& vendor) {
    Peer peer;
    peer.address = *parse_address("203.0.113.7");
    peer.vendor = vendor;
    peer.first_seen = peer.last_seen = TimePoint(std::chrono::seconds(1'700'000'000));
    return peer;
}

/// What is written to stderr meanwhile.
std::string stderr_of(const std::function<void()>& write) {
    const testing::TemporaryFile file("");
    const int descriptor = ::open(file.path().c_str(), O_WRONLY | O_CLOEXEC);
    const int before = ::dup(2);
    REQUIRE(::dup2(descriptor, 2) == 2);
    write();
    ::dup2(before, 2);
    for (const int end : {before, descriptor}) ::close(end);
    return testing::read_file(file.path());
}

} // namespace

TEST_CASE("hostile text: in the log it is one line", "[hostile]") {
    const auto format = GENERATE(LogFormat::text, LogFormat::json);
    set_log_format(format);
    const auto line = stderr_of([] { log_warning("it says " + nasty); });
    set_log_format(LogFormat::text);
    CAPTURE(line);
    CHECK(is_calm(line));
    CHECK(lines_of(line) == 1);
    if (format == LogFormat::text)
        CHECK(contains(line, R"(it says =cmd\x1b[2J</script>'; DROP TABLE peer; --%n\x0a\x00"\)"));
    else
        CHECK(contains(json::parse(line).at("message").as_string(), R"(--%n\x0a\x00"\)"));
}

TEST_CASE("hostile text: an event is one line, and its fields in the journal are text",
          "[hostile]") {
    const auto format = GENERATE(EventOptions::Format::text, EventOptions::Format::json);
    const TemporaryFolder folder;
    const auto file = (folder.path / "events").string();
    std::vector<std::string> fields;
    const auto attempt = nasty_attempt();
    {
        EventWriter events({.file = file, .format = format}, false, [&](auto& more) {
            fields.insert(fields.end(), more.begin(), more.end());
            return true;
        });
        const auto now = attempt.handshake.first_time;
        const auto& finding = attempt.findings.front();
        events.handshake_ended(attempt.handshake, &finding, nasty, now);
        events.finding_changed("opened", finding, nasty, now);
        events.daemon_changed("reload", false, nasty, now);
    }
    const auto written = testing::read_file(file);
    CHECK(lines_of(written) == 3);
    if (format == EventOptions::Format::text) CHECK(is_calm(written));
    std::istringstream lines(written);
    for (std::string line; std::getline(lines, line);)
        if (format == EventOptions::Format::json) CHECK(json::parse(line).is_object());
    CHECK(fields.size() > 15);
    for (const auto& field : fields) {
        CAPTURE(field);
        if (field.starts_with("IKEFRAG_JSON="))
            CHECK(json::parse(field.substr(13)).is_object());
        else
            CHECK((is_calm(field) && lines_of(field) == 0));
    }
}

TEST_CASE("hostile text: in SQL it is a value", "[hostile]") {
    const TemporaryFolder folder;
    const PeerStore::Settings settings{.path = folder.path / "peers.db"};
    const std::string vendors[] = {"'; DROP TABLE peer; --", nasty};
    auto address = *parse_address("203.0.113.7");
    for (const auto& vendor : vendors) {
        auto peer = peer_of(vendor);
        peer.address = address;
        peer.server = vendor;
        PeerStore(settings).store(peer);
        ++address.bytes[3];
    }
    PeerStore store(settings);
    auto peers = store.load(TimePoint{});
    std::ranges::sort(peers, {}, &Peer::address);
    REQUIRE(peers.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(peers[i].vendor == vendors[i]);
        CHECK(peers[i].server == vendors[i]);
    }
    CHECK(store.complaint().empty());
}

TEST_CASE("hostile text: no CSV cell is a formula or ends its row", "[hostile]") {
    const std::string first = GENERATE("=", "+", "-", "@", "\t=", "\r=", "\n=", "\",=");
    const auto text = ctl::peers_csv({to_json(peer_of(first + nasty))});
    CAPTURE(text);
    REQUIRE(lines_of(text) == 2);
    const auto row = text.substr(text.find('\n') + 1);
    REQUIRE(row.ends_with("\r\n"));
    CHECK(is_calm(row.substr(0, row.size() - 2)));
    // Each cell is quoted, and what a program reads of it begins with nothing that acts.
    std::size_t cells = 0;
    for (std::size_t at = 0; at + 2 < row.size(); ++cells) {
        if (row[at] == '"') {
            CHECK_FALSE(contains("=+-@\t\r", row.substr(at + 1, 1)));
            for (++at; row[at] != '"' || row[at + 1] == '"'; ++at) at += row[at] == '"' ? 1u : 0u;
            ++at;
        }
        REQUIRE((row[at] == ',' || row[at] == '\r'));
        ++at;
    }
    CHECK(cells >= 13);
}

TEST_CASE("hostile text: lists for people move no cursor", "[hostile]") {
    const ctl::Terminal terminal(stdout, stderr);
    const auto attempt = nasty_attempt();
    const auto text = ctl::list_peers({to_json(peer_of(nasty))}, terminal, 10) +
                      ctl::list_handshakes({to_json(attempt.handshake)}, terminal, 10) +
                      ctl::list_diagnoses({to_json(attempt.findings.front())}, terminal, 10);
    CAPTURE(text);
    CHECK(is_calm(text));
    CHECK(lines_of(text) < 20);
    CHECK(contains(text, "\\x1b[2J</script>"));
}

TEST_CASE("hostile text: explain and the capture's comment", "[hostile]") {
    const auto attempt = nasty_attempt();
    const auto text = explain_text({attempt}, {});
    CAPTURE(text);
    CHECK(is_calm(text));
    CHECK(contains(text, "(\\x1b[2J</script>';)")); // the vendor
    // pcapng: the file's comment is the section header's option 1, behind 24 octets.
    const auto file =
        attempt_file(attempt.handshake, &attempt.findings.front(), nasty, {}, 65536, false);
    const auto number = [&](std::size_t at) {
        return static_cast<std::size_t>(static_cast<unsigned char>(file.at(at)) |
                                        static_cast<unsigned char>(file.at(at + 1)) << 8);
    };
    std::size_t at = 24;
    while (number(at) != 1) at += 4 + (number(at + 2) + 3) / 4 * 4;
    const auto comment = file.substr(at + 4, number(at + 2));
    CAPTURE(comment);
    CHECK(is_calm(comment));
    CHECK(lines_of(comment) == 5);
    CHECK(contains(comment, "What happened: =cmd\\x1b[2J</script>"));
}

TEST_CASE("hostile text: in the report it is text", "[hostile]") {
    ReportInput input;
    input.source = input.range = nasty;
    input.attempts = {nasty_attempt()};
    input.other_findings = input.attempts.front().findings;
    input.peers = {peer_of(nasty)};
    const auto page = render_report(input);
    CHECK(is_calm(page));
    CHECK_FALSE(contains(page, "<script"));
    CHECK_FALSE(contains(page, "</script"));
    CHECK(contains(page, "<td>=cmd\\x1b[2J&lt;/script&gt;&#39;; DROP")); // the vendor
}

TEST_CASE("hostile text: JSON is UTF-8 and one line", "[hostile]") {
    const auto attempt = nasty_attempt();
    probe::Facts facts;
    facts.server.vendor = nasty;
    facts.server.vendors = {nasty};
    const auto& server = attempt.handshake.server.address;
    for (const auto& text :
         {json::serialize(to_json(attempt.handshake)),
          json::serialize(to_json(attempt.findings.front())),
          json::serialize(to_json(peer_of(nasty))),
          json::serialize(probe::to_json(facts, probe::judge(facts, server), server, nasty)),
          explain_json({attempt}, {})}) {
        CAPTURE(text);
        CHECK(json::parse(text).is_object()); // which refuses what is not UTF-8
        CHECK(std::ranges::none_of(text, [](char c) { return c >= 0 && c < 0x20; }));
        CHECK(contains(text, "\\u001b"));
    }
}

TEST_CASE("hostile text: in metrics a remembered vendor is one label", "[hostile]") {
    const auto policy = std::make_shared<Policy>();
    Tracker tracker(policy, {}, {});
    tracker.restore_peer(peer_of(nasty));
    const FailedHandshakes failed;
    const MetricsSnapshot snapshot{.policy = *policy,
                                   .tracker = tracker.totals(),
                                   .servers = tracker.server_totals(),
                                   .failed = failed,
                                   .rule_rows = {}};
    const auto text = prometheus::TextSerializer().Serialize(export_metrics(snapshot));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("# ")) CHECK(is_calm(line));
    CHECK(contains(text, R"(vendor="=cmd\\x1b[2J</script>'; DROP)"));
}
