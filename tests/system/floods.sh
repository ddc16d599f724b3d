#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R3: floods of first fragments whose tails never come, and what is left of IKE: real strongSwan handshakes in IP fragments and
# synthetic IKE_AUTHs in five, through ikefragd and, the same flood again, through the kernel's own defragmentation alone.
# slow
# limit 600
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd

rate=4000 # the shipped table holds 512 datagrams for 5 s: 40 times what it holds within each of them
# P7: what a flood may take beyond what the daemon had before it is the gate's cap, table_bytes as shipped, and 5 %.
table_bytes=$(sed -nE 's/^ *std::uint32_t table_bytes = ([0-9]+)u << ([0-9]+);.*/\1 \2/p' "$lab_project/plugin/policy.hpp" | { read -r a b && echo $((a << b)); })
most_grown=$((table_bytes * 105 / 102400)) # KiB
servers='[[server]]
name = "vpn1"
addresses = ["10.99.2.2", "10.99.2.3", "fd99:2::2", "fd99:2::3"]'

# sink NAMESPACE ADDRESS: counts whole IKE_AUTHs that the kernel there put together for it (a socket would be strongSwan's)
sink() {
    in_ns "$1" nft "table inet sink { chain in { type filter hook input priority 0; $([[ $2 = *:* ]] && echo ip6 || echo ip) daddr $2 udp dport 500 udp length > 6000 counter; }; }"
}
resident() { awk '/^VmRSS/ { print $2 }' "/proc/${lab_pids[ikefragd]}/status"; } # KiB
received() { in_ns "$1" nft -j list chain inet sink in | jq '[.nftables[].rule? | select(.) | .expr[].counter? | select(.) | .packets] | add'; }

# flood KIND: synthetic and real IKE while it runs; leaves `synthetic` (share that came, in 1/1000), `real`, `tried` and `grown`
flood() {
    local kind=$1 family='' connection=v4 from=cli to=srv source=10.99.1.3 destination=10.99.2.3 pid
    case $kind in
    one6 | net48) family=-6 connection=v6 source=fd99:1::3 destination=fd99:2::3 ;;
    server | client) from=srv to=cli source=10.99.2.3 destination=10.99.1.3 ;;
    esac
    sink $to $destination
    "$lab_source/packets.py" flood "$LAB_DIR/flood.pcap" "$kind" 20000
    if lab_alive ikefragd; then grown=$(resident); fi
    lab_spawn flood cli "$lab_source/packets.py" play "$LAB_DIR/flood.pcap" eth0 --rate $rate --seconds 120 # or as long as ours come
    sleep 2 # the table, and the kernel's memory for fragments, are full
    # shellcheck disable=SC2086 # the family, or nothing
    in_ns $from "$lab_source/packets.py" fragments $family --count $datagrams --size 6900 --id 30000 --opening \
        --source $source --destination $destination --pause 0.002 > /dev/null &
    pid=$!
    real=0 tried=0
    while kill -0 $pid 2> /dev/null; do
        tried=$((tried + 1))
        if handshake $connection 10; then real=$((real + 1)); fi
        handshake_ends $connection
    done
    wait $pid
    sleep 0.5
    synthetic=$(($(received $to) * 1000 / datagrams))
    lab_stop flood || true
    sent=$(cat "$LAB_DIR/flood.log")
    if lab_alive ikefragd; then grown=$(($(resident) - grown)); fi
}

# lab_of WHO: fresh namespaces, so that no flood lives on what another left
lab_of() {
    lab_links_up
    ip -n "$LAB-srv" addr add 10.99.2.3/24 dev eth0
    ip -n "$LAB-srv" addr add fd99:2::3/64 dev eth0 nodad
    ip -n "$LAB-cli" addr add 10.99.1.3/24 dev eth0
    ip -n "$LAB-cli" addr add fd99:1::3/64 dev eth0 nodad
    peers_start FRAG=no RETRANSMIT=1.0 TRIES=3
    if [ "$1" = ikefragd ]; then ikefragd_start guard SERVERS="$servers"; else firewall conntrack on; fi
}
lab_away() {
    lab_stop_all
    lab_links_down
}

printf '%-47s %-10s %9s %14s %s\n' "flood of $rate fragments a second" through sent "synthetic" "real handshakes"
for kind in one one6 many net48 server client; do
    case $kind in
    one) words='one source' least=999 ;;
    one6) words='one IPv6 /64' least=999 ;;
    many) words='10 000 spoofed sources' least=990 ;;
    net48) words='one IPv6 /48' least=999 ;;
    server) words="the server's own address, spoofed" least=990 ;;
    # One source with the true answers, the oldest of which makes way: they stand as many forged ones between their first
    # fragment and their last as the table has room for.
    client) words="forged answers to the client that waits for one" least=990 ;;
    esac
    for who in kernel ikefragd; do
        lab_of $who
        # With the daemon so many that the loss of one in a thousand shows.
        if [ $who = kernel ]; then datagrams=100; else datagrams=1000; fi
        flood $kind
        printf '%-47s %-10s %9s %14s %s of %s\n' "$words" $who "$sent" "$(awk "BEGIN { print $synthetic / 10 }")% of $datagrams" "$real" "$tried"
        if [ $who = ikefragd ]; then
            compare "flood from $words: synthetic IKE_AUTHs that came through, in 1/1000" "$synthetic" -ge $least
            equal "flood from $words: real handshakes" "$tried" "$real"
            compare "flood from $words: resident memory grew by KiB, table_bytes and 5 % at most" "$grown" -le $most_grown
            compare "flood from $words: it was refused, fragment by fragment" "$(metric ikefrag_refusals_total)" -ge 5000
        fi
        lab_away
    done
done
