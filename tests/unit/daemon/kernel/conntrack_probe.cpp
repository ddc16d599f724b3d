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

TEST_CASE("conntrack probe: what nft rules switch it on or drop fragments", "[kernel]") {
    struct Case {
        std::string name;
        std::string rule;
        bool conntrack;
        bool drops;
    };
    const Case cases[] = {
        {"ct state",                      "ct state established,related accept",                 true,  false},
        {"masquerade",                    "oifname \"wan\" masquerade",                          true,  false},
        {"dnat",                          "udp dport 500 dnat to 10.0.0.5",                      true,  false},
        {"xt conntrack",                  "xt match conntrack counter packets 0 bytes 0 accept", true,  false},
        {"xt NAT target",                 "counter packets 0 bytes 0 xt target DNAT",            true,  false},
        {"a word with ct in it",          "meta l4proto sctp accept",                            false, false},
        {"a comment with ct in it",       "accept comment \"ct state drop frag-off\"",           false, false},
        {"IPv4 fragments dropped",
         "ip frag-off & 8191 != 0 counter packets 0 bytes 0 drop",                               false,
         true                                                                                                },
        {"IPv6 fragments dropped",        "exthdr frag exists drop",                             false, true },
        {"IPv6 by next header",
         "ip6 nexthdr ipv6-frag reject with icmpv6 port-unreachable",                            false,
         true                                                                                                },
        {"IPv6 header match of iptables",
         "xt match ipv6header counter packets 0 bytes 0 drop",                                   false,
         true                                                                                                },
        {"fragments counted only",
         "ip frag-off & 8191 != 0 counter packets 0 bytes 0",                                    false,
         false                                                                                               },
        {"fragments accepted",            "frag frag-off 0 accept",                              false, false},
        {"everything dropped",            "drop",                                                false, false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            read_nft_ruleset(listing("inet fw", "forward priority 0", c.rule), facts);
            CHECK(facts.conntrack_users.size() == (c.conntrack ? 1u : 0u));
            CHECK(facts.fragment_drops.size() == (c.drops ? 1u : 0u));
            for (const auto& found : facts.conntrack_users) {
                CHECK(found.where == "inet fw c");
                CHECK(found.text == c.rule);
                CHECK(found.hook == "forward");
                CHECK(found.priority == 0);
            }
        }
}

TEST_CASE("conntrack probe: families, and our own table left out", "[kernel]") {
    ConntrackFacts facts;
    read_nft_ruleset(
        listing("inet ikefragd", "prerouting priority -450", "ip frag-off & 0x3fff != 0 drop"),
        facts);
    CHECK(facts.fragment_drops.empty());
    read_nft_ruleset(listing("ip nat", "postrouting priority 100", "masquerade"), facts);
    conclude_conntrack(0, facts);
    CHECK(facts.active_ipv4);
    CHECK_FALSE(facts.active_ipv6);
    CHECK(facts.conntrack_active);
}

TEST_CASE("conntrack probe: which fragment rules bite", "[kernel]") {
    struct Case {
        std::string name;
        std::string table;
        std::string hook;
        std::string conntrack; ///< table whose rule switches it on
        bool bites;
    };
    const Case cases[] = {
        {"no conntrack",                          "ip f",     "forward priority 0",                "",       true },
        {"conntrack: behind the defragmentation", "ip f",     "forward priority 0",                "ip n",   false},
        {"raw is behind it too",                  "ip f",     "prerouting priority -300",          "ip n",   false},
        {"before it",                             "ip f",     "prerouting priority -410",          "ip n",   true },
        {"at ingress",                            "netdev f", "ingress device \"wan\" priority 0", "ip n",   true },
        {"the other family is not put together",  "ip6 f",    "forward priority 0",                "ip n",   true },
        {"inet: one family still is in pieces",   "inet f",   "forward priority 0",                "ip n",   true },
        {"inet: neither is",                      "inet f",   "forward priority 0",                "inet n", false},
        {"a chain that is jumped to",             "ip f",     "",                                  "ip n",   false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            read_nft_ruleset(listing(c.table, c.hook, "ip frag-off & 8191 != 0 drop"), facts);
            if (!c.conntrack.empty())
                read_nft_ruleset(listing(c.conntrack, "forward priority 0", "ct state new accept"),
                                 facts);
            conclude_conntrack(0, facts);
            REQUIRE(facts.fragment_drops.size() == 1);
            CHECK(facts.fragment_drops[0].bites == c.bites);
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
    REQUIRE(facts.fragment_drops.size() == 2);
    CHECK(facts.fragment_drops[0].where == "iptables-legacy raw PREROUTING");
    CHECK(facts.fragment_drops[1].ipv6);
    conclude_conntrack(0, facts);
    CHECK(facts.active_ipv4);
    CHECK_FALSE(facts.fragment_drops[0].bites); // -300, behind the defragmentation
    CHECK(facts.fragment_drops[1].bites);
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
        std::string table;
        std::string hook;
        std::string rule;
        bool ipv4;
        bool ipv6;
    };
    const std::string v4 = "ip frag-off & 8191 != 0 counter packets 0 bytes 0 drop";
    const std::string v6 = "exthdr frag exists drop";
    const Case cases[] = {
        {"forwarding, IPv4",                    "inet fw",   "forward priority 0",       v4,                          true,  false},
        {"forwarding, IPv6",                    "inet fw",   "forward priority 0",       v6,                          false, true },
        {"raw, behind our -450",                "ip fw",     "prerouting priority -300", v4,                          true,  false},
        {"before us: that is a loss before us",
         "ip fw",                                            "prerouting priority -500",
         v4,                                                                                                          false,
         false                                                                                                                    },
        {"at the device",                       "netdev fw", "ingress priority 0",       v4,                          false, false},
        {"of what is for this host itself",     "inet fw",   "input priority 0",         v4,                          false, false},
        {"a chain others jump to",              "inet fw",   "",                         v4,                          true,  false},
        {"none",                                "inet fw",   "forward priority 0",       "counter packets 0 bytes 0", false, false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ConntrackFacts facts;
            read_nft_ruleset(listing(c.table, c.hook, c.rule), facts);
            conclude_conntrack(0, facts);
            const auto drops = fragment_drops_behind_us(facts);
            CHECK(drops[index(Family::ipv4)].empty() != c.ipv4);
            CHECK(drops[index(Family::ipv6)].empty() != c.ipv6);
            // With connection tracking the rule never sees a fragment.
            conclude_conntrack(7, facts);
            const auto whole = fragment_drops_behind_us(facts);
            CHECK(whole[index(Family::ipv4)].empty());
            CHECK(whole[index(Family::ipv6)].empty());
        }
}
