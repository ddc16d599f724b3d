// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

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
///    tails are queued; `other4/6` → theirs stay in the kernel. A tail whose head has not come is
///    remembered in `early4/6` and queued; so is IKE's head, for as long as the gate may hold it.
///    A head of another kind is then queued too, so that the gate can let go of what it holds.
/// 4. Pairs without a configured server are strangers: their IKE is rate-limited, so that they
///    cannot buy attention for others' tails; unknown tails are limited in all and by source.
/// 5. `observe`: `take` copies instead of queueing. `guard`: what is not IKE's passes. `exclusive`:
///    it is dropped here, save allowed protocols and ESP in UDP; so is IKE of strangers, where
///    servers are configured. Tails of what is allowed pass by their protocol on IPv4, else (ESP in
///    UDP; IPv6, where a tail may call itself anything) where their pair's heads were seen. The
///    daemon need not hear of a first fragment that is dropped: what it holds of that id times out,
///    and a full queue, which lets pass in fail-open, opens nothing to it. Nor does that one name
///    an id of which the daemon may hold a fragment.
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
namespace ikefrag::table_template {

inline constexpr std::array<std::string_view, 49> chain_names{
    "pre",          "out",        "post",           "to_queue",     "pre6",        "whole",
    "post6",        "post_copy",  "not_udp",        "tcp_syn",      "esp_plain",   "esp4",
    "esp6",         "esp_note",   "whole_plain",    "whole_marked", "copy",        "learn",
    "icmp4",        "icmp6",      "icmp6_fragment", "copy_icmp",    "frag4",       "frag6",
    "frag6_behind", "quiet4",     "quiet6",         "atomic",       "tail6",       "maybe",
    "ask",          "head",       "head_ike",       "stranger",     "head_server", "head_esp",
    "head_plain",   "head_other", "head_proto",     "name_other",   "late_head",   "take",
    "leave_head",   "allow_head", "allow_pair",     "leave_tail",   "leave_proto", "allow_proto",
    "marked_esp"};
inline constexpr std::size_t base_chains = 3;

/// Hook -450 lies before the kernel's defragmentation (-400), 400 behind all that may drop.
inline constexpr std::array<std::string_view, base_chains> base_chain_hooks{
    "type filter hook prerouting priority -450; policy accept;",
    "type filter hook output priority -450; policy accept;",
    "type filter hook postrouting priority 400; policy accept;"};

/// Lives on over a reload. Their shape is a version's own: times are in the rules that add
/// elements. Without auto-merge, and elements only where a set is made: for either libnftables
/// would first fetch the intervals of everybody's sets, seconds of them with a list of countries.
inline constexpr std::string_view sets_text = R"(
  set server4 { type ipv4_addr; flags interval; }
  set server6 { type ipv6_addr; flags interval; }
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
inline constexpr std::string_view chains_text = R"(
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
    @nh,32,32 & 0x3fff == 0 meta nfproto ipv4 goto esp4 comment "whole"
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
    update @early4 { $key4 timeout $hold }
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
    $key6 @other6 $leave_tail
    update @early6 { $key6 timeout $hold }
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
    update @ike4 { $key4 timeout $hold }
    update @ike6 { $key6 timeout $hold }
    update @early4 { $key4 timeout $hold } comment "another's first fragment of this id is late"
    update @early6 { $key6 timeout $hold }
    counter name ike_head goto take
  }
  chain head_esp {
    meta l4proto != 17 goto head_proto
    each plain: jump head_plain comment "the server's own port decides"
    $pair4 @esp_wanted jump esp_note
    $pair6 @esp_wanted jump esp_note
    $held_esp
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
    $held_other
    jump name_other
    $late_other
    $leave_head
  }
  chain head_proto {
    meta nfproto ipv4 $leave_proto comment "its ids are its own"
    $pair6 != @handshake $leave_proto
    $held_proto
    update @other6 { $key6 timeout $other_life }
    $late_proto
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

inline constexpr std::string_view leave_text = R"(
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
    $pair4 @allowed counter name kept_tail accept
    $pair6 @allowed counter name kept_tail accept
    counter name dropped_tail drop
  }
  chain leave_proto {
    $allow_proto
    counter name dropped_proto drop
  }
  chain allow_proto {
    update @allowed { $pair6 timeout 60s } comment "IPv6: what its tails call themselves tells nothing"
    counter name kept_proto accept
  }
)";

} // namespace ikefrag::table_template
