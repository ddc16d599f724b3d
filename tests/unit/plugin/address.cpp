// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/address.hpp"

#include "plugin/policy.hpp"

#include "tests/support/plugin/packets.hpp"
#include "tests/support/plugin/print.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

TEST_CASE("address: text is RFC 5952's, and leads back to the same address", "[address]") {
    struct Case {
        std::string given;
        std::string written;
    };
    const Case cases[] = {
        {"192.0.2.1",                               "192.0.2.1"           },
        {"0.0.0.0",                                 "0.0.0.0"             },
        {"255.255.255.255",                         "255.255.255.255"     },
        {"::",                                      "::"                  },
        {"::1",                                     "::1"                 },
        {"1::",                                     "1::"                 },
        {"2001:DB8:0:0:0:0:0:5",                    "2001:db8::5"         },
        {"2001:db8:0:1:1:1:1:1",                    "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1",                      "2001:0:0:1::1"       },
        {"2001:db8:0:0:1:0:0:1",                    "2001:db8::1:0:0:1"   },
        {"2001:0db8:0000:0000:0000:0000:0000:0005", "2001:db8::5"         },
        {"0:0:0:0:0:ffff:192.0.2.1",                "::ffff:192.0.2.1"    },
        {"::ffff:c000:201",                         "::ffff:192.0.2.1"    },
        {"64:ff9b::192.0.2.33",                     "64:ff9b::c000:221"   },
        {"fe80::1:2:3:4",                           "fe80::1:2:3:4"       },
        {"1:2:3:4:5:6:7::",                         "1:2:3:4:5:6:7:0"     },
        {"::2:3:4:5:6:7:8",                         "0:2:3:4:5:6:7:8"     },
        {"::1.2.3.4",                               "::102:304"           },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.given) {
            const auto address = parse_address(c.given);
            REQUIRE(address);
            CHECK(to_string(*address) == c.written);
            CHECK(parse_address(to_string(*address)) == address);
        }
}

TEST_CASE("address: what is no address is refused", "[address]") {
    for (const std::string text : {"",
                                   "1.2.3",
                                   "1.2.3.4.5",
                                   "1.2.3.256",
                                   "01.2.3.4",
                                   "1.2.3.4 ",
                                   " 1.2.3.4",
                                   "1.2.3.-4",
                                   "1.2.3.+4",
                                   "1..3.4",
                                   "1.2.3.4/8",
                                   ":",
                                   ":::",
                                   "1::2::3",
                                   "1:2:3:4:5:6:7",
                                   "1:2:3:4:5:6:7:8:9",
                                   "12345::",
                                   "g::",
                                   "::1%eth0",
                                   "[::1]",
                                   "1:2:3:4:5:6:7:8::",
                                   "1.2.3.4::",
                                   "::1.2.3.4:5",
                                   "::1.2.3",
                                   "1:2:3:4:5:6:7:1.2.3.4",
                                   "1:",
                                   ":1",
                                   "1:2:3:4::5:6:7:8",
                                   "+1::",
                                   "0x1::",
                                   "-1::"})
        DYNAMIC_SECTION('"' << text << '"') { CHECK_FALSE(parse_address(text)); }
}

TEST_CASE("address: prefixes contain, cover and refuse loose bits", "[address]") {
    CHECK(to_string(*parse_prefix("10.0.0.0/8")) == "10.0.0.0/8");
    CHECK(parse_prefix("10.0.0.1")->length == 32);
    CHECK(parse_prefix("2001:db8::5")->length == 128);
    CHECK(parse_prefix("0.0.0.0/0"));
    const std::string texts[] = {
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "2001:db8::/129",
        "2001:db8::1/64",
        "/8",
        "10.0.0.0/08",
    };
    for (const auto& text : texts) DYNAMIC_SECTION(text) {
            CHECK_FALSE(parse_prefix(text));
        }

    CHECK(prefix("100.64.0.0/10").contains(address("100.127.255.255")));
    CHECK_FALSE(prefix("100.64.0.0/10").contains(address("100.128.0.0")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(address("::1")));
    CHECK(prefix("::/0").contains(address("2001:db8::1")));
    CHECK(prefix("2001:db8::/33").contains(address("2001:db8:7fff::")));
    CHECK_FALSE(prefix("2001:db8::/33").contains(address("2001:db8:8000::")));
    CHECK(prefix("10.0.0.0/8").covers(prefix("10.1.0.0/16")));
    CHECK_FALSE(prefix("10.1.0.0/16").covers(prefix("10.0.0.0/8")));
    CHECK(to_string(prefix_of(address("2001:db8:ffff:1::1"), 34)) == "2001:db8:c000::/34");
    CHECK(to_string(prefix_of(address("198.51.100.7"), 0)) == "0.0.0.0/0");
}

TEST_CASE("policy: a server is known by its outside and inside addresses", "[policy]") {
    Policy policy;
    CHECK_FALSE(policy.server_of(address("203.0.113.5")));
    policy.servers.resize(2);
    policy.servers[0].addresses = {prefix("203.0.113.5")};
    policy.servers[0].inside = {prefix("10.0.0.5")};
    policy.servers[1].addresses = {prefix("203.0.113.0/24"), prefix("2001:db8::/64")};
    CHECK(policy.server_of(address("203.0.113.5")) == 0);
    CHECK(policy.server_of(address("10.0.0.5")) == 0);
    CHECK(policy.server_of(address("203.0.113.6")) == 1);
    CHECK(policy.server_of(address("2001:db8::77")) == 1);
    CHECK_FALSE(policy.server_of(address("10.0.0.6")));
    CHECK(policy.is_plain_port(500));
    CHECK(policy.is_marked_port(4500));
    CHECK_FALSE(policy.is_plain_port(4500));
}

TEST_CASE("policy: a rule's counter row stays its own over reloads", "[policy]") {
    RuleRows rows;
    Policy before;
    before.rules.resize(2);
    before.rules[0].name = "a";
    before.rules[1].name = "b";
    rows.assign(before);
    Policy after;
    after.rules.resize(2);
    after.rules[0].name = "new";
    after.rules[1].name = "a";
    rows.assign(after);
    CHECK(after.rules[1].counter_row == before.rules[0].counter_row);
    CHECK(rows.names() == std::vector<std::string>{"a", "b", "new"});

    Policy many;
    many.rules.resize(400);
    for (std::size_t i = 0; i < many.rules.size(); ++i)
        many.rules[i].name = "rule" + std::to_string(i);
    rows.assign(many);
    CHECK(rows.names().size() == RuleRows::capacity);
    CHECK(rows.names().back() == "further");
    CHECK(many.rules[399].counter_row == RuleRows::capacity - 1);
    CHECK(many.rules[252 - 1].counter_row == 254);
}
