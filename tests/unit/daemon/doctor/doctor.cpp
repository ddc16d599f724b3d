// SPDX-License-Identifier: GPL-2.0-or-later
// clang-format off: version 14 reads past its own memory over rows that hold tables, and crashes
#include "daemon/doctor/doctor.hpp"

#include "daemon/config/toml.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

using namespace ikefrag;

namespace {

Config config_of(const std::string& text) {
    const std::array rules{shipped_rule_file()};
    auto config = parse_config({"ikefragd.toml", text}, rules);
    REQUIRE(config);
    return *std::move(config);
}

const std::string vpn1 = "[[server]]\nname = \"vpn1\"\naddresses = [\"203.0.113.5\"]\n";

/// A host on which all is well: guard, one server behind it, both ports forwarded.
HostFacts healthy() {
    HostFacts facts;
    facts.is_root = true;
    facts.config = config_of("mode = \"guard\"\n" + vpn1 + "inside = [\"10.0.0.5\"]\n");
    facts.config_path = "/etc/ikefragd/ikefragd.toml";
    facts.config_exists = true;
    facts.daemon =
        DaemonFacts{.mode = Mode::guard, .version = "0.1.0", .config_hash = facts.config->hash};
    facts.nft_queue = true;
    facts.table_present = true;
    facts.conntrack.conntrack_active = true;
    facts.forwardings = {
        {.where = "ip nat pre",
         .ports = {500, 4500},
         .outside = parse_address("203.0.113.5"),
         .inside = *parse_address("10.0.0.5")}
    };
    facts.queues = {{.number = 500}, {.number = 501}};
    facts.queues_readable = true;
    facts.log_groups = {500};
    facts.log_groups_readable = true;
    facts.sysctls = {
        {"net.ipv4.ip_forward",  "1" },
        {"net.ipv4.ipfrag_time", "30"}
    };
    facts.own_addresses = {*parse_address("203.0.113.5")};
    facts.metrics_status = 200;
    facts.clock_seconds = 1'795'000'000;
    return facts;
}

const Examination*
find(const std::vector<Examination>& rows, std::string_view check, std::string_view says) {
    const auto row = std::ranges::find_if(rows, [&](const Examination& candidate) {
        return candidate.check == check && candidate.found.find(says) != std::string::npos;
    });
    return row == rows.end() ? nullptr : &*row;
}

} // namespace

TEST_CASE("doctor: a healthy host has no finding", "[doctor]") {
    const auto rows = examine(healthy());
    for (const auto& row : rows) {
        INFO(row.check << ": " << row.found);
        CHECK(row.standing <= Standing::note);
    }
    CHECK_FALSE(has_finding(rows));
    CHECK(rows.size() >= 14);
}

