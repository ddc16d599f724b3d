// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/rule_effect.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ikefrag;

namespace {

// Statements as nftables 1.0.6 prints them.
const std::string tail = R"({"match":{"op":"!=","left":{"&":[{"payload":{"protocol":"ip",)"
                         R"("field":"frag-off"}},8191]},"right":0}})";
const std::string raw_tail = R"({"match":{"op":"!=","left":{"&":[{"payload":{"base":"nh",)"
                             R"("offset":48,"len":16}},8191]},"right":0}})";
const std::string any_frag6 =
    R"({"match":{"op":"==","left":{"exthdr":{"name":"frag"}},"right":true}})";
const std::string tail6 = R"({"match":{"op":"!=","left":{"exthdr":{"name":"frag",)"
                          R"("field":"frag-off"}},"right":0}})";
const std::string next44 =
    R"({"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"nexthdr"}},"right":44}})";
const std::string marked =
    R"({"match":{"op":"==","left":{"&":[{"meta":{"key":"mark"}},1]},"right":1}})";
const std::string unmarked =
    R"({"match":{"op":"!=","left":{"&":[{"meta":{"key":"mark"}},1]},"right":1}})";
const std::string others_mark = R"({"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":5}})";
const std::string tcp = R"({"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":6}})";
const std::string udp =
    R"({"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":{"set":[6,17]}}})";
const std::string not_udp =
    R"({"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"protocol"}},"right":17}})";
const std::string ike_ports = R"({"match":{"op":"==","left":{"payload":{"protocol":"udp",)"
                              R"("field":"dport"}},"right":{"set":[500,4500]}}})";
const std::string from_ike = R"({"match":{"op":"==","left":{"payload":{"protocol":"udp",)"
                             R"("field":"sport"}},"right":{"range":[500,4500]}}})";
const std::string not_ike_port = R"({"match":{"op":"!=","left":{"payload":{"protocol":"th",)"
                                 R"("field":"dport"}},"right":{"set":[500,4500]}}})";
const std::string dns = R"({"match":{"op":"==","left":{"payload":{"protocol":"udp",)"
                        R"("field":"dport"}},"right":53}})";
const std::string port_set = R"({"match":{"op":"==","left":{"payload":{"protocol":"udp",)"
                             R"("field":"dport"}},"right":"@ports"}})";
const std::string port_and_address =
    R"({"match":{"op":"==","left":{"concat":[{"payload":{"protocol":"ip","field":"daddr"}},)"
    R"({"payload":{"protocol":"udp","field":"dport"}}]},"right":{"set":[{"concat":["10.0.0.5",500]}]}}})";
const std::string lan = R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lan"}})";
const std::string wan = R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"wan"}})";
const std::string not_wan =
    R"({"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"wan"}})";
const std::string loopback =
    R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lo"}})";
const std::string blocked = R"({"match":{"op":"==","left":{"payload":{"protocol":"ip",)"
                            R"("field":"saddr"}},"right":"@blocked"}})";
const std::string limit = R"({"limit":{"rate":10,"burst":5,"per":"second","inv":true}})";
const std::string known = R"({"match":{"op":"in","left":{"ct":{"key":"state"}},"right":[2,4]}})";
const std::string ports_map =
    R"({"vmap":{"key":{"payload":{"protocol":"udp","field":"dport"}},)"
    R"("data":{"set":[[500,{"accept":null}],[4500,{"jump":{"target":"sub"}}]]}}})";
const std::string xt_frag = R"({"xt":{"type":"match","name":"frag"}})";
const std::string xt_multiport = R"({"xt":{"type":"match","name":"multiport"}})";
const std::string xt_reject = R"({"xt":{"type":"target","name":"REJECT"}})";
const std::string xt_comment = R"({"xt":{"type":"match","name":"comment"}})";
const std::string xt_u32 = R"({"xt":{"type":"match","name":"u32"}})";
const std::string last_bits =
    R"({"match":{"op":"!=","left":{"payload":{"base":"nh","offset":51,"len":13}},"right":0}})";
const std::string last_bits_and_more =
    R"({"match":{"op":"!=","left":{"payload":{"base":"nh","offset":50,"len":14}},"right":0}})";
const std::string other_bits =
    R"({"match":{"op":"!=","left":{"payload":{"base":"nh","offset":51,"len":12}},"right":0}})";
