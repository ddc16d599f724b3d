// SPDX-License-Identifier: GPL-2.0-or-later
// Config that cannot lie: for every key an admin may write there is a test that fails if the key
// has no effect. Keys that decide about packets are tried here, on a gate: the same fragments, once
// without the key and once with it, must not meet the same fate. Keys of the daemon's own doings
// are tried on a running daemon: a system test says so in a line "# key: SECTION KEY".
#include "daemon/clock.hpp"
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "plugin/gate.hpp"

#include "tests/support/daemon/temporary_folder.hpp"
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

using Packets = std::vector<Buffer>;

/// What becomes of packets under a configuration: each one's decision, and what was held meanwhile.
std::string fate(const std::string& config, const std::string& rules, const Packets& packets) {
    const TextFile rule_file{"rules.toml", rules};
    const auto parsed = parse_config({"ikefragd.toml", config}, {&rule_file, 1});
    if (!parsed) FAIL(to_string(parsed.error()));
    Gate gate(parsed->policy, {4, 2});
    gate.set_interface_names({
        {.index = 7, .name = "wan0"}
    });
    GateOutput out;
    auto now = start_of_script;
    std::uint32_t number = 0;
    std::ostringstream text;
    const auto tell = [&] {
        for (const auto& decision : out.decisions) {
            text << decision.packet.value << ' ' << to_string(decision.verdict) << ' '
                 << to_string(decision.intended) << ' ' << to_string(decision.reason) << ' ';
            text << (decision.packet_class ? to_string(*decision.packet_class) : "unknown");
            // A rule is told by its name, as the metrics do.
            if (decision.rule >= 0)
                text << ' ' << parsed->policy->rules[static_cast<std::size_t>(decision.rule)].name;
            text << '\n';
        }
        out.clear();
    };
    for (const auto& bytes : packets) {
        Packet packet;
        packet.id.value = ++number;
        packet.bytes = bytes;
        packet.interface = 7;
        now += 1ms;
        gate.feed(packet, now, out);
        tell();
    }
    text << gate.counters().held_packets.get() << " held\n";
    for (const auto pause : {3s, 60s}) {
        now += pause;
        gate.expire(now, out);
        text << "later\n";
        tell();
    }
    return text.str();
}

const std::string vpn1 = "[[server]]\nname = 'vpn1'\naddresses = ['203.0.113.5', '2001:db8::5']\n";
const std::string guard = "mode = 'guard'\n" + vpn1;
const std::string passes = "[[rule]]\nname = 'ike'\nmatch = { class = 'ike' }\naction = 'pass'\n";

std::string dropping(const std::string& match) {
    return "[[rule]]\nname = 'some'\nmatch = { " + match + " }\naction = 'drop'\n";
}
std::string limited(const std::string& limits) {
    return "[[rule]]\nname = 'ike'\nmatch = { class = 'ike' }\naction = 'pass'\nlimits = { " +
           limits + " }\n";
}

