// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

TableSettings settings_of(Mode mode) {
    TableSettings settings;
    settings.mode = mode;
    settings.servers = {*parse_prefix("203.0.113.5"), *parse_prefix("2001:db8::5")};
    settings.seed = 7;
    return settings;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// The lines of one chain in the table's text, its braces left out.
std::string chain_of(const std::string& text, const std::string& name) {
    const auto begin = text.find("  chain " + name + " {\n");
    REQUIRE(begin != std::string::npos);
    const auto body = text.find('\n', begin) + 1;
    return text.substr(body, text.find("\n  }", begin) - body);
}

std::set<std::string> all_matches(const std::string& text, const char* pattern) {
    const std::regex expression(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator i(text.begin(), text.end(), expression), end; i != end; ++i)
        found.insert((*i)[1]);
    return found;
}

} // namespace

TEST_CASE("table text: nothing is left of the template", "[kernel]") {
    for (const auto& mode : words<Mode>()) DYNAMIC_SECTION(mode.text) {
            const auto text = print_table(settings_of(mode.value));
            CHECK_FALSE(has(text, "$"));
            CHECK_FALSE(has(text, "each "));
            CHECK(std::ranges::count(text, '{') == std::ranges::count(text, '}'));
        }
}

TEST_CASE("table text: every chain, set and counter that is used exists", "[kernel]") {
    for (const auto& mode : words<Mode>()) DYNAMIC_SECTION(mode.text) {
            const auto text = print_table(settings_of(mode.value));
            const auto chains = all_matches(text, "  chain (\\w+) ");
            for (const auto& target : all_matches(text, "(?:goto|jump) (\\w+)")) {
                CAPTURE(target);
                CHECK(chains.contains(target));
            }
            for (const auto& chain : chains) {
                CAPTURE(chain);
                CHECK(std::ranges::find(table_chains(), chain) != table_chains().end());
            }
            const auto sets = all_matches(text, "  set (\\w+) ");
            for (const auto& set : all_matches(text, "@(\\w+)\\b(?!,)")) {
                CAPTURE(set);
                CHECK(sets.contains(set));
            }
            const auto counters = all_matches(text, "  counter (\\w+) \\{");
            CHECK(counters.size() == table_counter_count);
            for (const auto& counter : all_matches(text, "counter name (\\w+)")) {
                CAPTURE(counter);
                CHECK(counters.contains(counter));
            }
        }
}

TEST_CASE("table text: where the modes differ", "[kernel]") {
    const auto observe = print_table(settings_of(Mode::observe));
    const auto guard = print_table(settings_of(Mode::guard));
    const auto exclusive = print_table(settings_of(Mode::exclusive));
    CHECK_FALSE(has(observe, "queue flags"));
    CHECK_FALSE(has(observe, "queue to"));
    CHECK(has(chain_of(observe, "take"), "counter name copied_tail log group 500 snaplen 65535"));
    CHECK(has(chain_of(guard, "take"), "counter name queued goto to_queue"));
    CHECK_FALSE(has(observe, " drop\n"));
    CHECK_FALSE(has(guard, " drop\n"));
    CHECK(has(exclusive, "counter name dropped_tail drop"));
    // nothing whole is ever dropped or queued
    for (const char* chain : {"pre",
                              "pre6",
                              "whole",
                              "copy",
                              "whole_plain",
                              "whole_marked",
                              "tcp_syn",
                              "esp4",
                              "esp6",
                              "esp_note",
                              "out",
                              "post",
                              "post6",
                              "post_copy"}) {
        CAPTURE(chain);
        CHECK_FALSE(has(chain_of(exclusive, chain), "drop"));
        CHECK_FALSE(has(chain_of(exclusive, chain), "take"));
    }
}

TEST_CASE("table text: an id that is IKE's goes to the gate, whatever else it is known as",
          "[kernel]") {
    for (const auto& mode : words<Mode>()) DYNAMIC_SECTION(mode.text) {
            const auto text = print_table(settings_of(mode.value));
            const auto asks_before =
                [&](const std::string& chain, const std::string& first, const std::string& second) {
                    const auto body = chain_of(text, chain);
                    const auto at = body.find(first);
                    return at < body.find(second) && has(body, second);
                };
            CHECK(asks_before("frag4", "@ike4 counter name ike_tail goto take", "@other4 "));
            CHECK(asks_before("tail6", "@ike6 counter name ike_tail goto take", "@other6 "));
            // A first fragment of another kind, for an id that is IKE's or of which a tail is held.
            for (const char* set : {"early4", "early6", "ike4", "ike6"}) {
                CAPTURE(set);
                CHECK(has(chain_of(text, "late_head"),
                          "@" + std::string(set) + " counter name late_head goto take"));
            }
            // `exclusive` drops it there and then: a full queue must open nothing to it.
            const bool drops = mode.value == Mode::exclusive;
            CHECK(has(chain_of(text, "head_other"), "jump late_head") != drops);
            CHECK(has(chain_of(text, "head_proto"), "    jump late_head") != drops);
            CHECK(has(chain_of(text, "head_proto"), "meta l4proto { 50, 51 } jump late_head") ==
                  drops);
            CHECK(has(chain_of(text, "head_esp"), "jump late_head"));
            auto strict = settings_of(mode.value);
            strict.allow_esp_in_udp = false;
            strict.allowed_protocols.clear();
            CHECK(has(chain_of(print_table(strict), "head_esp"), "jump late_head") != drops);
            CHECK(has(chain_of(print_table(strict), "head_proto"), "jump late_head") != drops);
            // What an IPv6 tail calls itself decides nothing: its first fragment does.
            for (const char* chain : {"tail6", "maybe", "ask"})
                CHECK_FALSE(has(chain_of(text, chain), "nexthdr"));
            if (drops) CHECK_FALSE(has(chain_of(text, "leave_tail"), "nexthdr"));
        }
}