const std::string tcp_syn = R"({"match":{"op":"==","left":{"&":[{"payload":{"protocol":"tcp",)"
                            R"("field":"flags"}},[1,2]]},"right":2}})";
const std::string source_limit =
    R"({"meter":{"key":{"payload":{"protocol":"ip","field":"saddr"}},"stmt":{"limit":{"rate":10,)"
    R"("burst":5,"per":"second"}},"size":65535,"name":"m"}})";
const std::string set_limit =
    R"({"set":{"op":"add","elem":{"payload":{"protocol":"ip","field":"saddr"}},"set":"@s",)"
    R"("stmt":[{"limit":{"rate":10,"burst":5,"per":"second"}}]}})";
const std::string set_counter =
    R"({"set":{"op":"add","elem":{"payload":{"protocol":"ip","field":"saddr"}},"set":"@s",)"
    R"("stmt":[{"counter":null}]}})";
const std::string zones = R"({"vmap":{"key":{"meta":{"key":"iifname"}},"data":"@zones"}})";
const std::string tcp_map =
    R"({"vmap":{"key":{"payload":{"protocol":"tcp","field":"dport"}},"data":"@services"}})";
const std::string set_mark = R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":5}})";
const std::string count = R"({"counter":{"packets":0,"bytes":0}})";
const std::string accept = R"({"accept":null})";
const std::string drop = R"({"drop":null})";
const std::string reject = R"({"reject":{"type":"icmpx","expr":3}})";
const std::string back = R"({"return":null})";
const std::string jump = R"({"jump":{"target":"sub"}})";
const std::string leave = R"({"goto":{"target":"sub"}})";

std::string to(const std::string& address) {
    return R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":)" +
           address + "}}";
}

using Rules = std::vector<std::vector<std::string>>; ///< each a list of statements

std::string from(const std::string& interface) {
    return R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":")" + interface +
           R"("}})";
}

struct Host {
    std::string family = "inet";
    std::string hook = "forward";
    int priority = 0;
    std::string policy = "accept";
    Rules base{};
    Rules sub{};
};

std::string rules_json(const Host& host, const std::string& chain, const Rules& rules) {
    std::string text;
    int handle = chain == "c" ? 10 : 20;
    for (const auto& rule : rules) {
        std::string statements;
        for (const auto& one : rule) statements += (statements.empty() ? "" : ",") + one;
        text += R"(,{"rule":{"family":")" + host.family + R"(","table":"fw","chain":")" + chain +
                R"(","handle":)" + std::to_string(handle++) + R"(,"expr":[)" + statements + "]}}";
    }
    return text;
}

ruleset::Ruleset rules_of(const Host& host) {
    return ruleset::read_nft_rules(
        R"({"nftables":[{"chain":{"family":")" + host.family +
            R"(","table":"fw","name":"c","handle":1,"type":"filter","hook":")" + host.hook +
            R"(","prio":)" + std::to_string(host.priority) + R"(,"policy":")" + host.policy +
            R"("}},{"chain":{"family":")" + host.family +
            R"(","table":"fw","name":"sub","handle":2}})" + rules_json(host, "c", host.base) +
            rules_json(host, "sub", host.sub) + "]}",
        {
            {"inet fw 10", "the first rule"}
    },
        "ikefragd");
}

IkeTraffic marking() {
    return {
        .servers = {*parse_prefix("10.0.0.5"), *parse_prefix("2001:db8::5")},
        .mark = PacketMark{1,                         1                           }
    };
}

/// "4" and "6" for the families, "?" behind them where it is not sure; "d" by default; "not"
/// before a chain that is not judged.
std::string told(const DropsFound& drops) {
    std::string text;
    const auto last = [](const std::string& where) { return where.substr(where.rfind(' ') + 1); };
    for (const auto& rule : drops.found) {
        text += text.empty() ? "" : " ";
        text += last(rule.where) + ":";
        text += rule.ipv4 ? "4" : "";
        text += rule.ipv6 ? "6" : "";
        text += rule.surely ? "" : "?";
        text += rule.by_default ? "d" : "";
    }
    for (const auto& place : drops.not_judged)
        text += (text.empty() ? "not " : " not ") + last(place);
    return text;
}

} // namespace

