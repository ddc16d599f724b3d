// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace ikefrag;

namespace {

std::string complaint(const std::string& config, const std::vector<TextFile>& rules = {}) {
    const auto parsed = parse_config({"c.toml", config}, rules);
    return parsed ? "fine" : to_string(parsed.error());
}

/// Complaint about a rule file under two servers.
std::string rule_complaint(const std::string& rules) {
    static const std::string servers = "[[server]]\nname = 'vpn1'\naddresses = ['203.0.113.5']\n"
                                       "[[server]]\nname = 'vpn2'\naddresses = ['2001:db8::5']\n";
    return complaint(servers,
                     {
                         {"r.toml", rules}
    });
}

Config sound(const std::string& config, const std::vector<TextFile>& rules = {}) {
    auto parsed = parse_config({"c.toml", config}, rules);
    if (!parsed) FAIL(to_string(parsed.error()));
    return std::move(*parsed);
}

struct Case {
    std::string name;
    std::string text;
    std::string expected;
};

} // namespace

TEST_CASE("config: a mistake is told in one line, whatever is written there", "[config]") {
    // toml++ repeats what it saw, line ends and all.
    CHECK(complaint("[privacy]\nmask = tr\nx = 1\n")
              .starts_with("c.toml:2:10: not TOML: Error while parsing boolean: expected 'true', "
                           "saw 'tr\\x0a"));
    CHECK(complaint("mode = \x1b[2J\n").find('\x1b') == std::string::npos);
}