/// An IKE_AUTH of so many bytes in fragments of `piece`.
Packets message(const Flow& flow, std::uint32_t bytes, std::uint32_t piece, std::uint32_t id = 1) {
    return fragments(flow.ends, udp(flow, ike_auth(bytes)), piece, id);
}
/// First fragments only, of so many datagrams; each from a source of its own if wanted.
Packets heads(std::uint32_t count, bool sources) {
    Packets list;
    auto flow = flow4();
    for (std::uint32_t i = 1; i <= count; ++i) {
        if (sources) flow.ends.source.bytes[2] = static_cast<std::uint8_t>(i);
        if (sources) flow.ends.source.bytes[1] = static_cast<std::uint8_t>(i >> 8);
        list.push_back(message(flow, 1'992, 1'000, i)[0]);
    }
    return list;
}
Packets with_port(const Flow& flow, std::uint16_t port) {
    auto other = flow;
    other.source_port = other.destination_port = port;
    return message(other, 1'992, 1'000);
}
Packets overlapping() {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(1'992));
    return {fragment(flow.ends, payload, 0, 1'000), fragment(flow.ends, payload, 992, 2'000)};
}
Packets tail() { return {message(flow4(), 1'992, 1'000)[1]}; }
Packets from_teredo() {
    auto flow = flow6();
    flow.ends.source = address("2001:0:4136:e378:8000:63bf:3fff:fdd2");
    return message(flow, 1'992, 1'000);
}

struct Row {
    std::string section;
    std::string key;
    std::string config_without;
    std::string config_with;
    std::string rules_without;
    std::string rules_with;
    Packets packets;
};

/// A key of ikefragd.toml, under the same rules.
Row config_row(std::string section,
               std::string key,
               std::string without,
               std::string with,
               Packets packets,
               std::string rules = passes) {
    return {std::move(section),
            std::move(key),
            std::move(without),
            std::move(with),
            rules,
            rules,
            std::move(packets)};
}
Row limit_row(std::string key, const std::string& low, const std::string& high, Packets packets) {
    return config_row("[limits]",
                      key,
                      guard + "[limits]\n" + high,
                      guard + "[limits]\n" + low,
                      std::move(packets));
}
/// A key of a rule, under the same configuration.
Row rule_row(
    std::string section, std::string key, std::string without, std::string with, Packets packets) {
    return {std::move(section),
            std::move(key),
            guard,
            guard,
            std::move(without),
            std::move(with),
            std::move(packets)};
}
/// What a rule tests: the same rule that drops, once testing what the packet is not.
Row match_row(std::string key, const std::string& other, const std::string& own, Packets packets) {
    return rule_row("match", std::move(key), dropping(other), dropping(own), std::move(packets));
}
Row rule_limit_row(std::string key, const std::string& limits, Packets packets) {
    return rule_row("limits", std::move(key), passes, limited(limits), std::move(packets));
}

std::vector<Row> config_rows() {
    const auto ike = message(flow4(), 1'992, 1'000);
    const std::string second = "[[server]]\nname = '";
    const std::string named = "mode = 'guard'\n" + second + "vpn1'\naddresses = ['203.0.113.5']\n" +
                              second + "vpn2'\naddresses = ['203.0.113.9']\n";
    const std::string swapped = "mode = 'guard'\n" + second +
                                "vpn2'\naddresses = ['203.0.113.5']\n" + second +
                                "vpn1'\naddresses = ['203.0.113.9']\n";
    const std::string elsewhere =
        "mode = 'guard'\n[[server]]\nname = 'vpn1'\naddresses = ['192.0.2.5']\n";
    const auto six = message(flow6(), 1'992, 1'000);
    const auto iphttps = dropping("transition = ['iphttps']");
    const auto nat64 = dropping("transition = ['nat64']");
    return {
        config_row("", "mode", "mode = 'observe'\n" + vpn1, guard, overlapping()),
        config_row("", "server", "mode = 'guard'\n", guard, tail()),
        config_row("[[server]]", "name", named, swapped, ike, dropping("server = ['vpn2']")),
        config_row("[[server]]", "addresses", elsewhere, guard, tail()),
        config_row(
            "[[server]]", "inside", elsewhere, elsewhere + "inside = ['203.0.113.5']\n", tail()),
        config_row("[ports]", "plain", guard, guard + "[ports]\nplain = [501]\n", ike),
        config_row("[ports]",
                   "marked",
                   guard,
                   guard + "[ports]\nmarked = [4501]\n",
                   with_port(flow4(), 4500)),
        config_row("[transition]",
                   "iphttps",
                   guard + "[transition]\niphttps = ['2001:db8:9::/48']\n",
                   guard + "[transition]\niphttps = ['2001:db8:7::/48']\n",
                   six,
                   iphttps),
        config_row("[transition]",
                   "nat64",
                   guard,
                   guard + "[transition]\nnat64 = ['2001:db8:7::/96']\n",
                   six,
                   nat64),
        limit_row("hold_seconds", "hold_seconds = 2\n", "hold_seconds = 5\n", heads(1, false)),
        limit_row("max_datagram_bytes",
                  "max_datagram_bytes = 1999\n",
                  "max_datagram_bytes = 2000\n",
                  ike),
        limit_row("max_fragments",
                  "max_fragments = 3\n",
                  "max_fragments = 4\n",
                  message(flow4(), 1'992, 504)),
        limit_row("min_first_bytes", "min_first_bytes = 1008\n", "min_first_bytes = 1000\n", ike),
        limit_row("min_nonlast_bytes",
                  "min_nonlast_bytes = 512\n",
                  "min_nonlast_bytes = 504\n",
                  message(flow4(), 1'992, 504)),
        limit_row("source_datagrams",
                  "source_datagrams = 3\n",
                  "source_datagrams = 5\n",
                  heads(5, false)),
        limit_row("source_packets",
                  "source_packets = 2\n",
                  "source_packets = 4\n",
                  message(flow4(), 1'992, 504)),
        limit_row(
            "source_bytes", "source_bytes = 8192\n", "source_bytes = 65536\n", heads(5, false)),
        limit_row(
            "table_datagrams", "table_datagrams = 8\n", "table_datagrams = 64\n", heads(20, true)),
        limit_row("table_packets", "table_packets = 8\n", "table_packets = 64\n", heads(20, true)),
        limit_row(
            "table_bytes", "table_bytes = 65536\n", "table_bytes = 8388608\n", heads(200, true)),
    };
}

std::vector<Row> rule_rows() {
    const auto ike = message(flow4(), 1'992, 1'000);
    const std::string leaves =
        "[[rule]]\nname = 'ike'\nmatch = { class = 'ike' }\naction = 'leave'\n";
    auto renamed = passes;
    renamed.replace(renamed.find("'ike'"), 5, "'ikes'");
    return {
        rule_row("[[rule]]", "name", passes, renamed, ike),
        rule_row("[[rule]]", "match", dropping("class = 'esp'"), dropping(""), ike),
        rule_row("[[rule]]", "action", passes, leaves, overlapping()),
        rule_row("[[rule]]",
                 "limits",
                 passes,
                 limited("max_fragments = 2, hold_seconds = 1"),
                 message(flow4(), 1'992, 504)),
        rule_row("[[rule]]", "dry_run", passes, passes + "dry_run = true\n", overlapping()),
        match_row("class", "class = 'other'", "class = 'ike'", ike),
        {"match",
                                                            "server", guard + "[[server]]\nname = 'vpn2'\naddresses = ['203.0.113.9']\n",
                                                            guard + "[[server]]\nname = 'vpn2'\naddresses = ['203.0.113.9']\n",
                                                            dropping("server = ['vpn2']"),
                                                            dropping("server = ['vpn1']"),
                                                            ike},
        match_row("peer", "peer = ['192.0.2.0/24']", "peer = ['198.51.100.0/24']", ike),
        match_row("direction", "direction = 'to_peer'", "direction = 'to_server'", ike),
        match_row("family", "family = 'ipv6'", "family = 'ipv4'", ike),
        match_row("protocol", "protocol = 6", "protocol = 17", ike),
        match_row("interface", "interface = ['lan0']", "interface = ['wan0']", ike),
        match_row("transition", "transition = ['6to4']", "transition = ['teredo']", from_teredo()),
        rule_limit_row("hold_seconds", "hold_seconds = 2", heads(1, false)),
        rule_limit_row("max_datagram_bytes", "max_datagram_bytes = 1999", ike),
        rule_limit_row("max_fragments", "max_fragments = 3", message(flow4(), 1'992, 504)),
        rule_limit_row("min_first_bytes", "min_first_bytes = 1008", ike),
        rule_limit_row(
            "min_nonlast_bytes", "min_nonlast_bytes = 512", message(flow4(), 1'992, 504)),
    };
}

/// "SECTION KEY" of every line "# key: SECTION KEY" in the system tests, and the file.
std::map<std::string, std::string> keys_of_system_tests() {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(TESTS_DIR "/system")) {
        std::ifstream file(entry.path());
        std::string line;
        while (std::getline(file, line))
            if (line.starts_with("# key: ")) found[line.substr(7)] = entry.path().filename();
    }
    return found;
}

std::string name_of(const std::string& section, const std::string& key) {
    return (section.empty() ? "top" : section) + ' ' + key;
}

void check_rows(const std::vector<Row>& rows) {
    for (const auto& row : rows) DYNAMIC_SECTION(name_of(row.section, row.key)) {
            CHECK(fate(row.config_without, row.rules_without, row.packets) !=
                  fate(row.config_with, row.rules_with, row.packets));
        }
}

/// What the recorder keeps and writes of 300 packets of 10 000 octets between many pairs, and of
/// one pair's 30, under a [capture] section; and whether a file of 2020 stays.
std::string recorded(const std::string& section) {
    const testing::TemporaryFolder folder;
    const auto parsed = parse_config({"ikefragd.toml", "[capture]\n" + section}, {});
    if (!parsed) FAIL(to_string(parsed.error()));
    auto settings = parsed->settings;
    settings.state_directory = folder.path;
    std::filesystem::create_directory(folder.path / "captures");
    const auto old = folder.path / "captures" /
                     "20200101T000000.000000Z_203.0.113.7_0011223344556677_auth_unanswered.pcapng";
    std::ofstream(old) << "old";
    const Clock clock;
    WorkerPool pool(settings, clock);
    Recorder recorder(pool, settings);
    const auto now = start_of_script;
    auto flow = flow4();
    Handshake handshake;
    handshake.client.address = flow.ends.source;
    handshake.server.address = flow.ends.destination;
    handshake.first_time = now;
    const auto add = [&] {
        const auto bytes = udp_packet(flow, ike_auth(10'000));
        Copy copy;
        copy.bytes = bytes;
        copy.time = now;
        recorder.add(copy);
    };
    for (int i = 0; i < 300; ++i) {
        flow.ends.source.bytes[1] = static_cast<std::uint8_t>(i % 60);
        if (recorder.enabled()) add();
    }
    flow = flow4();
    for (int i = 0; i < 12; ++i) add();
    std::ostringstream text;
    text << recorder.enabled() << ' ' << (recorder.ring() ? recorder.ring()->packets() : 0) << ' '
         << recorder.file_of(handshake, nullptr, "vpn1", now).size() / 10'000;
    recorder.expire(now + 20s);
    text << ' ' << (recorder.ring() ? recorder.ring()->packets() : 0);
    // The store tidies up in a thread of its own.
    for (int i = 0; i < 100 && std::filesystem::exists(old); ++i) std::this_thread::sleep_for(5ms);
    text << ' ' << std::filesystem::exists(old);
    return text.str();
}

struct CaptureRow {
    std::string key;
    std::string without;
    std::string with;
};

const std::vector<CaptureRow> capture_rows{
    {"enabled",      "enabled = false",                       "enabled = true"                      },
    {"ring_bytes",   "enabled = true\nring_bytes = 33554432", "enabled = true\nring_bytes = 1048576"},
    {"ring_seconds", "enabled = true\nring_seconds = 60",     "enabled = true\nring_seconds = 10"   },
    {"file_bytes",   "enabled = true",                        "enabled = true\nfile_bytes = 65536"  },
    {"keep_days",    "keep_days = 3650",                      "keep_days = 1"                       },
};

} // namespace

TEST_CASE("config: every key of [capture] changes what is kept", "[config][keys]") {
    for (const auto& row : capture_rows) DYNAMIC_SECTION(row.key) {
            CHECK(recorded(row.without + '\n') != recorded(row.with + '\n'));
        }
}

TEST_CASE("config: every key about packets changes what becomes of them", "[config][keys]") {
    check_rows(config_rows());
}

TEST_CASE("rules: every key changes what becomes of packets", "[config][keys]") {
    check_rows(rule_rows());
}

TEST_CASE("config: no key is without a test of its effect", "[config][keys]") {
    std::set<std::string> tried;
    for (const auto& row : config_rows()) tried.insert(name_of(row.section, row.key));
    for (const auto& row : capture_rows) tried.insert(name_of("[capture]", row.key));
    const auto by_system_tests = keys_of_system_tests();
    for (const auto& [key, file] : by_system_tests) {
        INFO(file << ": " << key);
        CHECK(tried.insert(key).second); // said once
    }
    std::set<std::string> known;
    for (const auto& field : config_fields()) {
        const auto name = name_of(field.section, field.key);
        INFO(name << " has no row in this file and no line '# key: " << name
                  << "' in a test of tests/system");
        known.insert(name);
        CHECK(tried.contains(name));
    }
    for (const auto& name : tried) {
        INFO(name << " is no key of the configuration any more");
        CHECK(known.contains(name));
    }
    std::set<std::string> tried_of_rules;
    for (const auto& row : rule_rows()) tried_of_rules.insert(name_of(row.section, row.key));
    for (const auto& field : rule_fields()) {
        INFO(name_of(field.section, field.key) << " has no row in this file");
        CHECK(tried_of_rules.contains(name_of(field.section, field.key)));
    }
}
