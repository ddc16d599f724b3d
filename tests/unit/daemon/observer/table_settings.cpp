// SPDX-License-Identifier: GPL-2.0-or-later
// What the table keeper makes of a policy. The kernel's side: tests/system.
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/observer/table_keeper.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;

namespace {

TableSettings table_of(const std::string& config, const std::string& rules = {}) {
    const auto parsed = parse_config(
        {
            "c", config
    },
        std::vector{TextFile{"r", rules}});
    REQUIRE(parsed);
    return table_settings(*parsed->policy, parsed->settings);
}

} // namespace

TEST_CASE("table settings: servers outside and inside, ports, queues, what a dead daemon means",
          "[observer]") {
    const auto table = table_of("mode = 'exclusive'\n[[server]]\nname = 'v'\n"
                                "addresses = ['203.0.113.5']\ninside = ['10.0.0.5']\n"
                                "[queue]\nfirst = 7\ncount = 3\nfail_open = false\n"
                                "[copy]\ngroup = 9\n[ports]\nplain = [500, 501]\n"
                                "[limits]\nhold_seconds = 8\n");
    CHECK(table.mode == Mode::exclusive);
    REQUIRE(table.servers.size() == 2);
    CHECK(to_string(table.servers[0]) == "203.0.113.5/32");
    CHECK(to_string(table.servers[1]) == "10.0.0.5/32");
    CHECK(table.plain_ports == std::vector<std::uint16_t>{500, 501});
    CHECK(table.queue_first == 7);
    CHECK(table.queue_count == 3);
    CHECK_FALSE(table.bypass);
    CHECK(table.log_group == 9);
    CHECK(table.hold_seconds == 8); // as long as the gate holds a tail
}

TEST_CASE("table settings: ids are known for as long as any rule lets the gate hold them",
          "[observer]") {
    const std::string rules = "[[rule]]\nname = 'slow'\naction = 'pass'\nlimits.hold_seconds = 20\n"
                              "match = { class = 'ike', peer = ['10.0.0.0/8'] }\n"
                              "[[rule]]\nname = 'rest'\naction = 'pass'\nlimits.hold_seconds = 2\n"
                              "match.class = 'ike'\n";
    CHECK(table_of("mode = 'guard'\n", rules).hold_seconds == 20);
}

TEST_CASE("table settings: ESP in UDP is left alone unless a rule drops all of it", "[observer]") {
    struct Row {
        std::string name;
        std::string rules;
        bool left;
    };
    const std::string drop =
        "[[rule]]\nname = 'd'\naction = 'drop'\nmatch = { class = 'esp_in_udp'";
    const std::string leave =
        "[[rule]]\nname = 'l'\naction = 'leave'\nmatch.class = 'esp_in_udp'\n";
    const Row rows[] = {
        {"no rules",                       "",                                           true },
        {"left",                           leave,                                        true },
        {"dropped",                        drop + " }\n",                                false},
        {"dropped, dry run",               drop + " }\ndry_run = true\n",                true },
        {"dropped of one peer, else left", drop + ", peer = ['10.0.0.0/8'] }\n" + leave, true },
        {"rules, none for it",
         "[[rule]]\nname = 'i'\naction = 'pass'\nmatch.class = 'ike'\n",                 false},
    };
    for (const auto& row : rows) DYNAMIC_SECTION(row.name) {
            CHECK(table_of("", row.rules).allow_esp_in_udp == row.left);
        }
}

TEST_CASE("what pass does: told by conntrack and by rules that drop fragments", "[observer]") {
    ConntrackFacts facts;
    CHECK(what_pass_does(facts).find("fragments go on as they came") != std::string::npos);
    RuleFound rule{.where = "netdev early in",
                   .text = "drop",
                   .hook = "ingress",
                   .ipv4 = true,
                   .to_server = true};
    rule.surely_to_server = true;
    facts.fragment_drops.push_back(rule);
    rule.where = "ip filter FORWARD";
    rule.hook = "forward";
    facts.fragment_drops.push_back(rule);
    CHECK(what_pass_does(facts).find("ip filter FORWARD drops fragments behind us") !=
          std::string::npos);
    facts.conntrack_active = true;
    CHECK(what_pass_does(facts).find("puts the fragments together") != std::string::npos);
}

TEST_CASE("IKE as others' rules meet it: our mark is set only where fragments are queued",
          "[observer]") {
    const auto mark_in = [](const std::string& mode) {
        const auto parsed =
            parse_config({"c",
                          "mode = '" + mode +
                              "'\nmark = { value = 0x10, mask = 0xf0 }\n[[server]]\nname = 'v'\n"
                              "addresses = ['203.0.113.5']\ninside = ['10.0.0.5']\n"},
                         std::vector<TextFile>{});
        REQUIRE(parsed);
        const auto traffic = ike_traffic(*parsed->policy, parsed->settings);
        CHECK(traffic.servers.size() == 2);
        CHECK(traffic.ports == std::vector<std::uint16_t>{500, 4500});
        return traffic.mark;
    };
    CHECK(mark_in("guard") == PacketMark{0x10, 0xf0});
    CHECK_FALSE(mark_in("observe"));
}