TEST_CASE("config: every mistake names its place, what was found and what was expected",
          "[config]") {
    const Case cases[] = {
        {"unknown word",
         "mode = \"gaurd\"\n",                                            "c.toml:1:8: mode is \"gaurd\", expected one of \"observe\", \"guard\", \"exclusive\"; "
         "did "
         "you mean \"guard\"?\n"
         "    mode = \"gaurd\"\n"
         "           ^\n"                                                               },
        {"word far from all",
         "mode = \"on\"\n",                                               "c.toml:1:8: mode is \"on\", expected one of \"observe\", \"guard\", \"exclusive\"\n"
         "    mode = \"on\"\n"
         "           ^\n"                                                                  },
        {"unknown section",
         "[querue]\nfirst = 1\n",                                         "c.toml:1:2: unknown key \"querue\"; did you mean \"queue\"?\n"
         "    [querue]\n"
         "     ^\n"                                                                  },
        {"unknown key",
         "[queue]\n\tfrist = 1\n",                                        "c.toml:2:2: unknown key \"frist\" in queue; did you mean \"first\"?\n"
         "     frist = 1\n"
         "     ^\n"                                                                 },
        {"unknown key near to none",
         "[copy]\nxyz = 1\n",                                             "c.toml:2:1: unknown key \"xyz\" in copy; expected one of \"group\"\n"
         "    xyz = 1\n"
         "    ^\n"                                                                       },
        {"wrong type",
         "[queue]\nfail_open = 1\n",                                      "c.toml:2:13: queue.fail_open is 1, expected true or false\n"
         "    fail_open = 1\n"
         "                ^\n"                                                    },
        {"out of range",
         "[limits]\nhold_seconds = 90\n",                                 "c.toml:2:16: limits.hold_seconds is 90, expected an integer 1..30\n"
         "    hold_seconds = 90\n"
         "                   ^\n"                                            },
        {"a decimal number is no integer",
         "[limits]\nhold_seconds = 5.5\n",                                "c.toml:2:16: limits.hold_seconds is 5.5, expected an integer 1..30\n"
         "    hold_seconds = 5.5\n"
         "                   ^\n"                                           },
        {"a table in place of a value",
         "[limits]\nhold_seconds = { s = 5 }\n",                          "c.toml:2:16: limits.hold_seconds is a table, expected an integer 1..30\n"
         "    hold_seconds = { s = 5 }\n"
         "                   ^\n"                                     },
        {"a value in place of a section",
         "limits = 5\n",                                                  "c.toml:1:10: limits is 5, expected a table\n"
         "    limits = 5\n"
         "             ^\n"                                                                   },
        {"not TOML",
         "mode = observe\n",                                              "c.toml:1:8: not TOML: Error while parsing value: could not determine value type\n"
         "    mode = observe\n"
         "           ^\n"                                                                 },
        {"a server without name",
         "[[server]]\naddresses = [\"203.0.113.5\"]\n",                   "c.toml:1:1: server needs a name\n"
         "    [[server]]\n"
         "    ^\n"                                             },
        {"a server without addresses",
         "[[server]]\nname = \"vpn1\"\n",                                 "c.toml:1:1: server needs addresses\n"
         "    [[server]]\n"
         "    ^\n"                                                           },
        {"a name that cannot be a label",
         "[[server]]\nname = \"vpn 1\"\naddresses = [\"203.0.113.5\"]\n", "c.toml:2:8: server.name is \"vpn 1\", expected a name of 1 to 64 letters, digits, '.', "
         "'_' "
         "or '-'\n"
         "    name = \"vpn 1\"\n"
         "           ^\n"                    },
        {"bits behind the length",
         "[[server]]\nname = 'v'\naddresses = ['203.0.113.5/24']\n",      "c.toml:3:14: server.addresses is \"203.0.113.5/24\", expected no bits set behind the "
         "length; did you mean \"203.0.113.0/24\"?\n"
         "    addresses = ['203.0.113.5/24']\n"
         "                 ^\n"                   },
        {"no address",
         "[[server]]\nname = 'v'\naddresses = ['vpn.example']\n",         "c.toml:3:14: server.addresses is \"vpn.example\", expected an address or a prefix, like "
         "\"203.0.113.5\" or \"2001:db8::/32\"\n"
         "    addresses = ['vpn.example']\n"
         "                 ^\n"                      },
        {"not a list",
         "[[server]]\nname = 'v'\naddresses = '203.0.113.5'\n",           "c.toml:3:13: server.addresses is \"203.0.113.5\", expected a list\n"
         "    addresses = '203.0.113.5'\n"
         "                ^\n"                         },
        {"a value twice",
         "[transition]\niphttps = ['2001:db8::/32', '2001:db8::/32']\n",  "c.toml:2:29: transition.iphttps lists \"2001:db8::/32\" twice\n"
         "    iphttps = ['2001:db8::/32', '2001:db8::/32']\n"
         "                                ^\n"},
        {"an empty list",
         "[ports]\nplain = []\n",                                         "c.toml:2:9: ports.plain is an empty list, expected at least one value (or leave the key "
         "out)\n"
         "    plain = []\n"
         "            ^\n"                                                           },
        {"a server name twice",
         "[[server]]\nname = 'v'\naddresses = ['203.0.113.5']\n"
         "[[server]]\nname = 'v'\naddresses = ['203.0.113.6']\n",         "c.toml:5:8: server \"v\" is defined twice, first at c.toml:1:1\n"
         "    name = 'v'\n"
         "           ^\n"                            },
        {"servers that overlap",
         "[[server]]\nname = 'a'\naddresses = ['203.0.113.0/24']\n"
         "[[server]]\nname = 'b'\naddresses = ['203.0.113.6']\n",         "c.toml:4:1: server \"b\" overlaps server \"a\" (c.toml:1:1): both have 203.0.113.6/32\n"
         "    [[server]]\n"
         "    ^\n"                                   },
        {"the reserved server name",
         "[[server]]\nname = 'unlisted'\naddresses = ['203.0.113.5']\n",  "c.toml:2:8: server.name is \"unlisted\", expected another name: this one is for servers "
         "not configured\n"
         "    name = 'unlisted'\n"
         "           ^\n"                     },
        {"half a mark",
         "mark = { mask = 1 }\n",                                         "c.toml:1:8: mark needs both value and mask\n"
         "    mark = { mask = 1 }\n"
         "           ^\n"                                                            },
        {"a mark beyond its mask",
         "mark = { value = 3, mask = 1 }\n",                              "c.toml:1:18: mark.value sets bits that mark.mask does not cover\n"
         "    mark = { value = 3, mask = 1 }\n"
         "                     ^\n"                                       },
        {"no port",
         "[metrics]\nlisten = '127.0.0.1'\n",                             "c.toml:2:10: metrics.listen is \"127.0.0.1\", expected an address and a port, like "
         "\"127.0.0.1:9786\" or \"[::1]:9786\"\n"
         "    listen = '127.0.0.1'\n"
         "             ^\n"                                              },
        {"more held than the queue keeps",
         "[limits]\ntable_packets = 8192\n",                              "c.toml:2:17: limits.table_packets 8192 must be less than queue.max_length 8192: held "
         "packets wait in the kernel's queue\n"
         "    table_packets = 8192\n"
         "                    ^\n"                                        },
        {"a port of both kinds",
         "[ports]\nplain = [500, 4500]\n",                                "c.toml:2:9: port 4500 is in both ports.plain and ports.marked\n"
         "    plain = [500, 4500]\n"
         "            ^\n"                                                  },
        {"a relative path",
         "[control]\nsocket = 'run/c.sock'\n",                            "c.toml:2:10: control.socket is \"run/c.sock\", expected an absolute path of at most 107 "
         "letters, without spaces and \"..\"\n"
         "    socket = 'run/c.sock'\n"
         "             ^\n"                                             },
        {"hostile bytes are shown, not sent",
         "mode = \"\\u001b[2J\" # \xc3\xa9\n",                            "c.toml:1:8: mode is \"\\x1b[2J\", expected one of \"observe\", \"guard\", \"exclusive\"\n"
         "    mode = \"\\u001b[2J\" # \\xc3\\xa9\n"
         "           ^\n"                                               },
        {"a letter that is not ASCII",
         "mode = \"gu\xc3\xa4rd\"\n",                                     "c.toml:1:11: a letter that is not ASCII outside of a comment\n"
         "    mode = \"gu\\xc3\\xa4rd\"\n"
         "              ^\n"                                                     },
        {"all mistakes, in order of place",
         "[queue]\ncount = 0\nfirst = -1\n",                              "c.toml:2:9: queue.count is 0, expected an integer 1..16\n"
         "    count = 0\n"
         "            ^\n"
         "c.toml:3:9: queue.first is -1, expected an integer 0..65535\n"
         "    first = -1\n"
         "            ^\n"                                                },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(complaint(c.text) == c.expected);
        }
}