TEST_CASE("table text: the queue statement", "[kernel]") {
    auto settings = settings_of(Mode::guard);
    CHECK(chain_of(print_table(settings), "to_queue") == "    queue flags bypass to 500");
    settings.queue_count = 2;
    CHECK(chain_of(print_table(settings), "to_queue") == "    queue flags bypass to 500-501");
    settings.bypass = false;
    CHECK(chain_of(print_table(settings), "to_queue") == "    queue to 500-501");
}

TEST_CASE("table text: filling deletes no chain and no table", "[kernel]") {
    for (const auto statement : {QueueStatement::native, QueueStatement::left_alone}) {
        const auto text = fill_table(settings_of(Mode::exclusive), statement);
        // Rules may take an element out of a set.
        for (auto at = text.find("delete"); at != std::string::npos;
             at = text.find("delete", at + 1))
            CHECK(text.substr(at, 8) == "delete @");
        CHECK(has(text, "flush chain inet ikefragd pre\n"));
        CHECK(has(text, "flush chain inet ikefragd to_queue\n") ==
              (statement == QueueStatement::native));
        CHECK(has(text, "add rule inet ikefragd to_queue queue flags bypass to 500\n") ==
              (statement == QueueStatement::native));
    }
}

TEST_CASE("table text: ports, protocols and limits go where they belong", "[kernel]") {
    auto settings = settings_of(Mode::exclusive);
    settings.plain_ports = {500, 848};
    settings.marked_ports = {4500, 4501};
    settings.allowed_protocols = {50, 89};
    settings.log_group = 9;
    settings.hold_seconds = 30;
    const auto text = print_table(settings);
    for (const char* rule : {"    th dport 848 goto whole_plain\n",
                             "    th sport 500 goto whole_plain\n",
                             "    th dport 4501 @th,64,32 0 goto whole_marked\n",
                             "    @th,224,16 { 500, 848 } goto copy_icmp\n",
                             "    th dport != { 4500, 4501 } accept\n",
                             "    meta l4proto { 50, 89 } goto allow_proto\n",
                             "log group 9 snaplen 128",
                             "update @early4 { ip saddr . ip daddr . ip id timeout 30s }"}) {
        CAPTURE(rule);
        CHECK(has(text, rule));
    }
    settings.allowed_protocols.clear();
    settings.allow_esp_in_udp = false;
    const auto closed = print_table(settings);
    CHECK(chain_of(closed, "leave_proto") == "    counter name dropped_proto drop");
    CHECK_FALSE(has(chain_of(closed, "leave_head"), "allow_head"));
}

TEST_CASE("table text: servers", "[kernel]") {
    auto settings = settings_of(Mode::guard);
    const auto filled = [&](const std::string& four, const std::string& six) {
        const auto set = [](const char* version, const std::string& elements) {
            return elements.empty()
                       ? ""
                       : std::string("  set server") + version + " { type ipv" + version +
                             "_addr; flags interval; elements = { " + elements + " }; }\n";
        };
        return "flush set inet ikefragd server4\nflush set inet ikefragd server6\n"
               "table inet ikefragd {\n" +
               set("4", four) + set("6", six) + "}\n";
    };
    CHECK(fill_servers(settings) == filled("203.0.113.5/32", "2001:db8::5/128"));
    settings.servers = {*parse_prefix("203.0.113.5"), *parse_prefix("10.0.0.5")};
    CHECK(fill_servers(settings) == filled("203.0.113.5/32, 10.0.0.5/32", ""));
    // Intervals of a set may not overlap.
    settings.servers = {*parse_prefix("10.0.0.5"),
                        *parse_prefix("10.0.0.0/24"),
                        *parse_prefix("10.0.0.0/24"),
                        *parse_prefix("10.0.0.0/16"),
                        *parse_prefix("10.1.0.0/16")};
    CHECK(fill_servers(settings) == filled("10.0.0.0/16, 10.1.0.0/16", ""));
    settings.servers.clear();
    CHECK(fill_servers(settings) == filled("0.0.0.0/0", "::/0"));
}

TEST_CASE("table text: stripping empties chains and takes sets away", "[kernel]") {
    const std::vector<std::string> chains{"pre", "old"};
    const std::vector<std::string> sets{"ike4"};
    CHECK(strip_table(chains, sets) == "flush chain inet ikefragd pre\n"
                                       "flush chain inet ikefragd old\n"
                                       "delete set inet ikefragd ike4\n");
}
