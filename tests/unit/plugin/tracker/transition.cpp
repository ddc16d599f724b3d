// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

TEST_CASE("transition: technology and embedded address", "[tracker]") {
    Policy policy;
    policy.iphttps.push_back(*parse_prefix("2001:db8:443::/64"));
    policy.nat64.push_back(*parse_prefix("2001:db8:64::/96"));
    policy.nat64.push_back(*parse_prefix("2001:db8:100::/40"));
    struct Case {
        std::string address;
        Transition transition;
        std::string embedded;
        bool bogus;
    };
    const Case cases[] = {
        {"198.51.100.7",                         Transition::native,      "",              false},
        {"2001:db8::1",                          Transition::native,      "",              false},
 // Hicks' example, PROTOCOL §4.
        {"2002:c633:6453::c633:6453",            Transition::six_to_four, "198.51.100.83", false},
        {"2002:0a00:0001::1",                    Transition::six_to_four, "10.0.0.1",      true },
        {"2002:7f00:0001::1",                    Transition::six_to_four, "127.0.0.1",     true },
        {"2002:e000:0001::1",                    Transition::six_to_four, "224.0.0.1",     true },
        {"2001:0:4136:e378:8000:63bf:3fff:fdd2", Transition::teredo,      "192.0.2.45",    false},
        {"2001:0:4136:e378:8000:63bf:f5ff:fffe", Transition::teredo,      "10.0.0.1",      true },
 // Teredo is 2001:0000::/32 alone.
        {"2001:1:4136:e378:8000:63bf:3fff:fdd2", Transition::native,      "",              false},
        {"fe80::5efe:c000:22d",                  Transition::isatap,      "192.0.2.45",    false},
        {"2001:db8:5::200:5efe:c000:22d",        Transition::isatap,      "192.0.2.45",    false},
        {"64:ff9b::c000:22d",                    Transition::nat64,       "192.0.2.45",    false},
        {"2001:db8:64::c000:22d",                Transition::nat64,       "192.0.2.45",    false},
 // A /40 keeps the address in bytes 5 to 7 and 9: byte 8 is skipped (RFC 6052 §2.2).
        {"2001:db8:1c0:2:2d::",                  Transition::nat64,       "192.0.2.45",    false},
        {"::ffff:192.0.2.45",                    Transition::v4mapped,    "192.0.2.45",    false},
        {"fd99:1::2",                            Transition::ula,         "",              false},
        {"fe80::1",                              Transition::linklocal,   "",              false},
        {"2001:db8:443::17",                     Transition::iphttps,     "",              false},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.address) {
            const auto facts = transition_of(address(c.address), policy);
            CHECK(to_string(facts.transition) == to_string(c.transition));
            CHECK((facts.embedded ? to_string(*facts.embedded) : "") == c.embedded);
            CHECK(facts.bogus == c.bogus);
        }
    }
    const auto teredo = transition_of(address("2001:0:4136:e378:8000:63bf:3fff:fdd2"), policy);
    CHECK(teredo.relay == address("65.54.227.120"));
    CHECK(teredo.mapped_port == 40'000);
}