TEST_CASE("rules: every mistake names its place and what to do", "[config]") {
    const Case cases[] = {
        {"no name",
         "[[rule]]\naction = 'pass'\n",                                                             "r.toml:1:1: rule needs a name\n    [[rule]]\n    ^\n"                       },
        {"no action",
         "[[rule]]\nname = 'a'\n",                                                                  "r.toml:1:1: rule needs an action\n    [[rule]]\n    ^\n"                    },
        {"unknown key",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { peeer = ['10.0.0.0/8'] }\n",             "r.toml:4:11: unknown key \"peeer\" in match; did you mean \"peer\"?\n"
         "    match = { peeer = ['10.0.0.0/8'] }\n"
         "              ^\n"                                                              },
        {"unknown action",
         "[[rule]]\nname = 'a'\naction = 'accept'\n",                                               "r.toml:3:10: action is \"accept\", expected one of \"pass\", \"reassemble\", \"leave\", "
         "\"drop\"\n"
         "    action = 'accept'\n"
         "             ^\n"                                                                                                 },
        {"something else in a rule file",
         "mode = 'guard'\n",                                                                        "r.toml:1:1: unknown key \"mode\" in a rule file; expected one of \"rule\"\n"
         "    mode = 'guard'\n"
         "    ^\n"                                                                                                                                   },
        {"a name twice",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch.class = 'ike'\n"
         "[[rule]]\nname = 'a'\naction = 'leave'\nmatch.class = 'esp'\n",                           "r.toml:6:8: rule \"a\" is defined twice, first at r.toml:1:1\n"
         "    name = 'a'\n           ^\n"                                                               },
        {"no such server",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch.server = ['vnp1']\n",                        "r.toml:4:16: rule \"a\": there is no server \"vnp1\"; did you mean \"vpn1\"?\n"
         "    match.server = ['vnp1']\n                   ^\n"                                       },
        {"shadowed",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch.class = 'ike'\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\n"
         "match = { class = 'ike', peer = ['10.0.0.0/8'] }\n",                                      "r.toml:5:1: rule \"b\" can never match: \"a\" (r.toml:1:1) takes all it would\n"
         "    [[rule]]\n    ^\n"                                                                                   },
        {"shadowed by two together",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { class = 'ike', family = 'ipv4' }\n"
         "[[rule]]\nname = 'b'\naction = 'pass'\nmatch = { class = 'ike', family = 'ipv6' }\n"
         "[[rule]]\nname = 'c'\naction = 'drop'\nmatch = { class = 'ike' }\n",                      "r.toml:9:1: rule \"c\" can never match: \"a\" (r.toml:1:1) and \"b\" (r.toml:5:1) take "
         "all "
         "it would\n"
         "    [[rule]]\n    ^\n"                                                                   },
        {"a class of another protocol",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { class = 'ike', protocol = 50 }\n",       "r.toml:4:9: rule \"a\" can never match: protocol 50 is never of class \"ike\"\n"
         "    match = { class = 'ike', protocol = 50 }\n            ^\n"            },
        {"a server of the other family",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { server = ['vpn2'], family = 'ipv4' }\n", "r.toml:4:9: rule \"a\" can never match: its family, peer and server have no IP version "
         "in "
         "common\n"
         "    match = { server = ['vpn2'], family = 'ipv4' }\n            ^\n"},
        {"a transition that IPv4 has not",
         "[[rule]]\nname = 'a'\naction = 'pass'\n"
         "match = { transition = ['teredo'], family = 'ipv4' }\n",                                  "r.toml:4:9: rule \"a\" can never match: no peer address it allows has that transition "
         "technology\n"
         "    match = { transition = ['teredo'], family = 'ipv4' }\n            ^\n"                           },
        {"IP-HTTPS without prefixes",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { transition = ['iphttps'] }\n",           "r.toml:4:9: rule \"a\" can never match: no prefix is configured as [transition] iphttps\n"
         "    match = { transition = ['iphttps'] }\n            ^\n"                    },
        {"limits that contradict",
         "[[rule]]\nname = 'a'\naction = 'pass'\n"
         "limits = { max_fragments = 4000 }\n",                                                     "r.toml:4:28: rule \"a\": max_fragments 4000 is more than limits.table_packets 768\n"
         "    limits = { max_fragments = 4000 }\n"
         "                               ^\n"                                                                                     },
        {"unknown protocol",
         "[[rule]]\nname = 'a'\naction = 'leave'\nmatch.protocol = 'epp'\n",                        "r.toml:4:18: match.protocol is \"epp\", expected one of \"icmp\", \"ipip\", \"tcp\", "
         "\"udp\", "
         "\"ipv6\", \"gre\", \"esp\", \"ah\", \"ipv6-icmp\", \"ospf\", \"sctp\", \"udplite\"; did "
         "you "
         "mean \"esp\"?\n"
         "    match.protocol = 'epp'\n"
         "                     ^\n"                                                                  },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(rule_complaint(c.text) == c.expected);
        }
}