TEST_CASE("doctor: each broken set-up has its own finding, with a fix", "[doctor]") {
    // A call for each, not a table: clang-format 14 cannot align rows that hold functions, and
    // crashes on some.
    const auto broken = [](const std::string& name,
                           const std::function<void(HostFacts&)>& breakage,
                           std::string_view check,
                           Standing standing,
                           std::string_view says) {
        DYNAMIC_SECTION(name) {
            auto facts = healthy();
            breakage(facts);
            const auto rows = examine(facts);
            const auto* row = find(rows, check, says);
            REQUIRE(row != nullptr);
            CHECK(row->standing == standing);
            CHECK(has_finding(rows) == (standing >= Standing::warning));
            if (standing >= Standing::warning) CHECK_FALSE(row->fix.empty());
        }
    };
    const auto drop_rule =
        RuleFound{"ip filter FORWARD", "ip frag-off & 0x1fff != 0 drop", "forward", 0};
    broken(
        "not root",
        [](HostFacts& f) { f.is_root = false; },
        "rights",
        Standing::warning,
        "not root");
    for (const auto* check : {"conntrack", "fragment_drop", "hook_order", "offload"})
        broken(
            std::string("rulesets not read: ") + check,
            [](HostFacts& f) {
                f.is_root = false;
                f.conntrack = {};
                f.conntrack.nftables_read = false;
            },
            check,
            Standing::warning,
            "not read");
    broken(
        "root without CAP_NET_ADMIN",
        [](HostFacts& f) { f.conntrack.nftables_read = false; },
        "rights",
        Standing::warning,
        "root without CAP_NET_ADMIN");
    broken(
        "config missing",
        [](HostFacts& f) { f.config_exists = false; },
        "config",
        Standing::warning,
        "does not exist");
    broken(
        "config wrong",
        [](HostFacts& f) {
            f.config.reset();
            f.config_mistakes = 3;
        },
        "config",
        Standing::wrong,
        "3 mistakes");
    broken(
        "config not loaded",
        [](HostFacts& f) { f.daemon->config_hash = "0"; },
        "config",
        Standing::warning,
        "not what the daemon runs");
    broken(
        "config loaded but for what takes a restart",
        [](HostFacts& f) {
            f.daemon->waits_for_restart = {"queue.first", "copy.group"};
        },
        "config",
        Standing::warning,
        "waits for a restart: queue.first, copy.group");
    broken(
        "daemon dead",
        [](HostFacts& f) {
            f.daemon.reset();
            f.table_present = false;
        },
        "daemon",
        Standing::wrong,
        "not running");
    broken(
        "daemon hangs",
        [](HostFacts& f) {
            f.daemon.reset();
            f.no_answer =
                ControlError{ControlFault::silent, "the daemon listens on /x but did not"};
        },
        "daemon",
        Standing::wrong,
        "ikefragd hangs: the daemon listens on /x but did not");
    broken(
        "daemon that may not be asked",
        [](HostFacts& f) {
            f.daemon.reset();
            f.table_present = false;
            f.no_answer = ControlError{ControlFault::permission, "not allowed to ask ikefragd"};
        },
        "daemon",
        Standing::warning,
        "not asked: not allowed");
    broken(
        "table left over",
        [](HostFacts& f) { f.daemon.reset(); },
        "table",
        Standing::warning,
        "left by a crash");
    broken(
        "table gone",
        [](HostFacts& f) { f.table_present = false; },
        "table",
        Standing::wrong,
        "is gone");
    broken(
        "table not loaded by the admin",
        [](HostFacts& f) {
            f.config = config_of("mode = \"guard\"\n" + vpn1 + "[queue]\nmanage_nft = false\n");
            f.daemon->config_hash = f.config->hash;
            f.table_present = false;
        },
        "table",
        Standing::wrong,
        "manage_nft is false");
    broken(
        "table loaded by the admin for another mode",
        [](HostFacts& f) {
            f.config = config_of("mode = \"guard\"\n" + vpn1 +
                                 "inside = [\"10.0.0.5\"]\n[queue]\nmanage_nft = false\n");
            f.daemon->config_hash = f.config->hash;
            f.daemon->table_fault = "table inet ikefragd was made for mode observe";
        },
        "table",
        Standing::wrong,
        "manage_nft is false and table inet ikefragd was made for mode observe");
    broken(
        "the kernel gave less than asked",
        [](HostFacts& f) {
            f.daemon->kernel_settings = {
                {"queue 500", "max_length",           "8192",     "8192"  },
                {"queue 500", "receive_buffer_bytes", "16777216", "212992"}
            };
        },
        "kernel_settings",
        Standing::warning,
        "queue 500: the kernel gave receive_buffer_bytes 212992 where 16777216 was asked");
    broken(
        "no nft_queue",
        [](HostFacts& f) { f.nft_queue = false; },
        "nft_queue",
        Standing::note,
        "lacks nft_queue");
    broken(
        "queue without listener",
        [](HostFacts& f) { f.queues.pop_back(); },
        "queue",
        Standing::wrong,
        "queue 501 has no listener");
    broken(
        "queue overflowed",
        [](HostFacts& f) { f.queues[0].dropped_full = 7; },
        "queue",
        Standing::warning,
        "queue 500 dropped 7");
    broken(
        "queue nearly full",
        [](HostFacts& f) { f.queues[0].waiting = 8000; },
        "queue",
        Standing::warning,
        "holds 8000 of 8192");
    broken(
        "no copies",
        [](HostFacts& f) { f.log_groups.clear(); },
        "copy",
        Standing::wrong,
        "no reader");
    broken(
        "fragments dropped here",
        [&](HostFacts& f) {
            f.conntrack.conntrack_active = false;
            f.conntrack.fragment_drops = {drop_rule};
        },
        "fragment_drop",
        Standing::wrong,
        "ip filter FORWARD");
    broken(
        "fragments dropped by default",
        [&](HostFacts& f) {
            f.conntrack.conntrack_active = false;
            f.conntrack.fragment_drops = {drop_rule};
            f.conntrack.fragment_drops[0].text = "policy drop";
            f.conntrack.fragment_drops[0].by_default = true;
        },
        "fragment_drop",
        Standing::wrong,
        "ip filter FORWARD: policy drop: whole IKE is accepted by its ports");
    broken(
        "fragments dropped of one interface",
        [&](HostFacts& f) {
            f.conntrack.fragment_drops = {drop_rule};
            f.conntrack.fragment_drops[0].surely = false;
        },
        "fragment_drop",
        Standing::warning,
        "this host may drop fragments of IKE behind us");
    broken(
        "a chain of which nobody knows what it drops",
        [&](HostFacts& f) { f.conntrack.not_judged = {"inet filter forward"}; },
        "fragment_drop",
        Standing::note,
        "not judged, may drop fragments or not: inet filter forward");
    broken(
        "fragments dropped at the device",
        [&](HostFacts& f) {
            f.conntrack.fragment_drops = {drop_rule};
            f.conntrack.fragment_drops[0].hook = "ingress";
        },
        "fragment_drop",
        Standing::wrong,
        "drops fragments before us");
    broken(
        "harmless fragment rule",
        [&](HostFacts& f) {
            f.conntrack.fragment_drops = {drop_rule};
            f.conntrack.fragment_drops[0].bites = false;
        },
        "fragment_drop",
        Standing::note,
        "makes them whole before it");
    broken(
        "somebody before us",
        [&](HostFacts& f) {
            f.conntrack.earlier_hooks = {
                RuleFound{"netdev x ingress", "drop"}
            };
        },
        "hook_order",
        Standing::warning,
        "before us");
    broken(
        "flow table",
        [](HostFacts& f) { f.flowtables = {"ft"}; },
        "offload",
        Standing::note,
        "flow tables (ft)");
    broken(
        "large receive offload",
        [](HostFacts& f) {
            f.interfaces = {
                Interface{"wan", 1500, true, true}
            };
        },
        "offload",
        Standing::warning,
        "wan merges");
    broken(
        "not forwarding",
        [](HostFacts& f) { f.sysctls["net.ipv4.ip_forward"] = "0"; },
        "forwarding",
        Standing::wrong,
        "not forwarded");
    broken(
        "no server",
        [](HostFacts& f) {
            f.config = config_of("mode = \"guard\"\n");
            f.daemon->config_hash = f.config->hash;
        },
        "servers",
        Standing::warning,
        "no server is configured");
    broken(
        "inside address missing",
        [](HostFacts& f) {
            f.config = config_of("mode = \"guard\"\n" + vpn1);
            f.daemon->config_hash = f.config->hash;
        },
        "servers",
        Standing::warning,
        "inside address is not configured");
    broken(
        "4500 not forwarded",
        [](HostFacts& f) { f.forwardings[0].ports = {500}; },
        "dnat",
        Standing::wrong,
        "UDP/4500");
    broken(
        "500 not forwarded",
        [](HostFacts& f) { f.forwardings[0].ports = {4500}; },
        "dnat",
        Standing::wrong,
        "UDP/500");
    broken(
        "impatient kernel",
        [](HostFacts& f) { f.sysctls["net.ipv4.ipfrag_time"] = "1"; },
        "sysctl",
        Standing::warning,
        "is 1 s");
    broken(
        "no room for fragments",
        [](HostFacts& f) { f.sysctls["net.ipv4.ipfrag_high_thresh"] = "0"; },
        "sysctl",
        Standing::warning,
        "hardly any room");
    broken(
        "not forwarding IPv6",
        [](HostFacts& f) {
            f.config = config_of("[[server]]\nname = 'vpn1'\naddresses = ['2001:db8::5']\n");
            f.daemon->config_hash = f.config->hash;
            f.forwardings.clear();
            f.sysctls["net.ipv6.conf.all.forwarding"] = "0";
        },
        "forwarding",
        Standing::wrong,
        "IPv6 is not forwarded");
    broken(
        "queue taken by another program",
        [](HostFacts& f) {
            f.daemon.reset();
            f.queues[0].port_id = 4711;
        },
        "queue",
        Standing::wrong,
        "queue 500 is taken by another program (netlink port 4711)");
    broken(
        "log group taken by another program",
        [](HostFacts& f) { f.daemon.reset(); },
        "copy",
        Standing::wrong,
        "log group 500 is read by another program");
    broken(
        "bridge filter",
        [](HostFacts& f) { f.sysctls["net.bridge.bridge-nf-call-iptables"] = "1"; },
        "sysctl",
        Standing::note,
        "bridged");
    broken(
        "metrics silent",
        [](HostFacts& f) { f.metrics_status.reset(); },
        "metrics",
        Standing::warning,
        "does not answer");
    broken(
        "metrics somebody else's",
        [](HostFacts& f) { f.metrics_status = 404; },
        "metrics",
        Standing::warning,
        "status 404");
    broken(
        "clock of 1970",
        [](HostFacts& f) { f.clock_seconds = 5; },
        "clock",
        Standing::warning,
        "years behind");
    broken(
        "clock set back",
        [](HostFacts& f) { f.daemon->clock_step_seconds = -86400; },
        "clock",
        Standing::warning,
        "was set by -86400 s");
}