TEST_CASE("rule effect: rules that drop fragments of IKE", "[kernel][rules]") {
    struct Case {
        std::string name;
        std::string drops;
        Host host;
    };
    // clang-format off
    const Case cases[] = {
        {"IPv4's later fragments",         "c:4",    {.base = {{tail, count, drop}}}},
        {"refused",                        "c:4",    {.base = {{tail, reject}}}},
        {"refused by iptables' target",    "c:4",    {.base = {{tail, count, xt_reject}}}},
        {"by raw octets",                  "c:4",    {.base = {{raw_tail, drop}}}},
        {"IPv6's",                         "c:6",    {.base = {{any_frag6, drop}}}},
        {"IPv6's later ones",              "c:6",    {.base = {{tail6, drop}}}},
        {"by the next header",             "c:6",    {.base = {{next44, drop}}}},
        {"by an extension of iptables",    "c:6?",   {.family = "ip6", .base = {{xt_frag, count, drop}}}},
        {"counted only",                   "",       {.base = {{tail, count}}}},
        {"accepted",                       "",       {.base = {{tail, accept}}, .sub = {{drop}}}},
        {"not for this family",            "",       {.family = "ip6", .base = {{tail, drop}}}},
        {"for this host itself",           "",       {.hook = "input", .base = {{tail, drop}}}},
        {"IPv6 for this host: in pieces",  "c:6",    {.hook = "input", .base = {{any_frag6, drop}}}},
        // (a) chains
        {"a chain that nobody calls",      "",       {.sub = {{tail, drop}}}},
        {"a chain that is called",         "sub:4",  {.base = {{udp, jump}}, .sub = {{tail, drop}}}},
        {"called for TCP only",            "",       {.base = {{tcp, jump}}, .sub = {{tail, drop}}}},
        {"called for fragments",           "sub:4",  {.base = {{tail, jump}}, .sub = {{drop}}}},
        {"it returns before",              "",       {.base = {{jump}}, .sub = {{tail, back}, {tail, drop}}}},
        {"and then goes on",               "c:4",    {.base = {{jump}, {tail, drop}}, .sub = {{tail, back}}}},
        {"goto does not come back",        "",       {.base = {{leave}, {tail, drop}}}},
        {"a chain that calls itself",      "",       {.base = {{jump}}, .sub = {{jump}}}},
        // (b) exemptions
        {"our mark is accepted before",    "",       {.base = {{marked, accept}, {tail, drop}, {any_frag6, drop}}}},
        {"all but our mark",               "",       {.base = {{tail, unmarked, drop}}}},
        {"our mark, too late",             "c:4",    {.base = {{tail, drop}, {marked, accept}}}},
        {"before us nothing has it",       "c:4",    {.hook = "prerouting", .priority = -460, .base = {{tail, unmarked, drop}}}},
        {"a server is accepted before",    "c:4?",   {.base = {{to(R"("10.0.0.5")"), accept}, {tail, drop}}}}, // its answers are not
        // (c) what is no IKE
        {"TCP's",                          "",       {.base = {{tcp, tail, drop}}}},
        {"all but UDP's",                  "",       {.base = {{not_udp, tail, drop}}}},
        {"DNS's, where fragments have no ports", "", {.base = {{dns, tail, drop}}}},
        {"all ports but IKE's",            "",       {.base = {{not_ike_port, drop}}}},
        {"of loopback",                    "",       {.base = {{loopback, tail, drop}}}},
        {"to the server",                  "c:4",   {.base = {{to(R"({"prefix":{"addr":"10.0.0.0","len":8}})"), tail, drop}}}},
        // what is not known
        {"of one interface",               "c:4?",   {.base = {{lan, tail, drop}}}},
        {"some of them",                   "c:4?",   {.base = {{tail, limit, drop}}}},
        {"a blocked source, whole or not", "",       {.base = {{blocked, drop}}}},
        {"a limit, for whole or not",      "",       {.base = {{limit, drop}}}},
        {"marks that others set",          "c:4?",   {.base = {{set_mark}, {tail, R"({"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":5}})", drop}}}},
        // default drop
        {"IKE by its ports, and no more",  "c:46d",  {.policy = "drop", .base = {{ike_ports, accept}, {from_ike, accept}}}},
        {"the same as a last rule",        "c:46d",  {.base = {{udp, ike_ports, accept}, {drop}}}},
        {"what is known, too",             "c:46d",  {.policy = "drop", .base = {{known, accept}, {ike_ports, accept}}}},
        {"ports in a set",                 "c:46d",  {.policy = "drop", .base = {{port_set, accept}}}},
        {"ports with an address",          "c:4d",   {.policy = "drop", .base = {{port_and_address, accept}}}},
        {"ports in a verdict map",         "c:46d",  {.policy = "drop", .base = {{ports_map}}, .sub = {{accept}}}},
        {"ports in iptables' multiport",   "c:4d",   {.family = "ip", .policy = "drop", .base = {{udp, xt_multiport, count, accept}}}},
        {"another interface is accepted",  "c:46?d", {.policy = "drop", .base = {{lan, accept}, {ike_ports, accept}}}},
        {"IKE is not accepted either",     "",       {.policy = "drop", .base = {{dns, accept}}}},
        {"our mark is accepted",           "",       {.policy = "drop", .base = {{marked, accept}, {ike_ports, accept}}}},
        {"fragments are accepted",         "c:6d",   {.policy = "drop", .base = {{tail, accept}, {ike_ports, accept}}}},
        {"all of UDP is accepted",         "",       {.policy = "drop", .base = {{udp, accept}}}},
        {"the same in a chain",            "sub:46d", {.base = {{ike_ports, accept}, {jump}}, .sub = {{drop}}}},
        // one answer in all rules
        {"ports and fragments of one interface", "", {.family = "ip", .policy = "drop", .base = {{wan, ike_ports, accept}, {wan, udp, tail, accept}, {lan, accept}}}},
        {"ports and our mark of one interface",  "", {.policy = "drop", .base = {{wan, ike_ports, accept}, {wan, marked, accept}, {lan, accept}}}},
        {"all others are dropped",         "",       {.family = "ip", .policy = "drop", .base = {{wan, ike_ports, accept}, {not_wan, drop}, {tail, accept}}}},
        {"ports and fragments of two",     "c:4?d",  {.family = "ip", .policy = "drop", .base = {{wan, ike_ports, accept}, {lan, tail, accept}}}},
        {"within one limit each",          "c:4?d",  {.family = "ip", .policy = "drop", .base = {{limit, ike_ports, accept}, {limit, tail, accept}}}},
        {"what others' marks exempt",      "c:4?d",  {.family = "ip", .policy = "drop", .base = {{others_mark, ike_ports, accept}, {set_mark}, {others_mark, tail, accept}}}},
        // what is no condition, and what is one
        {"a comment of iptables",          "c:4",    {.family = "ip", .base = {{xt_comment, tail, drop}}}},
        {"above a limit for each source",  "c:4?",   {.base = {{tail, source_limit, drop}}}},
        {"for each element of a set",      "c:4?",   {.base = {{tail, set_limit, drop}}}},
        {"counted for each source",        "c:4",    {.base = {{tail, set_counter, drop}}}},
        {"by the offset's raw bits",       "c:4",    {.base = {{last_bits, drop}}}},
        {"and one more",                   "c:4",    {.base = {{last_bits_and_more, drop}}}},
        {"by bits that are no number",     "",       {.base = {{other_bits, drop}}}},
        {"by iptables' u32",               "c:4?",   {.family = "ip", .base = {{xt_u32, drop}}}},
        {"flags of TCP",                   "",       {.policy = "drop", .base = {{tcp_syn, accept}}}},
        // what is not judged
        {"a named verdict map",            "not c",  {.policy = "drop", .base = {{zones}}}},
        {"in a chain",                     "not c",  {.base = {{jump}}, .sub = {{zones}}}},
        {"behind a rule that drops",       "c:4? not c", {.base = {{tail, drop}, {zones}}}},
        {"behind one that accepts",        "",       {.policy = "drop", .base = {{udp, accept}, {zones}}}},
        {"one for TCP",                    "",       {.base = {{tcp_map}}}},
        {"too many steps",                 "not c",  {.base = {{jump}, {tail, drop}}, .sub = {{jump}, {jump}, {jump}}}},
    };
    // clang-format on
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(told(find_fragment_drops(rules_of(c.host), marking())) == c.drops);
        }
}

