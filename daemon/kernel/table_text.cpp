// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_text.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <initializer_list>
#include <map>
#include <utility>

/// What the table does, and why:
///
/// 1. Whole packets are sorted by port and marker, ESP in UDP first (two comparisons and a look
///    whether its address pair has a handshake); IKE is copied to the log group and goes on at
///    once. Nothing whole is ever queued.
/// 2. Fragments are looked at only where a handshake is going on: every IKE message but
///    INFORMATIONAL marks its address pair in `handshake`. A pair is hashed to 16 bits, so that set
///    cannot be filled by anybody; a collision only means more care than needed. Fragments of a
///    quiet tunnel's ESP cost one lookup.
/// 3. Within such a pair first fragments teach by source, destination and id: `ike4/6` → their
/// tails
///    are queued; `other4/6` → theirs stay in the kernel. A tail whose head has not come is
///    remembered in `early4/6` and queued; so is IKE's head, for as long as the gate may hold it.
///    A head of another kind is then queued too, so that the gate can let go of what it holds.
/// 4. Pairs without a configured server are strangers: their IKE is rate-limited, so that they
///    cannot buy attention for others' tails; unknown tails are limited in all and by source.
/// 5. `observe`: `take` copies instead of queueing. `guard`: what is not IKE's passes. `exclusive`:
///    it is dropped here, save allowed protocols and ESP in UDP of pairs whose heads were seen; so
///    is IKE of strangers, where servers are configured. The daemon need not hear of a first
///    fragment that is dropped: what it holds of that id times out, and a full queue, which lets
///    pass in fail-open, opens nothing to it.
/// 6. The first ESP of a pair after a message of its handshake is copied, once a minute at most:
///    the tracker's evidence that a tunnel lives. `esp_wanted` says of which pairs, and is all that
///    other ESP costs: one lookup. TCP SYNs to a server's marked port are copied for RFC 9329.
/// 7. `post` copies the first octets of IKE on its way out, so that what came in and does not come
///    out can be told from what was lost elsewhere.
///
/// What cannot be told from its first fragment is the daemon's to judge: an IPv6 header chain cut
/// short (RFC 7112), a Fragment header of its own that may hide another.
///
/// nft must not find `sport != a` next to `dport != a`: libnftables 1.0.6 makes one comparison of
/// the two, which is true where only one port differs.
///
/// Ports are compared one by one and without looking at the protocol where that is enough: two
/// comparisons cost less than one set lookup, and ESP meets them first. Tails must never reach a
/// port comparison: kernels before mid-2026 read ports out of their payload (IPv6: the flow label).
namespace ikefrag {

namespace {

/// What the template's $names stand for.
using Values = std::map<std::string, std::string, std::less<>>;

constexpr std::array<TableCounter, table_counter_count> all_counters = [] {
    std::array<TableCounter, table_counter_count> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<TableCounter>(i);
    return all;
}();

constexpr std::array<std::string_view, table_counter_count> counter_names{
    "copied_whole",
    "copied_icmp",
    "copied_esp",
    "copied_tcp",
    "copied_out",
    "copied_tail",
    "queued",
    "ike_head",
    "ike_tail",
    "maybe_tail",
    "late_head",
    "kept_head",
    "kept_tail",
    "kept_proto",
    "dropped_head",
    "dropped_tail",
    "dropped_proto",
    "limited",
};

constexpr std::array<std::string_view, 48> chain_names{
    "pre",          "out",        "post",           "to_queue",     "pre6",        "whole",
    "post6",        "post_copy",  "not_udp",        "tcp_syn",      "esp_plain",   "esp4",
    "esp6",         "esp_note",   "whole_plain",    "whole_marked", "copy",        "learn",
    "icmp4",        "icmp6",      "icmp6_fragment", "copy_icmp",    "frag4",       "frag6",
    "frag6_behind", "quiet4",     "quiet6",         "atomic",       "tail6",       "maybe",
    "ask",          "head",       "head_ike",       "stranger",     "head_server", "head_esp",
    "head_plain",   "head_other", "head_proto",     "name_other",   "late_head",   "take",
    "leave_head",   "allow_head", "allow_pair",     "leave_tail",   "leave_proto", "marked_esp"};
constexpr std::size_t base_chains = 3;

/// Hook -450 lies before the kernel's defragmentation (-400), 400 behind all that may drop.
constexpr std::array<std::string_view, base_chains> base_chain_hooks{
    "type filter hook prerouting priority -450; policy accept;",
    "type filter hook output priority -450; policy accept;",
    "type filter hook postrouting priority 400; policy accept;"};

/// Lives on over a reload. Their shape is a version's own: times are in the rules that add
/// elements.
constexpr std::string_view sets_text = R"(
  set server4 { type ipv4_addr; flags interval; auto-merge; }
  set server6 { type ipv6_addr; flags interval; auto-merge; }
  set handshake { typeof meta length; size 65536; flags dynamic,timeout; timeout 60s; }
  set allowed { typeof meta length; size 65536; flags dynamic,timeout; timeout 60s; }
  set esp_wanted { typeof meta length; size 65536; flags dynamic,timeout; timeout 60s; }
  set esp_seen { typeof meta length; size 65536; flags dynamic,timeout; timeout 60s; }
  set ike4 { typeof $key4; size 65536; flags dynamic,timeout; timeout 2s; }
  set ike6 { typeof $key6; size 65536; flags dynamic,timeout; timeout 2s; }
  set other4 { typeof $key4; size 262144; flags dynamic,timeout; timeout 1s; }
  set other6 { typeof $key6; size 262144; flags dynamic,timeout; timeout 1s; }
  set early4 { typeof $key4; size 65536; flags dynamic,timeout; timeout 5s; }
  set early6 { typeof $key6; size 65536; flags dynamic,timeout; timeout 5s; }
  set unknown4 { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 5s; }
  set unknown6 { type ipv6_addr; size 65536; flags dynamic,timeout; timeout 5s; }
)";

/// `each plain` and `each marked` stand for two rules a port: one by destination, one by source.
constexpr std::string_view chains_text = R"(
  chain pre {
    $hook_pre
    each marked: @th,64,32 != 0 goto marked_esp
    ip frag-off & 0x3fff != 0 goto frag4
    meta nfproto ipv6 goto pre6
    meta l4proto 6 goto tcp_syn
    meta l4proto != 17 goto not_udp
    each plain: goto whole_plain
    each marked: @th,64,32 0 goto whole_marked
  }
  chain marked_esp {
    @nh,32,32 & 0x3fff == 0 goto esp4 comment "IPv4, whole"
    @nh,48,8 17 meta nfproto ipv6 goto esp6
    meta nfproto ipv6 goto pre6
    goto frag4
  }
  chain pre6 {
    @nh,48,8 44 goto frag6
    exthdr frag exists goto frag6_behind
    goto whole
  }
  chain out {
    $hook_out
    ip frag-off & 0x1fff != 0 accept comment "a program that cuts for itself"
    frag frag-off != 0 accept
    meta l4proto 6 accept
    meta l4proto != 17 goto not_udp
    each plain: goto whole_plain
    each marked: @th,64,32 0 goto whole_marked
  }
  chain post {
    $hook_post
    each marked: @th,64,32 != 0 accept comment "ESP in UDP, or what is not copied either"
    meta l4proto != 17 accept
    ip frag-off & 0x1fff != 0 accept
    meta nfproto ipv6 goto post6
    each plain: goto post_copy
    each marked: @th,64,32 0 goto post_copy
  }
  chain post6 {
    frag frag-off != 0 accept
    each plain: goto post_copy
    each marked: @th,64,32 0 goto post_copy
  }
  chain post_copy {
    oif lo accept
    counter name copied_out log group $group snaplen 128 queue-threshold 64 accept
  }
  chain whole {
    meta l4proto 6 goto tcp_syn
    meta l4proto != 17 goto not_udp
    each plain: goto whole_plain
    each marked: @th,64,32 0 goto whole_marked
  }
  chain not_udp {
    meta l4proto 50 goto esp_plain
    meta l4proto 1 goto icmp4
    meta l4proto 58 goto icmp6
  }
  chain tcp_syn {
    th dport != { $marked } accept
    tcp flags & (syn | ack) != syn accept
    ip daddr != @server4 accept
    ip6 daddr != @server6 accept
    iif lo accept
    meta iifkind "vrf" accept
    limit rate over $tcp_copies/second burst $tcp_copies packets counter name limited accept
    counter name copied_tcp log group $group snaplen 65535 queue-threshold 64 accept
  }
  chain esp_plain {
    meta nfproto ipv4 goto esp4
    goto esp6
  }
  chain esp4 {
    $ipv4_pair != @esp_wanted accept
    goto esp_note
  }
  chain esp6 {
    $ipv6_pair != @esp_wanted accept
    goto esp_note
  }
  chain esp_note {
    $pair4 @esp_seen return
    $pair6 @esp_seen return
    meta l4proto != { 17, 50 } return comment "TCP on the same port"
    limit rate over $esp_copies/second burst $esp_copies packets counter name limited return
    update @esp_seen { $pair4 timeout 60s }
    update @esp_seen { $pair6 timeout 60s }
    delete @esp_wanted { $pair4 }
    delete @esp_wanted { $pair6 }
    counter name copied_esp log group $group snaplen 65535 queue-threshold 64
  }
  chain whole_plain {
    @th,208,8 != { 5, 37 } jump learn comment "any exchange but INFORMATIONAL"
    goto copy
  }
  chain whole_marked {
    @th,240,8 != { 5, 37 } jump learn
    goto copy
  }
  chain copy {
    iif lo accept comment "seen in output already"
    meta iifkind "vrf" accept comment "seen on the port already"
    counter name copied_whole $copy accept
  }
  chain learn {
    ip daddr != @server4 ip saddr != @server4 limit rate over $stranger/second burst $stranger packets counter name limited return
    ip6 daddr != @server6 ip6 saddr != @server6 limit rate over $stranger/second burst $stranger packets counter name limited return
    update @handshake { $pair4 timeout $handshake }
    update @handshake { $pair6 timeout $handshake }
    update @esp_wanted { $pair4 timeout $handshake }
    update @esp_wanted { $pair6 timeout $handshake }
  }
  chain icmp4 {
    icmp type != { destination-unreachable, time-exceeded, parameter-problem } accept
    @th,64,8 != 0x45 accept comment "quoted: IPv4 without options"
    @th,136,8 != 17 accept comment "quoted: UDP"
    @th,112,16 & 0x1fff != 0 accept comment "quoted: has its ports"
    @th,224,16 { $plain } goto copy_icmp
    @th,240,16 { $plain } goto copy_icmp
    @th,288,32 != 0 accept comment "quoted far enough to show ESP"
    @th,224,16 { $marked } goto copy_icmp
    @th,240,16 { $marked } goto copy_icmp
  }
  chain icmp6 {
    icmpv6 type != { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
    @th,112,8 44 @th,384,8 17 @th,400,16 & 0xfff8 == 0 goto icmp6_fragment
    @th,112,8 != 17 accept
    @th,384,16 { $plain } goto copy_icmp
    @th,400,16 { $plain } goto copy_icmp
    @th,448,32 != 0 accept
    @th,384,16 { $marked } goto copy_icmp
    @th,400,16 { $marked } goto copy_icmp
  }
  chain icmp6_fragment {
    @th,448,16 { $plain } goto copy_icmp
    @th,464,16 { $plain } goto copy_icmp
    @th,512,32 != 0 accept
    @th,448,16 { $marked } goto copy_icmp
    @th,464,16 { $marked } goto copy_icmp
  }
  chain copy_icmp {
    iif lo accept
    meta iifkind "vrf" accept
    limit rate over $icmp_copies/second burst $icmp_copies packets counter name limited accept
    counter name copied_icmp log group $group snaplen 1500 queue-threshold 64 accept
  }
  chain frag4 {
    meta iifkind "vrf" accept comment "seen on the port already"
    @nh,32,32 & 0x1fff != 0 $ipv4_pair != @handshake $leave_tail
    each marked: @th,64,32 != 0 jump quiet4
    @nh,32,32 & 0x1fff == 0 goto head
    ip protocol != 17 $leave_proto
    $key4 @ike4 counter name ike_tail goto take
    $key4 @other4 $leave_tail
    update @early4 { $key4 timeout $early }
    $key4 @other4 $leave_tail comment "its head came this instant, on another CPU"
    goto maybe
  }
  chain frag6 {
    meta iifkind "vrf" accept comment "seen on the port already"
    @nh,336,16 & 0xfff8 != 0 $ipv6_pair != @handshake $leave_tail
    @nh,336,16 & 0xfff9 == 0 goto atomic
    each marked: @th,64,32 != 0 jump quiet6
    @nh,336,16 & 0xfff8 == 0 goto head
    goto tail6
  }
  chain quiet4 {
    each plain: return comment "may be IKE"
    $ipv4_pair != @handshake $leave_head
  }
  chain quiet6 {
    each plain: return
    $ipv6_pair != @handshake $leave_head
  }
  chain frag6_behind {
    meta iifkind "vrf" accept
    frag frag-off 0 frag more-fragments 0 goto atomic
    frag frag-off 0 goto head
    goto tail6
  }
  chain atomic {
    frag nexthdr 44 $nested
    frag nexthdr { 0, 43, 60, 135 } goto ask comment "another Fragment header may follow"
    goto whole
  }
  chain tail6 {
    $pair6 != @handshake $leave_tail
    $key6 @ike6 counter name ike_tail goto take comment "whatever it calls itself"
    frag nexthdr != $may_be_udp $leave_proto
    $key6 @other6 $leave_tail
    update @early6 { $key6 timeout $early }
    $key6 @other6 $leave_tail
    goto maybe
  }
  chain maybe {
    $strangers_tail
    goto ask
  }
  chain ask {
    update @unknown4 { ip saddr limit rate over $unknown_source/second burst $unknown_source packets } counter name limited $leave_tail
    update @unknown6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over $unknown_source/second burst $unknown_source packets } counter name limited $leave_tail
    limit rate over $unknown/second burst $unknown packets counter name limited $leave_tail
    counter name maybe_tail goto take
  }
  chain head {
    each marked: @th,64,32 != 0 goto head_esp
    meta l4proto != 17 goto head_proto
    each plain: goto head_ike
    each marked: goto head_ike comment "marker, or too short to show one"
    @th,0,16 & 0 == 0 goto head_other comment "its ports can be read"
    $cut_chain
  }
  chain head_ike {
    $strangers_head
    ip daddr != @server4 ip saddr != @server4 goto stranger
    ip6 daddr != @server6 ip6 saddr != @server6 goto stranger
    goto head_server
  }
  chain stranger {
    limit rate over $stranger/second burst $stranger packets counter name limited $leave_head
    goto head_server
  }
  chain head_server {
    update @handshake { $pair4 timeout $handshake }
    update @handshake { $pair6 timeout $handshake }
    update @esp_wanted { $pair4 timeout $handshake }
    update @esp_wanted { $pair6 timeout $handshake }
    update @ike4 { $key4 timeout $ike_life }
    update @ike6 { $key6 timeout $ike_life }
    update @early4 { $key4 timeout $early } comment "another's first fragment of this id is late"
    update @early6 { $key6 timeout $early }
    counter name ike_head goto take
  }
  chain head_esp {
    meta l4proto != 17 goto head_proto
    each plain: jump head_plain comment "the server's own port decides"
    $pair4 @esp_wanted jump esp_note
    $pair6 @esp_wanted jump esp_note
    jump name_other
    $late_esp
    $leave_head
  }
  chain head_plain {
    th dport { $plain } ip daddr @server4 goto head_ike
    th dport { $plain } ip6 daddr @server6 goto head_ike
    th sport { $plain } ip saddr @server4 goto head_ike
    th sport { $plain } ip6 saddr @server6 goto head_ike
  }
  chain head_other {
    jump name_other
    $late_other
    $leave_head
  }
  chain head_proto {
    meta nfproto ipv4 $leave_proto comment "its ids are its own"
    $pair6 != @handshake $leave_proto
    update @other6 { $key6 timeout $other_life }
    $late_other
    $leave_proto
  }
  chain name_other {
    $pair4 != @handshake $leave_head
    $pair6 != @handshake $leave_head
    update @other4 { $key4 timeout $other_life }
    update @other6 { $key6 timeout $other_life }
  }
  chain late_head {
    $key4 @early4 counter name late_head goto take comment "the daemon may hold a fragment of it"
    $key6 @early6 counter name late_head goto take
    $key4 @ike4 counter name late_head goto take
    $key6 @ike6 counter name late_head goto take
  }
  chain take {
    $take
  }
)";