TEST_CASE("doctor: what the daemon says of itself", "[doctor]") {
    const auto facts = read_daemon_facts(
        boost::json::parse(
            R"({"mode":"guard","version":"1","config_hash":"ab","clock_step_seconds":-7,
            "waits_for_restart":["queue.first",5],"table":{"present":true,"fault":"a\u001bb"},
            "kernel_settings":[{"of":"queue 500","setting":"fail_open","asked":true,"got":false},5]})")
            .as_object());
    CHECK(facts.mode == Mode::guard);
    CHECK(facts.clock_step_seconds == -7);
    CHECK(facts.waits_for_restart == std::vector<std::string>{"queue.first"});
    CHECK(facts.table_fault == "a\\x1bb");
    REQUIRE(facts.kernel_settings.size() == 2);
    CHECK(facts.kernel_settings[0].asked == "true");
    CHECK(facts.kernel_settings[0].got == "false");
    CHECK(read_daemon_facts({}).mode == Mode::observe);
}

TEST_CASE("doctor: a hung daemon holds its own queues and table", "[doctor]") {
    auto facts = healthy();
    facts.daemon.reset();
    facts.no_answer = ControlError{ControlFault::silent, "hangs"};
    const auto rows = examine(facts);
    CHECK(find(rows, "queue", "taken by another") == nullptr);
    CHECK(find(rows, "copy", "read by another") == nullptr);
    CHECK(find(rows, "table", "left by a crash") == nullptr);
}