TEST_CASE("rule effect: one answer in all rules has bounds", "[kernel][rules]") {
    Host host{.family = "ip", .policy = "drop"};
    for (int i = 0; i < 8; ++i) host.base.push_back({from("i" + std::to_string(i)), accept});
    host.base.push_back({wan, ike_ports, accept});
    host.base.push_back({wan, tail, accept});
    CHECK(told(find_fragment_drops(rules_of(host), marking())) == "c:4?d");
    host.base.erase(host.base.begin());
    CHECK(told(find_fragment_drops(rules_of(host), marking())).empty());

    // Too many steps: then each rule has its own.
    Host called{.family = "ip", .sub = Rules(500, {tcp, drop})};
    for (int i = 0; i < 8; ++i) called.base.push_back({from("i" + std::to_string(i)), jump});
    called.base.push_back({tail, drop});
    CHECK(told(find_fragment_drops(rules_of(called), marking())) == "c:4");
}

TEST_CASE("rule effect: which way the fragments go", "[kernel][rules]") {
    const auto to_server = to(R"("10.0.0.5")");
    const std::string from_server =
        R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},)"
        R"("right":"10.0.0.5"}})";
    const std::string from_nat =
        R"({"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"sport"}},)"
        R"("right":40000}})";
    const std::string more = R"({"match":{"op":"!=","left":{"&":[{"payload":{"protocol":"ip",)"
                             R"("field":"frag-off"}},8192]},"right":0}})";
    struct Case {
        std::string name;
        std::string ways;
        Rules rules;
    };
    const Case cases[] = {
        {"both",            "surely server! peer", {{tail, drop}}             },
        {"perhaps",         "server peer",         {{lan, tail, drop}}        },
        {"to the server",   "surely server! peer", {{to_server, tail, drop}}  },
        {"from the server", "surely server peer",  {{from_server, tail, drop}}},
        {"one way",         "server",              {{from_nat, more, drop}}   },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto drops = find_fragment_drops(rules_of({.base = c.rules}), marking());
            REQUIRE_FALSE(drops.found.empty());
            const auto& rule = drops.found.back();
            CHECK(std::string(rule.surely ? "surely " : "") + (rule.to_server ? "server" : "") +
                      (rule.surely_to_server ? "!" : "") + (rule.to_peer ? " peer" : "") ==
                  c.ways);
        }
}