constexpr std::string_view leave_text = R"(
  chain leave_head {
    meta l4proto != 17 goto leave_proto
    $allow_head
    counter name dropped_head drop
  }
  chain allow_head {
    jump allow_pair
    counter name kept_head accept
  }
  chain allow_pair {
    update @allowed { $pair4 timeout 60s }
    update @allowed { $pair6 timeout 60s }
  }
  chain leave_tail {
    ip protocol != 17 goto leave_proto
    frag nexthdr != $may_be_udp goto leave_proto
    $pair4 @allowed counter name kept_tail accept
    $pair6 @allowed counter name kept_tail accept
    counter name dropped_tail drop
  }
  chain leave_proto {
    $allow_proto
    counter name dropped_proto drop
  }
)";

template <class Numbers>
std::string joined(const Numbers& numbers, std::string_view between = ", ") {
    std::string text;
    for (const auto number : numbers) {
        if (!text.empty()) text += between;
        text += std::to_string(number);
    }
    return text;
}

/// Replaces each $name by its value; a name has letters, digits and underscores.
std::string expand(std::string_view text, const Values& values) {
    std::string out;
    while (!text.empty()) {
        const std::size_t dollar = std::min(text.find('$'), text.size());
        out += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.empty()) break;
        const auto ends = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_", 1);
        const auto name = text.substr(1, std::min(ends, text.size()) - 1);
        const auto value = values.find(name);
        assert(value != values.end());
        out += value->second;
        text.remove_prefix(1 + name.size());
    }
    return out;
}

