#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `ikefragctl probe` against real strongSwan, from the client's place: the path's MTU to the octet, with routers that say so and
# routers that stay silent; whether fragments pass; 16430; cookies; closed and silent ports; and how little it sends.
# waits
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/peers.sh
. "$(dirname "$0")/../lab/peers.sh"
lab_begin swanctl pki charon-systemd
lab_links_up PATH_MTU=1500
build=$(lab_build)

# path_mtu MTU: of the link between the client's router and the firewall
path_mtu() {
    ip -n "$LAB-isp" link set net mtu "$1"
    ip -n "$LAB-fw" link set lan mtu "$1"
    if [ "$1" -ge 1280 ]; then # a smaller MTU takes IPv6 off a link, with its addresses and routes
        ip -n "$LAB-isp" addr replace fd99:3::2/64 dev net nodad
        ip -n "$LAB-fw" addr replace fd99:3::1/64 dev lan nodad
        ip -n "$LAB-isp" -6 route replace default via fd99:3::1
        ip -n "$LAB-fw" -6 route replace fd99:1::/64 via fd99:3::2
    fi
    for namespace in cli srv; do
        ip -n "$LAB-$namespace" route flush cache
        ip -n "$LAB-$namespace" -6 route flush cache
    done
}
# probe ADDRESS [OPTION...]: sets `code` and `answer`
probe() {
    code=0
    answer=$(in_ns cli "$build/ikefragctl" probe --json "$@" 2>> "$LAB_DIR/probe.log") || code=$?
    echo "$answer" >> "$LAB_DIR/probe.jsonl"
}
said() { jq -c "$1" <<< "$answer"; }
ids() { jq -r '[.diagnoses[].id] | join(" ")' <<< "$answer"; }
peers_again() { peers_stop; peers_start "$@"; }

peers_start FRAG=yes

# ---------------------------------------------------------------- the path's MTU, told by its router
for mtu in 1500 1492 1400 1280 1333 576; do
    path_mtu $mtu
    for address in 10.99.2.2 fd99:2::2; do
        if [ $mtu -lt 1280 ] && [ $address = fd99:2::2 ]; then continue; fi
        probe $address
        equal "MTU $mtu, $address: exact" "[$mtu,true]" "$(said '[.path_mtu.to_server, .path_mtu.exact]')"
        equal "MTU $mtu, $address: fragments pass" true "$(said .fragments.pass)"
        equal "MTU $mtu, $address: 16430, both ports, all well" '[true,true,true,0]' \
            "$(said "[.server.fragmentation, .ports[0].answers, .ports[1].answers, $code]")"
        compare "MTU $mtu, $address: few packets" "$(said .packets_sent)" -le 40
    done
done

# ---------------------------------------------------------------- … and by nobody: routers that drop without a word
in_ns isp iptables-legacy -w -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
in_ns isp ip6tables-legacy -w -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP
for mtu in 1492 1400 1333 1280 576; do
    path_mtu $mtu
    for address in 10.99.2.2 fd99:2::2; do
        if [ $mtu -lt 1280 ] && [ $address = fd99:2::2 ]; then continue; fi
        probe $address
        equal "silent router, MTU $mtu, $address: exact" "[$mtu,true,true]" \
            "$(said '[.path_mtu.to_server, .path_mtu.exact, .path_mtu.silent_loss]')"
        equal "silent router, MTU $mtu, $address: fragments pass" true "$(said .fragments.pass)"
        compare "silent router, MTU $mtu, $address: at most 40 packets" "$(said .packets_sent)" -le 40
    done
done
in_ns isp iptables-legacy -w -F OUTPUT
in_ns isp ip6tables-legacy -w -F OUTPUT

# ---------------------------------------------------------------- a server that does not answer version 3
path_mtu 1492
in_ns fw nft add table inet other
in_ns fw nft 'add chain inet other pre { type filter hook prerouting priority -500; }'
in_ns fw nft 'add rule inet other pre udp dport 500 @th,200,8 0x30 drop'
in_ns fw nft 'add rule inet other pre udp dport 4500 @th,232,8 0x30 drop'
probe 10.99.2.2
equal "silent to version 3: MTU by repeats" '[1492,true,false]' \
    "$(said '[.path_mtu.to_server, .path_mtu.exact, .server.refuses_version3]')"