TEST_CASE("rule effect: a mark that is not set exempts nothing", "[kernel][rules]") {
    auto traffic = marking();
    traffic.mark.reset();
    const auto drops = find_fragment_drops(rules_of({
                                               .base = {{marked, accept}, {tail, drop}}
    }),
                                           traffic);
    CHECK(told(drops) == "c:4");
}

TEST_CASE("rule effect: addresses tell where the servers are known", "[kernel][rules]") {
    const auto lost = [](const std::string& address) {
        const IkeTraffic traffic{.servers = {*parse_prefix("10.0.0.5")}};
        return told(find_fragment_drops(
            rules_of(
                {.family = "ip", .policy = "drop", .base = {{to(address), ike_ports, accept}}}),
            traffic));
    };
    CHECK(lost(R"("10.0.0.5")") == "c:4d");
    CHECK(lost(R"({"prefix":{"addr":"10.0.0.0","len":8}})") == "c:4d");
    CHECK(lost(R"({"set":["10.0.0.4",{"prefix":{"addr":"10.0.0.0","len":30}}]})").empty());
}

TEST_CASE("rule effect: where it is and what it says", "[kernel][rules]") {
    const auto found =
        find_fragment_drops(rules_of({.priority = 7, .base = {{tail, drop}}}), {}).found;
    REQUIRE(found.size() == 1);
    CHECK(found[0].where == "inet fw c");
    CHECK(found[0].text == "the first rule");
    CHECK(found[0].hook == "forward");
    CHECK(found[0].priority == 7);
    const auto policy =
        find_fragment_drops(rules_of({.policy = "drop", .base = {{ike_ports, accept}}}), {}).found;
    REQUIRE(policy.size() == 1);
    CHECK(policy[0].text == "policy drop");
    for (const auto* text : {"{", R"({"nftables":[5,{"rule":7},{}]})"})
        CHECK(told(find_fragment_drops(ruleset::read_nft_rules(text, {}, ""), {})).empty());
    const auto map = find_fragment_drops(rules_of({.base = {{zones}}}), {});
    CHECK(map.not_judged == std::vector<std::string>{"inet fw c"});
}