/// Two rules for each port: by destination first, as most of what comes in goes to a server.
std::string each_port(const std::vector<std::uint16_t>& ports, std::string_view rule) {
    std::string text;
    for (const auto* side : {"th dport ", "th sport "})
        for (const auto port : ports)
            text += "    " + (side + std::to_string(port)) + " " + std::string(rule) + "\n";
    return text;
}

/// The template with its `each` lines written out, then expanded. Lines left empty go.
std::string
write_chains(std::string_view text, const TableSettings& settings, const Values& values) {
    std::string out;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        constexpr std::string_view plain = "    each plain: ";
        constexpr std::string_view marked = "    each marked: ";
        if (line.starts_with(plain))
            out += each_port(settings.plain_ports, line.substr(plain.size()));
        else if (line.starts_with(marked))
            out += each_port(settings.marked_ports, line.substr(marked.size()));
        else if (!line.empty())
            out += std::string(line) + "\n";
    }
    out = expand(out, values);
    for (std::size_t at = 0; (at = out.find("    \n", at)) != std::string::npos;) out.erase(at, 5);
    return out;
}

Values values_of(const TableSettings& settings) {
    const auto seconds = [](std::uint32_t count) { return std::to_string(count) + "s"; };
    const std::string seed = " mod 65536 seed " + std::to_string(settings.seed | 1u);
    const std::string copy =
        "log group " + std::to_string(settings.log_group) + " snaplen 65535 queue-threshold 64";
    const std::string plain = joined(settings.plain_ports);
    const bool exclusive = settings.mode == Mode::exclusive;
    const auto leave = [&](const std::string& what) {
        return exclusive ? "goto leave_" + what : "counter name kept_" + what + " accept";
    };
    std::string allow_head;
    if (settings.allow_esp_in_udp)
        allow_head = each_port(settings.marked_ports, "@th,64,32 != 0 goto allow_head");
    std::string allow_proto;
    if (!settings.allowed_protocols.empty())
        allow_proto = "meta l4proto { " + joined(settings.allowed_protocols) +
                      " } counter name kept_proto accept";
    // With servers configured `exclusive` knows no other IKE: what is no server's is not queued, so
    // that a full queue opens nothing to it.
    const auto drop_strangers = [&](const std::string& what) {
        if (!exclusive || settings.servers.empty()) return std::string();
        return "ip daddr != @server4 ip saddr != @server4 goto leave_" + what +
               "\n    ip6 daddr != @server6 ip6 saddr != @server6 goto leave_" + what;
    };
    // What `exclusive` drops is dropped at once, late or not; ESP in UDP opens the way for its
    // tails even where its first fragment is for the daemon.
    const std::string late = "jump late_head";
    std::string late_esp = late;
    if (exclusive) late_esp = settings.allow_esp_in_udp ? "jump allow_pair\n    " + late : "";
    return {
        {"hook_pre",       std::string(base_chain_hooks[0])                  },
        {"hook_out",       std::string(base_chain_hooks[1])                  },
        {"hook_post",      std::string(base_chain_hooks[2])                  },
        {"group",          std::to_string(settings.log_group)                },
        {"plain",          plain                                             },
        {"marked",         joined(settings.marked_ports)                     },
        {"key4",           "ip saddr . ip daddr . ip id"                     },
        {"key6",           "ip6 saddr . ip6 daddr . frag id"                 },
        {"pair4",          "jhash ip saddr . ip daddr" + seed                },
        {"pair6",          "jhash ip6 saddr . ip6 daddr" + seed              },
 // The same where the family is known: one load in place of three or four steps
        {"ipv4_pair",      "jhash @nh,96,64" + seed                          },
        {"ipv6_pair",      "jhash @nh,64,256" + seed                         },
 // UDP, or a header that UDP may follow
        {"may_be_udp",     "{ 0, 17, 43, 44, 51, 60, 135 }"                  },
        {"copy",           copy                                              },
        {"take",
         settings.mode == Mode::observe ? "counter name copied_tail " + copy + " accept"
                                        : "counter name queued goto to_queue"},
        {"leave_head",     leave("head")                                     },
        {"leave_tail",     leave("tail")                                     },
        {"leave_proto",    leave("proto")                                    },
        {"cut_chain",      exclusive ? "goto leave_head" : "goto head_ike"   },
        {"nested",         exclusive ? "goto leave_proto" : "goto ask"       },
        {"late_esp",       late_esp                                          },
        {"late_other",     exclusive ? "" : late                             },
        {"strangers_head", drop_strangers("head")                            },
        {"strangers_tail", drop_strangers("tail")                            },
        {"allow_head",     allow_head                                        },
        {"allow_proto",    allow_proto                                       },
        {"ike_life",       seconds(settings.ike_key_seconds)                 },
        {"other_life",     seconds(settings.other_key_seconds)               },
        {"early",          seconds(settings.early_seconds)                   },
        {"handshake",      seconds(settings.handshake_seconds)               },
        {"unknown",        std::to_string(settings.unknown_tails)            },
        {"unknown_source", std::to_string(settings.unknown_tails_source)     },
        {"stranger",       std::to_string(settings.stranger_messages)        },
        {"icmp_copies",    std::to_string(settings.icmp_copies)              },
        {"tcp_copies",     std::to_string(settings.tcp_copies)               },
        {"esp_copies",     std::to_string(settings.esp_copies)               },
    };
}