equal "silent to version 3: fragments pass, both ports answer" '[true,true,true]' \
    "$(said '[.fragments.pass, .ports[0].answers, .ports[1].answers]')"
in_ns fw nft delete table inet other
path_mtu 1500

# ---------------------------------------------------------------- what it sends, and to whom
capture_start sent cli eth0
probe 10.99.2.2
capture_stop sent
sent=$LAB_DIR/sent.pcap
equal "it sends to the one address only" "10.99.2.2" \
    "$(tshark -r "$sent" -Y 'ip.src == 10.99.1.2' -T fields -e ip.dst 2> /dev/null | sort -u | tr '\n' ' ' | sed 's/ $//')"
equal "it counts what it sends" "$(said .packets_sent)" "$(tshark -r "$sent" -Y 'ip.src == 10.99.1.2' 2> /dev/null | wc -l)"
spis=$(tshark -r "$sent" -Y 'ip.src == 10.99.1.2 && isakmp.version == 0x20' -T fields -e isakmp.ispi 2> /dev/null | sort -u)
equal "at most two real IKE_SA_INITs" 2 "$(wc -l <<< "$spis")"
equal "they are known as a probe's by their SPIs" 2 "$(grep -c '^696b7062' <<< "$spis")"
gaps=$(tshark -r "$sent" -Y 'ip.src == 10.99.1.2 && ip.frag_offset == 0' -T fields -e frame.time_epoch 2> /dev/null |
    awk 'NR > 1 && $1 - last < 0.099 { n++ } { last = $1 } END { print n + 0 }')
equal "100 ms lie between its datagrams" 0 "$gaps"

# Its bound counts what leaves, as its router sees it: where the interface's MTU is 68 each message of its own is cut, and where
# the route's is smaller than the interface's, into more fragments than the interface would need.
in_ns isp nft -f - << 'X'
table inet count { chain come { type filter hook prerouting priority -500; ip daddr 10.99.2.2 counter; }; }
X
came() { in_ns isp nft -j list table inet count | jq '[.nftables[].rule? | select(.) | .expr[] | .counter? | select(.) | .packets] | add'; }
sends_as_counted() { # WHAT
    local before
    before=$(came)
    probe 10.99.2.2
    equal "$1: it counts what it sends" "$(said .packets_sent)" $(($(came) - before))
    compare "$1: at most 40" $(($(came) - before)) -le 40
}
interface_mtu() { # MTU: of the client's link
    ip -n "$LAB-cli" link set eth0 mtu "$1"
    ip -n "$LAB-isp" link set home mtu "$1"
}
ip -n "$LAB-cli" route add 10.99.2.2 via 10.99.1.1 mtu 576
sends_as_counted "a route with MTU 576"
ip -n "$LAB-cli" route del 10.99.2.2
interface_mtu 68
firewall drop_fragments on # so that it repeats all it can
sends_as_counted "an interface with MTU 68"
equal "an interface with MTU 68: the bound ends it" true "$(said .out_of_packets)"
firewall drop_fragments off
interface_mtu 1500
ip -n "$LAB-isp" addr replace fd99:1::1/64 dev home nodad # the small MTU took IPv6 away
ip -n "$LAB-cli" addr replace fd99:1::2/64 dev eth0 nodad
ip -n "$LAB-cli" -6 route replace default via fd99:1::1
in_ns isp nft delete table inet count

# ---------------------------------------------------------------- a firewall that drops fragments
firewall drop_fragments on
for address in 10.99.2.2 fd99:2::2; do
    probe $address
    equal "fragments dropped, $address: told" '[false,true]' "$(said '[.fragments.pass, .server.fragmentation]')"
    equal "fragments dropped, $address: D04, exit code 1" 'D04 1' "$(ids) $code"