TEST_CASE("config: a mistake names all that may stand there, and nothing that may not",
          "[config]") {
    CHECK(rule_complaint("[[rule]]\nname = 'a'\nacton = 'pass'\n") ==
          "r.toml:3:1: unknown key \"acton\"; did you mean \"action\"?\n"
          "    acton = 'pass'\n    ^\n");
    CHECK(rule_complaint("[[rule]]\nname = 'a'\naction = 'PASS'\n") ==
          "r.toml:3:10: action is \"PASS\", expected one of \"pass\", \"reassemble\", \"leave\", "
          "\"drop\"; did you mean \"pass\"?\n"
          "    action = 'PASS'\n             ^\n");
    CHECK(complaint("[[server]]\nname = 'v'\naddresses = []\n") ==
          "c.toml:3:13: server.addresses is an empty list, expected at least one value\n"
          "    addresses = []\n                ^\n");
    CHECK(complaint("[metrics]\nlisten = 3\n") ==
          "c.toml:2:10: metrics.listen is 3, expected \"ADDRESS:PORT\", a list of them, or \"\"\n"
          "    listen = 3\n             ^\n");
    CHECK(complaint("[events]\nfile = \"stdout\"\n") ==
          "c.toml:2:8: events.file is \"stdout\", expected \"stderr\" or an absolute path\n"
          "    file = \"stdout\"\n           ^\n");
}