std::string write_all_chains(const TableSettings& settings) {
    const Values values = values_of(settings);
    std::string text = write_chains(chains_text, settings, values);
    if (settings.mode == Mode::exclusive) text += write_chains(leave_text, settings, values);
    return text;
}

std::string write_objects(const TableSettings& settings) {
    std::string text;
    for (const auto name : counter_names) text += "  counter " + std::string(name) + " { }\n";
    return text + write_chains(sets_text, settings, values_of(settings));
}

std::string queue_statement(const TableSettings& settings) {
    std::string text = settings.bypass ? "queue flags bypass to " : "queue to ";
    text += std::to_string(settings.queue_first);
    if (settings.queue_count > 1)
        text += "-" + std::to_string(settings.queue_first + settings.queue_count - 1);
    return text;
}

/// "command inet ikefragd name".
std::string command(std::string_view verb, std::string_view name = {}, std::string_view rest = {}) {
    std::string text(verb);
    text += " inet ";
    text += table_name;
    for (const auto part : {name, rest})
        if (!part.empty()) (text += ' ') += part;
    return text + "\n";
}

std::string open_table() { return "table inet " + std::string(table_name) + " {\n"; }

} // namespace

std::string_view to_string(TableCounter counter) noexcept {
    return counter_names[static_cast<std::size_t>(counter)];
}