done
firewall drop_fragments off

# ---------------------------------------------------------------- a blocked and a closed port
in_ns fw iptables-legacy -w -A FORWARD -p udp --dport 4500 -j DROP
probe 10.99.2.2
equal "4500 blocked: D08" 'D08 true false 1' "$(ids) $(said .ports[0].answers) $(said .ports[1].answers) $code"
in_ns fw iptables-legacy -w -F FORWARD
in_ns fw iptables-legacy -w -A FORWARD -p udp -m multiport --dports 500,4500 -j DROP
probe 10.99.2.2
equal "both blocked: D09" 'D09 D09 1' "$(ids) $code"
in_ns fw iptables-legacy -w -F FORWARD
in_ns fw iptables-legacy -w -A FORWARD -p udp -m multiport --dports 500,4500 -j REJECT --reject-with icmp-admin-prohibited
probe 10.99.2.2
equal "prohibited by the firewall: D28 names it" 'D28 D28 1 "10.99.3.1"' "$(ids) $code $(said .ports[0].icmp.reporter)"
in_ns fw iptables-legacy -w -F FORWARD
peers_stop
probe 10.99.2.2
equal "no service: D28 by the host" 'D28 D28 1 "10.99.2.2" "port unreachable"' \
    "$(ids) $code $(said .ports[0].icmp.reporter) $(said .ports[0].icmp.text)"

# ---------------------------------------------------------------- servers of other minds
peers_start FRAG=no
probe 10.99.2.2
equal "a server without 16430: D01, exit code 1" 'D01 false 1' "$(ids) $(said .server.fragmentation) $code"
firewall drop_fragments on
probe 10.99.2.2
equal "… and fragments dropped: D04 before D01" 'D04 D01 1' "$(ids) $code"
firewall drop_fragments off
peers_again FRAG=yes COOKIE=1
probe 10.99.2.2
probe 10.99.2.2
equal "cookies: wanted, given, 16430 seen" '[true,true,true,true]' \
    "$(said '[.server.cookie, .server.fragmentation, .fragments.pass, .path_mtu.exact]')"
peers_again FRAG=yes KE=modp2048
probe 10.99.2.2
equal "another group wanted: asked again with it" '[14,true,true]' \
    "$(said '[.server.wanted_group, .server.fragmentation, .fragments.pass]')"
peers_again FRAG=yes KE=ecp384
probe 10.99.2.2
equal "an elliptic curve's group, too" '[20,true,true]' "$(said '[.server.wanted_group, .server.fragmentation, .fragments.pass]')"

# ---------------------------------------------------------------- what is no server
for host in 224.0.0.1 255.255.255.255 ff02::1 ::ffff:224.0.0.1 ::ffff:10.99.2.2; do
    probe "$host"
    equal "$host is refused" 1 $code
    compare "… as no single host" "$(tail -n 1 "$LAB_DIR/probe.log" | grep -c 'no single host')" -eq 1
done
probe 10.99.1.255
equal "broadcast is refused" 1 $code
probe 203.0.113.1
compare "an address without a route: told, exit code 1" $code -eq 1
probe no-such-host.invalid
equal "an unknown name: exit code 1" 1 $code
compare "… in plain words" "$(grep -c 'cannot resolve' "$LAB_DIR/probe.log")" -ge 1

# ---------------------------------------------------------------- our own daemon in the path
ikefragd_start guard
for address in 10.99.2.2 fd99:2::2; do probe $address; done
firewall drop_fragments on
probe 10.99.2.2
firewall drop_fragments off
sleep 3
equal "the daemon names no failure for a probe" 0 "$(ctl diagnoses --json --kind failure | jq '.diagnoses | length')"
compare "… and knows it as one" "$(ctl handshakes --json | jq '[.handshakes[] | select(.probe)] | length')" -ge 4
equal "… and nothing else" 0 "$(ctl handshakes --json | jq '[.handshakes[] | select(.probe | not)] | length')"