TEST_CASE("doctor: NAT rules without a configured server become a proposal", "[doctor]") {
    auto facts = healthy();
    facts.config = config_of("");
    facts.daemon.reset();
    const auto rows = examine(facts);
    const auto* row = find(rows, "servers", "no server");
    REQUIRE(row != nullptr);
    CHECK(row->fix.find(R"(addresses = ["203.0.113.5"], inside = ["10.0.0.5"])") !=
          std::string::npos);
}

TEST_CASE("doctor: who answered becomes a proposal where no NAT rule tells", "[doctor]") {
    auto facts = healthy();
    facts.config = config_of("");
    facts.forwardings.clear();
    facts.daemon->servers_seen = read_servers_seen(boost::json::parse(R"({"handshakes":[
        {"server":"203.0.113.5","server_inside":"10.0.0.5","responder_spi":"0102030405060708"},
        {"server":"203.0.113.5","server_inside":"10.0.0.5","responder_spi":"0102030405060709"},
        {"server":"203.0.113.6","server_inside":null,"responder_spi":"0102030405060709"},
        {"server":"203.0.113.7","server_inside":null,"responder_spi":null},
        {"server":7,"responder_spi":"01"}, 5],"more":0})")
                                                       .as_object());
    CHECK(facts.daemon->servers_seen.size() == 2);
    const auto proposed = examine(facts);
    const auto* row = find(proposed, "servers", "no server");
    REQUIRE(row != nullptr);
    CHECK(row->fix == R"(those that answered say [[server]] addresses = ["203.0.113.5"], )"
                      R"(inside = ["10.0.0.5"], addresses = ["203.0.113.6"])");

    const auto lacking = [&](const std::string& inside) {
        facts.config = config_of("mode = \"guard\"\n" + vpn1 + inside);
        const auto rows = examine(facts);
        const auto* found = find(rows, "servers", "vpn1 answers from 10.0.0.5, but that inside");
        return found == nullptr ? "" : found->fix;
    };
    CHECK(lacking("") == R"(inside = ["10.0.0.5"] in that [[server]])");
    CHECK(lacking("inside = [\"10.0.0.6\"]\n") == R"(inside = ["10.0.0.5"] in that [[server]])");
    CHECK(lacking("inside = [\"10.0.0.5\"]\n").empty());
    CHECK(read_servers_seen({}).empty());
}

