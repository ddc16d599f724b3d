// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/conntrack_probe.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace ikefrag;

namespace {

/// One chain with one rule, as nft lists it.
std::string listing(const std::string& table, const std::string& hook, const std::string& rule) {
    return "table " + table + " {\n\tchain c {\n" +
           (hook.empty() ? "" : "\t\ttype filter hook " + hook + "; policy accept;\n") + "\t\t" +
           rule + "\n\t}\n}\n";
}

} // namespace

TEST_CASE("conntrack probe: what nft rules switch it on", "[kernel]") {
    struct Case {
        std::string name;
        std::string rule;
        bool conntrack;
    };
    const Case cases[] = {
        {"ct state",             "ct state established,related accept",                 true },
        {"masquerade",           "oifname \"wan\" masquerade",                          true },
        {"dnat",                 "udp dport 500 dnat to 10.0.0.5",                      true },
        {"xt conntrack",         "xt match conntrack counter packets 0 bytes 0 accept", true },
        {"xt NAT target",        "counter packets 0 bytes 0 xt target DNAT",            true },
        {"a word with ct in it", "meta l4proto sctp accept",                            false},
        {"a comment with ct",    "accept comment \"ct state drop frag-off\"",           false},
        {"fragments dropped",    "ip frag-off & 8191 != 0 drop",                        false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            read_nft_ruleset(listing("inet fw", "forward priority 0", c.rule), facts);
            CHECK(facts.conntrack_users.size() == (c.conntrack ? 1u : 0u));
            for (const auto& found : facts.conntrack_users) {
                CHECK(found.where == "inet fw c");
                CHECK(found.text == c.rule);
                CHECK(found.hook == "forward");
                CHECK(found.priority == 0);
            }
        }
}

TEST_CASE("conntrack probe: rules' texts by their handles", "[kernel]") {
    ConntrackFacts facts;
    const auto texts =
        read_nft_ruleset("table inet fw { # handle 1\n\tchain c { # handle 1\n"
                         "\t\ttype filter hook forward priority 0; policy accept;\n"
                         "\t\tudp dport { 500, 501,\n\t\t\t    502 } accept # handle 4\n"
                         "\t\tct state new drop comment \"{ # handle 9\" # handle 12\n\t}\n}\n"
                         "table inet ikefragd { # handle 2\n\tchain pre { # handle 1\n\t\taccept # "
                         "handle 3\n\t}\n}\n",
                         facts);
    CHECK(texts == ruleset::RuleTexts{
                       {"inet fw 4",  "udp dport { 500, 501, 502 } accept"        },
                       {"inet fw 12", "ct state new drop comment \"{ # handle 9\""},
    });
    REQUIRE(facts.conntrack_users.size() == 1);
    CHECK(facts.conntrack_users[0].text == "ct state new drop comment \"{ # handle 9\"");
}

TEST_CASE("conntrack probe: families, and our own table left out", "[kernel]") {
    ConntrackFacts facts;
    read_nft_ruleset(listing("inet ikefragd", "prerouting priority -450", "ct state new drop"),
                     facts);
    CHECK(facts.conntrack_users.empty());
    read_nft_ruleset(listing("ip nat", "postrouting priority 100", "masquerade"), facts);
    conclude_conntrack(0, facts);
    CHECK(facts.active_ipv4);
    CHECK_FALSE(facts.active_ipv6);
    CHECK(facts.conntrack_active);
}

TEST_CASE("conntrack probe: which fragment rules bite", "[kernel]") {
    struct Case {
        std::string name;
        RuleFound rule;
        std::string conntrack; ///< table whose rule switches it on
        bool bites;
    };
    const auto at = [](const std::string& family, const std::string& hook, int priority) {
        return RuleFound{.where = family + " f c",
                         .text = "drop",
                         .hook = hook,
                         .priority = priority,
                         .ipv4 = family != "ip6",
                         .ipv6 = family != "ip"};
    };
    const Case cases[] = {
        {"no conntrack",                          at("ip",     "forward",    0),    "",       true },
        {"conntrack: behind the defragmentation", at("ip",     "forward",    0),    "ip n",   false},
        {"raw is behind it too",                  at("ip",     "prerouting", -300), "ip n",   false},
        {"before it",                             at("ip",     "prerouting", -410), "ip n",   true },
        {"early in a later hook",                 at("ip",     "forward",    -500), "ip n",   false},
        {"at ingress",                            at("netdev", "ingress",    0),    "inet n", true },
        {"at ingress of inet",                    at("inet",   "ingress",    0),    "inet n", true },
        {"the other family is not put together",  at("ip6",    "forward",    0),    "ip n",   true },
        {"inet: one family still is in pieces",   at("inet",   "forward",    0),    "ip n",   true },
        {"inet: neither is",                      at("inet",   "forward",    0),    "inet n", false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            facts.fragment_drops = {c.rule};
            if (!c.conntrack.empty())
                read_nft_ruleset(listing(c.conntrack, "forward priority 0", "ct state new accept"),
                                 facts);
            conclude_conntrack(0, facts);
            REQUIRE(facts.fragment_drops.size() == 1);
            CHECK(facts.fragment_drops[0].bites == c.bites);
            // A default drop where packets are whole is every firewall's.
            facts.fragment_drops[0].by_default = true;
            conclude_conntrack(0, facts);
            CHECK(facts.fragment_drops.size() == (c.bites ? 1u : 0u));
        }
}

TEST_CASE("conntrack probe: hooks that see packets before us", "[kernel]") {
    ConntrackFacts facts;
    read_nft_ruleset(listing("inet a", "prerouting priority -500", "accept") +
                         listing("inet b", "prerouting priority -300", "accept") +
                         listing("netdev c", "ingress device \"wan\" priority 0", "accept"),
                     facts);
    REQUIRE(facts.earlier_hooks.size() == 2);
    CHECK(facts.earlier_hooks[0].where == "inet a c");
    CHECK(facts.earlier_hooks[0].priority == -500);
    CHECK(facts.earlier_hooks[1].hook == "ingress");
}

TEST_CASE("conntrack probe: iptables-save", "[kernel]") {
    const std::string text = "# Generated by iptables-save v1.8.9\n"
                             "*filter\n"
                             ":FORWARD ACCEPT [0:0]\n"
                             "-A FORWARD -m state --state INVALID -j DROP\n"
                             "-A FORWARD -p udp -m comment --comment \"-f MASQUERADE\" -j DROP\n"
                             "COMMIT\n"
                             "*raw\n"
                             "-A PREROUTING -f -j DROP\n"
                             "-A PREROUTING -f -j ACCEPT\n"
                             "COMMIT\n";
    ConntrackFacts facts;
    read_iptables_save("iptables-legacy", text, facts);
    read_iptables_save(
        "ip6tables-legacy", "*filter\n-A FORWARD -m frag --fragmore -j DROP\n", facts);
    REQUIRE(facts.conntrack_users.size() == 1);
    CHECK(facts.conntrack_users[0].where == "iptables-legacy filter FORWARD");
    conclude_conntrack(0, facts);
    CHECK(facts.active_ipv4);
    CHECK_FALSE(facts.active_ipv6);
}

TEST_CASE("conntrack probe: tracked connections tell what no ruleset shows", "[kernel]") {
    ConntrackFacts quiet;
    conclude_conntrack(0, quiet);
    CHECK_FALSE(quiet.conntrack_active);
    ConntrackFacts busy;
    conclude_conntrack(3, busy);
    CHECK(busy.active_ipv4);
    CHECK(busy.active_ipv6);
}

TEST_CASE("conntrack probe: rules that drop trailing fragments behind us", "[kernel]") {
    struct Case {
        std::string name;
        std::string hook;
        int priority;
        bool told;
    };
    const Case cases[] = {
        {"forwarding",                          "forward",    0,    true },
        {"raw, behind our -450",                "prerouting", -300, true },
        {"before us: that is a loss before us", "prerouting", -500, false},
        {"at the device",                       "ingress",    0,    false},
        {"of what is for this host itself",     "input",      0,    false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            RuleFound rule{.where = "inet fw c",
                           .text = "may drop",
                           .hook = c.hook,
                           .priority = c.priority,
                           .ipv4 = true,
                           .surely = false,
                           .to_server = true};
            facts.fragment_drops.push_back(rule);
            rule.text = "drop";
            rule.surely = rule.surely_to_server = true;
            facts.fragment_drops.push_back(rule);
            conclude_conntrack(0, facts);
            const auto drops = fragment_drops_behind_us(facts);
            CHECK(drops[index(Family::ipv4)] == (c.told ? "inet fw c: drop" : ""));
            CHECK(drops[index(Family::ipv6)].empty());
            // With connection tracking the rule never sees a fragment.
            conclude_conntrack(7, facts);
            CHECK(fragment_drops_behind_us(facts)[index(Family::ipv4)].empty());
        }
}

TEST_CASE("conntrack probe: a default drop is named by its chain", "[kernel]") {
    const std::string json =
        R"({"nftables":[{"chain":{"family":"inet","table":"filter","name":"forward","handle":1,)"
        R"("type":"filter","hook":"forward","prio":0,"policy":"drop"}},)"
        R"({"rule":{"family":"inet","table":"filter","chain":"forward","handle":2,"expr":[)"
        R"({"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},)"
        R"("right":{"set":[500,4500]}}},{"accept":null}]}}]})";
    ConntrackFacts facts;
    look_for_fragment_drops(ruleset::read_nft_rules(json, {}, "ikefragd"), {}, facts);
    conclude_conntrack(0, facts);
    const auto drops = fragment_drops_behind_us(facts);
    CHECK(drops[index(Family::ipv4)] == "inet filter forward: policy drop");
    CHECK(drops[index(Family::ipv6)] == "inet filter forward: policy drop");
    read_nft_ruleset(listing("inet filter", "forward priority 0", "ct state established accept"),
                     facts);
    conclude_conntrack(0, facts);
    CHECK(facts.fragment_drops.empty());
}
