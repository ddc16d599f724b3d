// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/metrics/metric_table.hpp"
#include "daemon/metrics/snapshot.hpp"
#include "plugin/tracker.hpp"
#include "plugin/vendor_id.hpp"

#include <catch2/catch.hpp>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <regex>
#include <set>

using namespace ikefrag;

namespace {

PolicyPointer four_servers() {
    std::string text;
    for (int i = 1; i <= 4; ++i)
        text += "[[server]]\nname = 'vpn" + std::to_string(i) + "'\naddresses = ['203.0.113." +
                std::to_string(i) + "']\n";
    const auto config = parse_config({"c", text}, std::vector{shipped_rule_file()});
    REQUIRE(config);
    auto policy = std::make_shared<Policy>(*config->policy);
    return policy;
}

/// A daemon that has just begun, with two queues.
struct Fresh {
    PolicyPointer policy = four_servers();
    Tracker tracker{policy, {}, {}};
    FailedHandshakes failed;
    std::vector<std::string> rows{"ike", "esp-in-udp", "esp", "keepalive"};

    [[nodiscard]] MetricsSnapshot snapshot() const {
        MetricsSnapshot out{.policy = *policy,
                            .tracker = tracker.totals(),
                            .servers = tracker.server_totals(),
                            .failed = failed,
                            .rule_rows = rows};
        for (const auto number : {std::uint16_t{500}, std::uint16_t{501}}) {
            out.queues.emplace_back();
            out.queues.back().totals.number = number;
        }
        return out;
    }
};

std::size_t samples_of(const prometheus::MetricFamily& family) {
    if (family.type != prometheus::MetricType::Histogram) return family.metric.size();
    std::size_t count = 0;
    for (const auto& metric : family.metric) count += metric.histogram.bucket.size() + 2;
    return count;
}

std::size_t samples_of(const std::vector<prometheus::MetricFamily>& families) {
    std::size_t count = 0;
    for (const auto& family : families) count += samples_of(family);
    return count;
}

Peer peer_number(std::uint32_t number) {
    Peer peer;
    peer.address =
        *parse_address("10." + std::to_string(number >> 16) + '.' +
                       std::to_string(number >> 8 & 255) + '.' + std::to_string(number & 255));
    peer.capability.fragmentation = number % 3 == 0 ? Fragmentation::ike : Fragmentation::none;
    peer.vendor = number % 2 == 0 ? "windows" : "strongswan";
    peer.first_seen = peer.last_seen = TimePoint(std::chrono::seconds(1'700'000'000));
    return peer;
}

} // namespace

TEST_CASE("metrics: every row of the table is served from the start", "[metrics]") {
    const Fresh fresh;
    const auto families = export_metrics(fresh.snapshot());
    REQUIRE(families.size() == metric_table().size());
    for (std::size_t i = 0; i < families.size(); ++i) {
        const auto& family = families[i];
        const auto& row = metric_table()[i];
        CAPTURE(row.name);
        CHECK(family.name == row.name);
        CHECK_FALSE(family.help.empty());
        CHECK_FALSE(family.metric.empty());
        for (const auto& metric : family.metric) {
            REQUIRE(metric.label.size() == row.labels.size());
            for (std::size_t j = 0; j < row.labels.size(); ++j)
                CHECK(metric.label[j].name == row.labels[j]);
        }
    }
}

TEST_CASE("metrics: no series twice, and names as Prometheus wants them", "[metrics]") {
    const Fresh fresh;
    for (const auto& family : export_metrics(fresh.snapshot())) {
        CAPTURE(family.name);
        const bool counts = family.type == prometheus::MetricType::Counter;
        CHECK(family.name.ends_with("_total") == counts);
        std::set<std::string> seen;
        for (const auto& metric : family.metric) {
            std::string key;
            for (const auto& label : metric.label) key += label.name + '=' + label.value + ',';
            CAPTURE(key);
            CHECK(seen.insert(key).second);
        }
    }
}

TEST_CASE("metrics: with four servers there are less than 2500 samples", "[metrics]") {
    const Fresh fresh;
    const auto families = export_metrics(fresh.snapshot());
    const auto count = samples_of(families);
    std::string largest;
    for (const auto& family : families)
        if (samples_of(family) > 100)
            largest += family.name + ' ' + std::to_string(samples_of(family)) + '\n';
    CAPTURE(largest);
    CHECK(count <= 2500);
}

TEST_CASE("metrics: what is counted is served under its labels", "[metrics]") {
    Fresh fresh;
    fresh.failed[{"vpn2", std::uint8_t{2}, "auth_partial_ipfrag"}] = 3;
    auto snapshot = fresh.snapshot();
    snapshot.gates.refusals[index(Family::ipv6)][index(Reason::overlap)][1] = 7;
    snapshot.gates.rule_matches[0][index(Action::pass)] = 5;
    snapshot.queues[1].totals.verdicts[index(Verdict::drop)] = 4;
    snapshot.queues[1].packets = 4;
    snapshot.gates.hold_time[0][2] = 2;
    snapshot.last_reload_successful = false;
    snapshot.database = {.failures = 11, .waiting = 12, .lost = 13, .unreadable = 14};
    const auto text = prometheus::TextSerializer().Serialize(export_metrics(snapshot));
    for (const auto* line :
         {"ikefrag_refusals_total{family=\"ipv6\",reason=\"overlap\",enforced=\"yes\"} 7\n",
          "ikefrag_rule_matches_total{rule=\"ike\",action=\"pass\"} 5\n",
          "ikefrag_verdicts_total{queue=\"501\",verdict=\"drop\"} 4\n",
          "ikefrag_queue_packets_total{queue=\"501\"} 4\n",
          "ikefrag_handshakes_failed_total{server=\"vpn2\",version=\"2\",diagnosis=\"auth_partial_"
          "ipfrag\"} 3\n",
          "ikefrag_ip_datagram_hold_seconds_bucket{family=\"ipv4\",le=\"0.05\"} 2\n",
          "ikefrag_ip_datagram_hold_seconds_count{family=\"ipv4\"} 2\n",
          "ikefrag_config_last_reload_successful 0\n",
          "ikefrag_peers_database_failures_total 11\n",
          "ikefrag_peers_database_waiting 12\n",
          "ikefrag_peers_database_lost_total 13\n",
          "ikefrag_peers_database_unreadable_total 14\n",
          "ikefrag_mode_info{mode=\"observe\"} 1\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("metrics: peers add no series, and no address is served", "[metrics]") {
    Fresh fresh;
    const auto before = samples_of(export_metrics(fresh.snapshot()));
    for (std::uint32_t i = 0; i < 2000; ++i) fresh.tracker.restore_peer(peer_number(i));
    auto snapshot = fresh.snapshot();
    snapshot.peers = fresh.tracker.peer_count();
    const auto families = export_metrics(snapshot);
    CHECK(samples_of(families) == before);
    const auto text = prometheus::TextSerializer().Serialize(families);
    CHECK(text.find("10.0.") == std::string::npos);
    CHECK(text.find("ikefrag_state_table_entries{table=\"peers\"} 2000\n") != std::string::npos);
}

TEST_CASE("metrics: neither a vendor nor a strange exchange begins a series", "[metrics]") {
    Fresh fresh;
    const auto before = samples_of(export_metrics(fresh.snapshot()));
    auto servers = fresh.tracker.server_totals();
    for (const auto& known : default_vendor_ids()) ++servers[1].peers_by_vendor[known.vendor];
    for (const auto role : {Role::request, Role::response})
        servers[1].fragmented[{std::uint8_t{2}, std::uint8_t{250}, role, Transport::ip}] = 3;
    MetricsSnapshot snapshot{.policy = *fresh.policy,
                             .tracker = fresh.tracker.totals(),
                             .servers = servers,
                             .failed = fresh.failed,
                             .rule_rows = fresh.rows};
    snapshot.queues = fresh.snapshot().queues;
    const auto families = export_metrics(snapshot);
    CHECK(samples_of(families) == before);
    const auto text = prometheus::TextSerializer().Serialize(families);
    for (const auto* line :
         {"ikefrag_peers_by_vendor{server=\"vpn2\",vendor=\"zyxel\"} 3\n",
          "ikefrag_peers_by_vendor{server=\"vpn3\",vendor=\"zyxel\"} 0\n",
          "ikefrag_fragmented_messages_total{server=\"vpn2\",exchange=\"other\",role=\"request\","
          "method=\"ip\"} 3\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("metrics: dashboards/README.md lists exactly what is served", "[metrics]") {
    std::ifstream readme(PROJECT_DIR "/dashboards/README.md");
    const std::regex row(
        "^\\| `([a-z_0-9]+)` \\| (counter|gauge|histogram) \\| ([^|]*) ?\\| .*\\|$");
    std::map<std::string, std::string> documented;
    for (std::string line; std::getline(readme, line);) {
        std::smatch match;
        if (!std::regex_match(line, match, row)) continue;
        auto labels = match[3].str();
        labels.erase(std::remove(labels.begin(), labels.end(), ' '), labels.end());
        documented[match[1]] = match[2].str() + ' ' + labels;
    }
    std::map<std::string, std::string> served;
    for (const auto& metric : metric_table()) {
        std::string labels;
        for (const auto label : metric.labels)
            labels += (labels.empty() ? "" : ",") + std::string(label);
        served[std::string(metric.name)] = std::string(to_string(metric.kind)) + ' ' + labels;
    }
    CHECK(documented == served);
}

TEST_CASE("metrics: 100 000 peers do not make a scrape slow", "[metrics][.bench]") {
    Fresh fresh;
    for (std::uint32_t i = 0; i < 100'000; ++i) fresh.tracker.restore_peer(peer_number(i));
    std::vector<double> milliseconds;
    std::size_t bytes = 0;
    for (int i = 0; i < 21; ++i) {
        const auto start = std::chrono::steady_clock::now();
        bytes = prometheus::TextSerializer().Serialize(export_metrics(fresh.snapshot())).size();
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        milliseconds.push_back(took.count());
    }
    std::sort(milliseconds.begin(), milliseconds.end());
    WARN("scrape with " << fresh.tracker.peer_count() << " peers: median " << milliseconds[10]
                        << " ms, worst " << milliseconds.back() << " ms, " << bytes << " bytes, "
                        << samples_of(export_metrics(fresh.snapshot())) << " samples");
    CHECK(milliseconds[10] <= 10);
}