TEST_CASE("doctor: destination NAT is read from nft", "[doctor]") {
    HostFacts facts;
    read_nft_forwardings(
        R"({"nftables":[{"rule":{"family":"ip","table":"nat","chain":"pre","expr":[
        {"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"203.0.113.5"}},
        {"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":{"set":[500,4500]}}},
        {"dnat":{"addr":"10.0.0.5"}}]}},
        {"rule":{"family":"ip","table":"nat","chain":"pre","expr":[
        {"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":{"range":[400,600]}}},
        {"dnat":{"addr":"10.0.0.6","port":500}}]}},
        {"rule":{"family":"ip","table":"nat","chain":"pre","expr":[
        {"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":443}},
        {"dnat":{"addr":"10.0.0.7"}}]}},
        {"flowtable":{"family":"inet","name":"ft","table":"x"}}]})",
        facts);
    REQUIRE(facts.forwardings.size() == 2);
    CHECK(facts.forwardings[0].where == "ip nat pre");
    CHECK(facts.forwardings[0].ports == std::vector<std::uint16_t>{500, 4500});
    CHECK(facts.forwardings[0].outside == parse_address("203.0.113.5"));
    CHECK(facts.forwardings[0].inside == *parse_address("10.0.0.5"));
    CHECK(facts.forwardings[1].ports == std::vector<std::uint16_t>{500});
    CHECK(facts.flowtables == std::vector<std::string>{"ft"});
}

TEST_CASE("doctor: destination NAT is read from iptables-save", "[doctor]") {
    HostFacts facts;
    read_iptables_forwardings(
        "iptables-legacy",
        "*nat\n:PREROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -d 203.0.113.9/32 -p udp -m multiport --dports 500,4500 -j DNAT "
        "--to-destination 10.1.1.1\n"
        "-A PREROUTING -p udp -m udp --dport 500 -j DNAT --to-destination [fd00::5]:500\n"
        "-A PREROUTING -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.1.1.3\nCOMMIT\n",
        facts);
    REQUIRE(facts.forwardings.size() == 2);
    CHECK(facts.forwardings[0].where == "iptables-legacy nat PREROUTING");
    CHECK(facts.forwardings[0].ports == std::vector<std::uint16_t>{500, 4500});
    CHECK(facts.forwardings[0].outside == parse_address("203.0.113.9"));
    CHECK(facts.forwardings[1].inside == *parse_address("fd00::5"));
    CHECK_FALSE(facts.forwardings[1].outside);
}

TEST_CASE("doctor: the kernel's queues and log groups are read", "[doctor]") {
    const auto queues = read_kernel_queues("  500  23948     3 2 65531     7     9     1402  1\n");
    REQUIRE(queues.size() == 1);
    CHECK(queues[0].number == 500);
    CHECK(queues[0].waiting == 3);
    CHECK(queues[0].dropped_full == 7);
    CHECK(queues[0].dropped_socket == 9);
    CHECK(read_log_groups("  500  23948  2 65531 1 1\nrubbish\n") ==
          std::vector<std::uint16_t>{500});
    CHECK(read_kernel_queues("").empty());
}