TEST_CASE("rules: a rule that still has something to match is no mistake", "[config]") {
    const Case cases[] = {
        {"narrower before wider",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { class = 'ike', peer = ['10.0.0.0/8'] }\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\nmatch = { class = 'ike' }\n",                ""},
        {"the other interface",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { interface = ['eth0'] }\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\nmatch = { interface = ['eth0', 'eth1'] }\n", ""},
        {"servers that are not configured are left",
         "[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { server = ['vpn1', 'vpn2'] }\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\nmatch = { class = 'ike' }\n",                ""},
        {"AH is left of class esp",
         "[[rule]]\nname = 'a'\naction = 'leave'\nmatch = { protocol = 'esp' }\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\nmatch = { class = 'esp' }\n",                ""},
        {"half a prefix is left",
         "[[rule]]\nname = 'a'\naction = 'leave'\nmatch = { peer = ['10.0.0.0/9'] }\n"
         "[[rule]]\nname = 'b'\naction = 'drop'\nmatch = { peer = ['10.0.0.0/8'] }\n",        ""},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(rule_complaint(c.text) == "fine");
        }
}

TEST_CASE("rules: what is shadowed from another file is told how to come first", "[config]") {
    const TextFile first{"00-default.toml", "[[rule]]\nname = 'ike'\naction = 'pass'\n"};
    const TextFile second{"10-mine.toml", "[[rule]]\nname = 'mine'\naction = 'drop'\n"};
    CHECK(
        complaint("", {first, second}) ==
        "10-mine.toml:1:1: rule \"mine\" can never match: \"ike\" (00-default.toml:1:1) takes all "
        "it would; put it into a file that sorts before that one\n"
        "    [[rule]]\n    ^\n");
}

TEST_CASE("rules: the shipped ones may be overridden whole", "[config]") {
    const TextFile mine{"/etc/rules.d/00-before.toml",
                        "[[rule]]\nname = 'mine'\naction = 'drop'\nmatch.class = 'ike'\n"};
    const TextFile shipped{"/etc/rules.d/00-default.toml", std::string(shipped_rules())};
    CHECK(complaint("", {mine, shipped}) == "fine");
}

TEST_CASE("config: an empty file gives the documented defaults", "[config]") {
    const auto config = sound("");
    const auto& policy = *config.policy;
    CHECK(policy.mode == Mode::observe);
    CHECK(policy.servers.empty());
    CHECK(policy.ports.plain == std::vector<std::uint16_t>{500});
    CHECK(policy.ports.marked == std::vector<std::uint16_t>{4500});
    CHECK(policy.iphttps.empty());
    CHECK(policy.nat64.empty());
    CHECK(policy.allowed_protocols == std::vector<std::uint8_t>{50, 51});
    const auto& limits = policy.limits;
    CHECK(limits.hold_seconds == 5);
    CHECK(limits.max_datagram_bytes == 16'384);
    CHECK(limits.max_fragments == 32);
    CHECK(limits.min_first_bytes == 40);
    CHECK(limits.min_nonlast_bytes == 8);
    CHECK(limits.source_datagrams == 8);
    CHECK(limits.source_packets == 64);
    CHECK(limits.source_bytes == 65'536);
    CHECK(limits.table_datagrams == 512);
    CHECK(limits.table_packets == 768);
    CHECK(limits.table_bytes == 8'388'608);
    const auto& settings = config.settings;
    CHECK(settings.queue == QueueOptions{500, 2, 8192, true, true});
    CHECK_FALSE(settings.mark);
    CHECK(settings.copy_group == 500);
    REQUIRE(settings.metrics_listen.size() == 1);
    CHECK(to_string(settings.metrics_listen[0].address) == "127.0.0.1");
    CHECK(settings.metrics_listen[0].port == 9786);
    CHECK_FALSE(settings.mask_addresses);
    CHECK(settings.keep_days == 90);
    CHECK(settings.events == EventOptions{"stderr", EventOptions::Format::json});
    CHECK(settings.capture == CaptureOptions{false, 16'777'216, 300, 1'048'576, 100, 14});
    CHECK(settings.control_socket == "/run/ikefragd/control.sock");
    CHECK(settings.state_directory == "/var/lib/ikefragd");
}

TEST_CASE("config: the defaults that manual and help tell, key by key", "[config]") {
    const std::string expected = R"(mode = "observe"
mark.value = 0
mark.mask = 0
[[server]].addresses = []
[[server]].inside = []
[queue].first = 500
[queue].count = 2
[queue].max_length = 8192
[queue].fail_open = true
[queue].manage_nft = true
[metrics].listen = "127.0.0.1:9786"
[ports].plain = [500]
[ports].marked = [4500]
[copy].group = 500
[limits].hold_seconds = 5
[limits].max_datagram_bytes = 16384
[limits].max_fragments = 32
[limits].min_first_bytes = 40
[limits].min_nonlast_bytes = 8
[limits].source_datagrams = 8
[limits].source_packets = 64
[limits].source_bytes = 65536
[limits].table_datagrams = 512
[limits].table_packets = 768
[limits].table_bytes = 8388608
[transition].iphttps = []
[transition].nat64 = []
[privacy].mask = false
[peers].keep_days = 90
[events].file = "stderr"
[events].format = "json"
[capture].enabled = false
[capture].ring_bytes = 16777216
[capture].ring_seconds = 300
[capture].file_bytes = 1048576
[capture].files = 100
[capture].keep_days = 14
[control].socket = "/run/ikefragd/control.sock"
[state].directory = "/var/lib/ikefragd"
)";
    std::string told;
    for (const auto& field : config_fields())
        if (!field.default_value.empty())
            told += field.section + (field.section.empty() ? "" : ".") + field.key + " = " +
                    field.default_value + '\n';
    CHECK(told == expected);
}

TEST_CASE("config: every key has an effect", "[config]") {
    struct Effect {
        std::string text;
        std::function<bool(const Config&)> shows;
    };
    std::vector<Effect> effects;
    const auto effect = [&](std::string text, std::function<bool(const Config&)> shows) {
        effects.push_back({std::move(text), std::move(shows)});
    };
    effect("mode = 'exclusive'", [](auto& c) { return c.policy->mode == Mode::exclusive; });
    effect("mark = { value = 0x10, mask = 0xf0 }", [](auto& c) {
        return c.settings.mark == MarkOptions{0x10, 0xf0};
    });
    effect("server = [{ name = 'v', addresses = ['203.0.113.5'], inside = ['10.0.0.5'] }]",
           [](auto& c) {
               const auto& server = c.policy->servers.at(0);
               return server.name == "v" && to_string(server.addresses.at(0)) == "203.0.113.5/32" &&
                      to_string(server.inside.at(0)) == "10.0.0.5/32";
           });
    effect("queue.first = 7", [](auto& c) { return c.settings.queue.first == 7; });
    effect("queue.count = 3", [](auto& c) { return c.settings.queue.count == 3; });
    effect("queue.max_length = 2048", [](auto& c) { return c.settings.queue.max_length == 2048; });
    effect("queue.fail_open = false", [](auto& c) { return !c.settings.queue.fail_open; });
    effect("queue.manage_nft = false", [](auto& c) { return !c.settings.queue.manage_nft; });
    effect("metrics.listen = '[::1]:1'",
           [](auto& c) { return c.settings.metrics_listen.at(0).port == 1; });
    effect("metrics.listen = ['127.0.0.1:1', '[::1]:2']",
           [](auto& c) { return c.settings.metrics_listen.size() == 2; });
    effect("metrics.listen = ''", [](auto& c) { return c.settings.metrics_listen.empty(); });
    effect("ports.plain = [500, 501]", [](auto& c) { return c.policy->is_plain_port(501); });
    effect("ports.marked = [4501]", [](auto& c) { return c.policy->ports.marked.at(0) == 4501; });
    effect("copy.group = 9", [](auto& c) { return c.settings.copy_group == 9; });
    effect("limits.hold_seconds = 9", [](auto& c) { return c.policy->limits.hold_seconds == 9; });
    effect("limits.max_datagram_bytes = 9000",
           [](auto& c) { return c.policy->limits.max_datagram_bytes == 9000; });
    effect("limits.max_fragments = 9", [](auto& c) { return c.policy->limits.max_fragments == 9; });
    effect("limits.min_first_bytes = 9",
           [](auto& c) { return c.policy->limits.min_first_bytes == 9; });
    effect("limits.min_nonlast_bytes = 9",
           [](auto& c) { return c.policy->limits.min_nonlast_bytes == 9; });
    effect("limits.source_datagrams = 9",
           [](auto& c) { return c.policy->limits.source_datagrams == 9; });
    effect("limits.source_packets = 9",
           [](auto& c) { return c.policy->limits.source_packets == 9; });
    effect("limits.source_bytes = 9000",
           [](auto& c) { return c.policy->limits.source_bytes == 9000; });
    effect("limits.table_datagrams = 9",
           [](auto& c) { return c.policy->limits.table_datagrams == 9; });
    effect("limits.table_packets = 9", [](auto& c) { return c.policy->limits.table_packets == 9; });
    effect("limits.table_bytes = 90000",
           [](auto& c) { return c.policy->limits.table_bytes == 90000; });
    effect("transition.iphttps = ['2001:db8::/64']",
           [](auto& c) { return c.policy->iphttps.size() == 1; });
    effect("transition.nat64 = ['2001:db8::/96']",
           [](auto& c) { return c.policy->nat64.size() == 1; });
    effect("privacy.mask = true", [](auto& c) { return c.settings.mask_addresses; });
    effect("peers.keep_days = 9", [](auto& c) { return c.settings.keep_days == 9; });
    effect("capture.enabled = true", [](auto& c) { return c.settings.capture.enabled; });
    effect("capture.ring_bytes = 2000000",
           [](auto& c) { return c.settings.capture.ring_bytes == 2'000'000; });
    effect("capture.ring_seconds = 60",
           [](auto& c) { return c.settings.capture.ring_seconds == 60; });
    effect("capture.file_bytes = 70000",
           [](auto& c) { return c.settings.capture.file_bytes == 70'000; });
    effect("capture.files = 5", [](auto& c) { return c.settings.capture.files == 5; });
    effect("capture.keep_days = 3", [](auto& c) { return c.settings.capture.keep_days == 3; });
    effect("events.file = '/e'", [](auto& c) { return c.settings.events.file == "/e"; });
    effect("events.format = 'text'",
           [](auto& c) { return c.settings.events.format == EventOptions::Format::text; });
    effect("control.socket = '/c'", [](auto& c) { return c.settings.control_socket == "/c"; });
    effect("state.directory = '/s'", [](auto& c) { return c.settings.state_directory == "/s"; });
    std::string all;
    for (const auto& [text, shows] : effects) {
        CAPTURE(text);
        const auto config = sound(text);
        CHECK(shows(config));
        CHECK_FALSE(config.hash == sound("").hash);
        all += text + '\n';
    }
    for (const auto& field : config_fields()) {
        CAPTURE(field.section, field.key);
        CHECK(all.find(field.key) != std::string::npos);
        CHECK_FALSE(field.doc.empty());
        CHECK_FALSE(field.type.empty());
    }
}

TEST_CASE("config: a default printed as help is read back as the default", "[config]") {
    for (const auto& field : config_fields()) {
        if (field.default_value.empty() || field.section == "[[server]]" || field.section == "mark")
            continue;
        if (field.default_value == "[]") continue; // "none": an empty list is not written
        CAPTURE(field.section, field.key, field.default_value);
        const auto config =
            sound(field.section + '\n' + field.key + " = " + field.default_value + '\n');
        CHECK(config.settings.queue == QueueOptions{});
        CHECK(config.settings.events == EventOptions{});
        CHECK(config.settings.metrics_listen == Settings{}.metrics_listen);
        CHECK(config.policy->mode == Mode::observe);
    }
}

TEST_CASE("rules: every key has an effect", "[config]") {
    const auto rule = [](const std::string& more) {
        return sound("[[server]]\nname = 'v'\naddresses = ['2001:db8::5', '203.0.113.5']\n",
                     {
                         {"r", "[[rule]]\nname = 'r'\naction = 'reassemble'\n" + more}
        })
            .policy->rules.at(0);
    };
    CHECK(rule("").name == "r");
    CHECK(rule("").action == Action::reassemble);
    CHECK(rule("dry_run = true").dry_run);
    CHECK(rule("match.class = 'ike'").match.packet_class == PacketClass::ike);
    CHECK(rule("match.server = ['v']").match.server == std::vector<std::string>{"v"});
    CHECK(to_string(rule("match.peer = ['10.0.0.0/8']").match.peer.at(0)) == "10.0.0.0/8");
    CHECK(rule("match.direction = 'to_peer'").match.direction == Direction::to_peer);
    CHECK(rule("match.family = 'ipv6'").match.family == Family::ipv6);
    CHECK(rule("match.protocol = 47").match.protocol == 47);
    CHECK(rule("match.protocol = 'gre'").match.protocol == 47);
    CHECK(rule("match.interface = ['eth0']").match.interface == std::vector<std::string>{"eth0"});
    CHECK(rule("match.transition = ['6to4']").match.transition.at(0) == Transition::six_to_four);
    CHECK(rule("limits.hold_seconds = 9").limits.hold_seconds == 9u);
    CHECK(rule("limits.max_datagram_bytes = 9000").limits.max_datagram_bytes == 9000u);
    CHECK(rule("limits.max_fragments = 9").limits.max_fragments == 9u);
    CHECK(rule("limits.min_first_bytes = 9").limits.min_first_bytes == 9u);
    CHECK(rule("limits.min_nonlast_bytes = 9").limits.min_nonlast_bytes == 9u);
}

TEST_CASE("rules: the protocols that exclusive leaves alone come from the rules", "[config]") {
    const auto allowed = [](const std::string& rules) {
        return sound("",
                     {
                         {"r", rules}
        })
            .policy->allowed_protocols;
    };
    using List = std::vector<std::uint8_t>;
    CHECK(allowed("[[rule]]\nname = 'a'\naction = 'pass'\nmatch.class = 'ike'\n").empty());
    CHECK(allowed("[[rule]]\nname = 'a'\naction = 'leave'\nmatch.protocol = 'gre'\n") == List{47});
    CHECK(allowed("[[rule]]\nname = 'a'\naction = 'drop'\nmatch.protocol = 'ah'\n"
                  "[[rule]]\nname = 'b'\naction = 'leave'\nmatch.class = 'esp'\n") == List{50});
    CHECK(allowed("[[rule]]\nname = 'a'\naction = 'drop'\ndry_run = true\nmatch.protocol = 1\n") ==
          List{1});
    CHECK(allowed("[[rule]]\nname = 'a'\naction = 'leave'\n").size() == 255);
}

TEST_CASE("rules: told where the kernel cannot test what a rule asks", "[config]") {
    const auto notes = [](const std::string& rules) {
        std::string text;
        for (const auto& note : sound("[[server]]\nname = 'v'\naddresses = ['203.0.113.5']\n",
                                      {
                                          {"r", rules}
        })
                                    .notes)
            text += first_line(note) + '\n';
        return text;
    };
    const std::string gre = "[[rule]]\nname = 'g'\naction = 'leave'\nmatch = { protocol = 'gre'";
    CHECK(notes(gre + " }\n").empty());
    CHECK(notes(gre + ", peer = ['10.0.0.0/8'] }\n") ==
          "r:1:1: rule \"g\": in mode exclusive the kernel decides fragments of IP protocol 47 by "
          "protocol alone; this rule lets them through for everybody, whatever else it tests\n");
    for (const auto* test : {"server = ['v']",
                             "direction = 'to_peer'",
                             "family = 'ipv4'",
                             "interface = ['lan']",
                             "transition = ['native']"}) {
        CAPTURE(test);
        CHECK_FALSE(notes(gre + ", " + test + " }\n").empty());
    }
    // Not of IKE, which is queued and tested; nor where an earlier rule has decided for all.
    CHECK(notes("[[rule]]\nname = 'a'\naction = 'pass'\nmatch = { class = 'ike', peer = "
                "['10.0.0.0/8'] }\n")
              .empty());
    CHECK(notes("[[rule]]\nname = 'a'\naction = 'drop'\nmatch.protocol = 'sctp'\n" + gre + " }\n")
              .empty());
    // A drop with conditions behind which somebody lets through.
    CHECK(notes("[[rule]]\nname = 'd'\naction = 'drop'\nmatch = { protocol = 'gre', peer = "
                "['10.0.0.0/8'] }\n" +
                gre + " }\n") ==
          "r:1:1: rule \"d\": in mode exclusive the kernel decides fragments of IP protocol 47 by "
          "protocol alone; this rule does not drop them, as another one lets them through\n");
    CHECK(notes("[[rule]]\nname = 'w'\naction = 'leave'\nmatch = { peer = ['10.0.0.0/8'] }\n")
              .find("every protocol but UDP") != std::string::npos);
}

TEST_CASE("rules: told where IPv6 is asked to be reassembled, said or not", "[config]") {
    const auto told = [](const std::string& servers, const std::string& match) {
        const auto notes =
            sound(servers,
                  {
                      {"r",
                       "[[rule]]\nname = 'a'\naction = 'reassemble'\nmatch = { class "
                       "= 'ike'" +
                           match + " }\n"}
        })
                .notes;
        REQUIRE(notes.size() <= 1);
        return !notes.empty() && first_line(notes[0]) ==
                                     "r:1:1: rule \"a\": IPv6 cannot be reassembled on the way; it "
                                     "is passed, fragments first to last";
    };
    const std::string one = "[[server]]\nname = 'four'\naddresses = ['203.0.113.5']\n";
    const std::string both = one + "[[server]]\nname = 'six'\naddresses = ['2001:db8::5']\n";
    CHECK(told(both, ", family = 'ipv6'"));
    CHECK(told(both, ""));
    CHECK(told("", ""));
    CHECK(told(both, ", server = ['six']"));
    CHECK(told(both, ", peer = ['10.0.0.0/8', '2001:db8:1::/48']"));
    CHECK_FALSE(told(both, ", family = 'ipv4'"));
    CHECK_FALSE(told(both, ", server = ['four']"));
    CHECK_FALSE(told(both, ", peer = ['10.0.0.0/8']"));
    CHECK(told(one, ", family = 'ipv6'"));
    CHECK_FALSE(told(one, ""));
}

TEST_CASE("rules: told where the kernel drops or lets through UDP, whatever a rule says",
          "[config]") {
    const auto notes = [](const std::string& rules) {
        std::string text;
        for (const auto& note : sound("",
                                      {
                                          {"r", rules}
        })
                                    .notes)
            text += first_line(note) + '\n';
        return text;
    };
    const auto rule = [](const std::string& name, const std::string& action, const char* match) {
        return "[[rule]]\nname = '" + name + "'\naction = '" + action + "'\nmatch = { " + match +
               " }\n";
    };
    const auto esp = [](const std::string& what) {
        return "in mode exclusive the kernel decides fragments of ESP in UDP by their ports "
               "alone; this rule " +
               what + '\n';
    };
    const char* const any = "class = 'esp_in_udp'";
    const char* const some = "class = 'esp_in_udp', peer = ['10.0.0.0/8']";
    CHECK(notes(rule("a", "leave", any)).empty());
    CHECK(notes(rule("a", "drop", any)).empty());
    CHECK(notes(rule("a", "drop", some)).empty());
    CHECK(notes(rule("a", "drop", some) + rule("b", "drop", any)).empty());
    CHECK(notes(rule("a", "leave", some)) ==
          "r:1:1: rule \"a\": " + esp("lets them through for everybody, whatever else it tests"));
    CHECK(notes(rule("a", "drop", some) + rule("b", "leave", any)) ==
          "r:1:1: rule \"a\": " + esp("does not drop them, as another one lets them through"));
    CHECK(notes(rule("a", "drop", any) + rule("b", "leave", "class = 'ike'")).empty());
    // What is neither IKE nor ESP never passes.
    const std::string other = "in mode exclusive the kernel drops fragments of UDP that is neither "
                              "IKE nor ESP; this rule does not let them through\n";
    CHECK(notes(rule("a", "leave", "class = 'other', protocol = 'udp'")) ==
          "r:1:1: rule \"a\": " + other);
    CHECK(notes(rule("a", "pass", "protocol = 'udp', direction = 'to_server'")).find(other) !=
          std::string::npos);
    CHECK(notes(rule("a", "drop", "class = 'other'")).empty());
    CHECK(notes(rule("a", "leave", "protocol = 'gre'")).empty());
}

TEST_CASE("config: the shipped files are right and are what the package installs", "[config]") {
    const auto config = sound(std::string(shipped_config()), {shipped_rule_file()});
    CHECK(config.policy->mode == Mode::observe);
    CHECK(config.settings.queue == QueueOptions{});
    CHECK(config.settings.events == EventOptions{});
    CHECK(config.settings.keep_days == Settings{}.keep_days);
    REQUIRE(config.policy->rules.size() == 4);
    CHECK(config.policy->rules[0].action == Action::pass);
    CHECK(config.policy->rules[0].match.packet_class == PacketClass::ike);
    for (std::size_t i = 1; i < 4; ++i) CHECK(config.policy->rules[i].action == Action::leave);
    CHECK(config.policy->allowed_protocols == std::vector<std::uint8_t>{50, 51});
}

TEST_CASE("config: no text makes the reader fail in another way than telling", "[config]") {
    // Every prefix of a text that uses much of the language, and random changes of it.
    const std::string text =
        "mode = \"guard\"\nmark = { value = 1, mask = 1 }\n[[server]]\nname = \"v\"\naddresses = "
        "[\"203.0.113.5\", \"2001:db8::5\"]\n[limits]\nhold_seconds = 5\n[[rule]]\nname = 'x'\n"
        "match = { class = 'ike', server = ['v'], peer = ['10.0.0.0/8'], transition = ['6to4'] }\n";
    for (std::size_t size = 0; size <= text.size(); ++size) {
        const TextFile cut{"cut", text.substr(0, size)};
        (void)parse_config(cut, std::vector{cut});
    }
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 5000; ++i) {
        auto changed = text;
        for (int j = 0; j < 3; ++j)
            changed[random() % changed.size()] = static_cast<char>(random() % 256);
        const TextFile file{"changed", changed};
        (void)parse_config(file, std::vector{file});
    }
}

TEST_CASE("config: nesting cannot exhaust the stack", "[config]") {
    std::string dots = "a";
    for (int i = 0; i < 5000; ++i) dots += ".a";
    CHECK(complaint(dots + " = 1\n").starts_with("c.toml:1:1: more than 64 dots in a line"));
    CHECK(complaint("[" + dots + "]\n").starts_with("c.toml:1:1: more than 64 dots in a line"));
    CHECK(complaint("a = " + std::string(100000, '[') + "\n").starts_with("c.toml:1:"));
    CHECK(complaint("# ......................................................................\n") ==
          "fine");
}

TEST_CASE("config: a key's control characters reach no terminal", "[config]") {
    const auto told = complaint(R"("a\tb\u001b[2J\u007f" = 1)");
    CHECK(
        told.starts_with(R"(c.toml:1:1: unknown key "a\u0009b\u001b[2J\u007f"; expected one of )"));
}