TEST_CASE("rule effect: iptables-save", "[kernel][rules]") {
    struct Case {
        std::string name;
        std::string drops;
        std::string tool;
        std::string text;
    };
    const std::string filter = "*filter\n:FORWARD ACCEPT [0:0]\n:sub - [0:0]\n";
    const std::string strict = "*filter\n:FORWARD DROP [0:0]\n";
    const std::string v4 = "iptables-legacy";
    const std::string v6 = "ip6tables-legacy";
    // clang-format off
    const Case cases[] = {
        {"fragments",           "FORWARD:4",     v4, filter + "-A FORWARD -f -j DROP\n"},
        {"in raw",              "PREROUTING:4",  v4, "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -f -j DROP\n"},
        {"whole ones",          "",              v4, filter + "-A FORWARD ! -f -p tcp -j DROP\n"},
        {"of TCP",              "",              v4, filter + "-A FORWARD -p tcp -f -j DROP\n"},
        {"all but our mark",    "",              v4, filter + "-A FORWARD -f -m mark ! --mark 0x1/0x1 -j DROP\n"},
        {"our mark before",     "",              v4, filter + "-A FORWARD -m mark --mark 0x1/0x1 -j ACCEPT\n-A FORWARD -f -j DROP\n"},
        {"a chain not called",  "",              v4, filter + "-A sub -f -j DROP\n"},
        {"a chain called",      "sub:4",         v4, filter + "-A FORWARD -p udp -j sub\n-A sub -f -j DROP\n"},
        {"a comment",           "",              v4, filter + "-A FORWARD -m comment --comment \"-f -j\" -p tcp -j DROP\n"},
        {"one interface",       "FORWARD:4?",    v4, filter + "-A FORWARD -i wan -f -j DROP\n"},
        {"IPv6",                "FORWARD:6?",    v6, filter + "-A FORWARD -m frag --fragmore -j DROP\n"},
        {"default drop",        "FORWARD:4d",    v4, strict + "-A FORWARD -p udp -m multiport --dports 500,4500 -j ACCEPT\n"},
        {"ports one by one",    "FORWARD:4d",    v4, strict + "-A FORWARD -p udp -m udp --dport 500 -j ACCEPT\n-A FORWARD -p udp -m udp --dport 4500 -j ACCEPT\n"},
        {"and fragments",       "",              v4, strict + "-A FORWARD -f -j ACCEPT\n-A FORWARD -p udp -m udp --dport 400:5000 -j ACCEPT\n"},
        {"and the server",      "",              v4, strict + "-A FORWARD -d 10.0.0.5/32 -j ACCEPT\n"},
        {"by u32",              "FORWARD:4?",    v4, filter + "-A FORWARD -m u32 --u32 \"0x4&0x1fff=0x1:0x1fff\" -j DROP\n"},
        {"one interface, ports and fragments", "", v4, strict + "-A FORWARD -i wan -p udp -m udp --dport 500:4500 -j ACCEPT\n-A FORWARD -i wan -f -j ACCEPT\n-A FORWARD -i lan -j ACCEPT\n"},
        {"one set, not two comments", "",        v4, strict + "-A FORWARD -m set --match-set vpn src -m udp --dport 500:4500 -m comment --comment a -j ACCEPT\n-A FORWARD -f -m set --match-set vpn src -m comment --comment b -j ACCEPT\n"},
        {"two sets",            "FORWARD:4?d",   v4, strict + "-A FORWARD -m set --match-set vpn src -m udp --dport 500:4500 -j ACCEPT\n-A FORWARD -f -m set --match-set lan src -j ACCEPT\n"},
        {"a set and all but it", "FORWARD:4?d",  v4, strict + "-A FORWARD -m set --match-set vpn src -m udp --dport 500:4500 -j ACCEPT\n-A FORWARD -f -m set ! --match-set vpn src -j ACCEPT\n"},
        {"two limits",          "FORWARD:4?d",   v4, strict + "-A FORWARD -m limit --limit 9/sec -m udp --dport 500:4500 -j ACCEPT\n-A FORWARD -f -m limit --limit 9/sec -j ACCEPT\n"},
    };
    // clang-format on
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(told(find_fragment_drops(ruleset::read_iptables_rules(c.tool, c.text),
                                           marking())) == c.drops);
        }
}