std::span<const TableCounter> table_counters() noexcept { return all_counters; }

std::span<const std::string_view> table_chains() noexcept { return chain_names; }

std::string fill_servers(const TableSettings& settings) {
    std::string text = command("flush set", "server4") + command("flush set", "server6");
    if (settings.servers.empty())
        return text + command("add element", "server4", "{ 0.0.0.0/0 }") +
               command("add element", "server6", "{ ::/0 }");
    for (const auto& server : settings.servers)
        text += command("add element",
                        server.address.family == Family::ipv4 ? "server4" : "server6",
                        "{ " + to_string(server) + " }");
    return text;
}

std::string print_table(const TableSettings& settings) {
    std::string text = command("table") + command("delete table") + open_table();
    text += write_objects(settings);
    text += settings.mode == Mode::observe
                ? "  chain to_queue {\n  }\n"
                : "  chain to_queue {\n    " + queue_statement(settings) + "\n  }\n";
    return text + write_all_chains(settings) + "}\n" + fill_servers(settings);
}

std::string fill_table(const TableSettings& settings, QueueStatement statement) {
    std::string text = open_table() + write_objects(settings) + "}\n";
    for (std::size_t i = 0; i < chain_names.size(); ++i) {
        const auto name = chain_names[i];
        text += command("add chain",
                        name,
                        i < base_chains ? "{ " + std::string(base_chain_hooks[i]) + " }" : "");
        if (name != "to_queue" || statement == QueueStatement::native)
            text += command("flush chain", name);
    }
    text += open_table() + write_all_chains(settings) + "}\n";
    if (statement == QueueStatement::native && settings.mode != Mode::observe)
        text += command("add rule", "to_queue", queue_statement(settings));
    return text + fill_servers(settings);
}

std::string fill_take_accept() {
    return command("flush chain", "take") + command("add rule", "take", "accept");
}

std::string delete_table() { return command("delete table"); }

std::string strip_table(std::span<const std::string> chains, std::span<const std::string> sets) {
    std::string text;
    for (const auto& name : chains) text += command("flush chain", name);
    for (const auto& name : sets) text += command("delete set", name);
    return text;
}

} // namespace ikefrag
