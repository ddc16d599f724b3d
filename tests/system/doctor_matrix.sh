#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hosts set up wrongly, one after the other: the doctor names what is wrong with each, and nothing else; mended, it is silent.
# limit 240
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin iptables-nft ip6tables-nft
lab_links_up

doctor() { ctl doctor --config "$LAB_DIR/ikefragd.toml" --json || true; } # status 1 says that it found something
findings() { doctor | jq -r '.checks[] | select(.standing == "warning" or .standing == "wrong") | .check + ": " + .found'; }
# names WORDS CHECK TEXT: the doctor has findings of this check alone, one of them with this text
names() {
    local found
    found=$(findings)
    if ! grep -qE "^$2: .*$3" <<< "$found"; then
        fail "$1: is named" "wanted '$2: … $3', got '$(tr '\n' '|' <<< "$found" | cut -c 1-300)'"
    elif grep -qvE "^($2): " <<< "$found"; then
        fail "$1: nothing else is" "$(grep -vE "^($2): " <<< "$found" | head -n 2 | tr '\n' '|')"
    else
        ok "$1: is named, and nothing else is"
    fi
}
healthy() { equal "$1: no finding" "" "$(findings)"; }
# note WORDS CHECK TEXT: told, but not as a finding
note() {
    check "$1: is told" bash -c "grep -qE '$3' <<< \"\$1\"" - "$(doctor |
        jq -r ".checks[] | select(.check == \"$2\" and (.standing == \"note\" or .standing == \"good\")) | .found")"
}

ikefragd_start guard
healthy "a good host"

# ---- who else drops fragments
knows_drop() { ctl status --json | jq -r .pass | grep -q "$1"; }
# a default drop that accepts IKE by its ports: the later fragments have none; first, before anything was tracked here
strict='table inet other { chain forw { type filter hook forward priority 0; policy drop; meta l4proto { icmp, ipv6-icmp } accept; udp dport { 500, 4500 } accept; udp sport { 500, 4500 } accept; }; }'
in_ns fw nft "$strict"
names "a default drop" fragment_drop 'drops fragments behind us.*inet other forw: policy drop: whole IKE is accepted by its ports'
check "a default drop: the daemon names it, too" lab_wait 10 knows_drop 'inet other forw drops fragments'
in_ns fw nft 'delete table inet other'
in_ns fw nft 'table inet other { chain pre { type filter hook prerouting priority raw; ip frag-off & 0x1fff != 0 drop; }; }'
names "nft drops fragments" fragment_drop 'inet other pre: ip frag-off'
in_ns fw nft 'add chain inet other track { type filter hook forward priority 0; }; add rule inet other track ct state invalid drop'
healthy "the same behind connection tracking, which makes them whole"
note "the same behind connection tracking" fragment_drop 'conntrack makes them whole'
in_ns fw nft 'delete table inet other'
in_ns fw nft 'table netdev before { chain in { type filter hook ingress device wan priority 0; ip frag-off & 0x1fff != 0 drop; }; }'
names "nft drops fragments before us" 'hook_order|fragment_drop' 'netdev before in'
in_ns fw nft 'delete table netdev before'
for tool in iptables-legacy iptables-nft; do
    in_ns fw $tool -w -t raw -A PREROUTING -f -j DROP
    names "$tool drops fragments" fragment_drop 'raw PREROUTING'
    in_ns fw $tool -w -t raw -D PREROUTING -f -j DROP
done
for tool in ip6tables-legacy ip6tables-nft; do
    in_ns fw $tool -w -t raw -A PREROUTING -m frag --fragmore -j DROP
    names "$tool drops fragments" fragment_drop 'raw PREROUTING'
    in_ns fw $tool -w -t raw -D PREROUTING -m frag --fragmore -j DROP
done
for tool in iptables-legacy iptables-nft; do
    in_ns fw $tool -w -A FORWARD -m conntrack --ctstate INVALID -j ACCEPT
    note "$tool switches connection tracking on" conntrack 'conntrack is active'
    in_ns fw $tool -w -D FORWARD -m conntrack --ctstate INVALID -j ACCEPT
    note "$tool: and off" conntrack 'no conntrack here'
done
# rules that no fragment of IKE meets
none() { equal "$1: no rule that drops fragments" "" "$(findings)"; }
in_ns fw nft 'table inet other { chain unused { ip frag-off & 0x1fff != 0 drop; }; }'
none "a chain that nothing leads to"
in_ns fw nft 'table inet other { chain forw { type filter hook forward priority 0; ip frag-off & 0x1fff != 0 meta l4proto != 17 drop; iif lo ip frag-off & 0x1fff != 0 drop; }; }'
none "a rule on other protocols' fragments"
in_ns fw nft 'add rule inet other forw jump unused'
names "the chain, once something leads to it" fragment_drop 'drops fragments behind us.*inet other unused: ip frag-off'
in_ns fw nft 'delete table inet other'
in_ns fw nft 'table inet other { chain forw { type filter hook forward priority 0; iifname wan ip frag-off & 0x1fff != 0 drop; }; }'
names "a rule on one interface" fragment_drop 'may drop fragments of IKE behind us .*inet other forw: iifname'
in_ns fw nft 'delete table inet other'
in_ns fw nft "$strict"
in_ns fw nft 'insert rule inet other forw ct state established,related accept'
none "a default drop behind connection tracking"
in_ns fw nft 'delete table inet other'
in_ns fw nft "$strict"
in_ns fw nft 'insert rule inet other forw meta mark & 0x1 == 0x1 accept'
names "a default drop that accepts a mark nobody sets" fragment_drop 'inet other forw: policy drop'
ikefragd_stop
ikefragd_start guard TOP='mark = { value = 0x1, mask = 0x1 }'
none "a default drop that accepts our mark"
ctl mode observe > /dev/null
names "the same in observe, where nothing is marked" 'config|daemon|fragment_drop' 'inet other forw: policy drop'
ikefragd_stop
in_ns fw nft 'delete table inet other'
ikefragd_start guard
for tool in iptables-legacy iptables-nft; do
    in_ns fw $tool -w -P FORWARD DROP
    for side in dport sport; do in_ns fw $tool -w -A FORWARD -p udp -m udp --$side 500:4500 -j ACCEPT; done
    names "$tool drops by default" fragment_drop 'FORWARD: policy drop'
    in_ns fw $tool -w -I FORWARD -f -j ACCEPT
    none "$tool accepts fragments"
    in_ns fw $tool -w -P FORWARD ACCEPT
    in_ns fw $tool -w -F FORWARD
done
as_nobody() { in_ns fw setpriv --reuid 65534 --clear-groups "$(lab_build)/ikefragctl" doctor --config "$LAB_DIR/ikefragd.toml" --json || true; }
equal "another user: what could not be read is not good" "conntrack fragment_drop hook_order offload" \
    "$(as_nobody | jq -r '[.checks[] | select(.found | startswith("not read")) | .check] | join(" ")')"
in_ns fw nft flush ruleset # iptables-nft leaves its empty tables
lab_wait 5 in_ns fw nft list chain inet ikefragd pre
healthy "all of it taken away"

# ---- NAT that the configuration does not know
in_ns fw nft 'table ip nat { chain pre { type nat hook prerouting priority -100; ip daddr 10.99.2.2 udp dport { 500, 4500 } dnat to 10.0.0.5; }; }'
names "DNAT to an address not configured" servers 'inside address is not configured'
in_ns fw nft 'flush chain ip nat pre; add rule ip nat pre ip daddr 10.99.2.2 udp dport 500 dnat to 10.0.0.5'
names "4500 is not forwarded" 'dnat|servers' 'UDP/4500 is not'
in_ns fw nft 'flush chain ip nat pre'
for tool in iptables-legacy iptables-nft; do
    in_ns fw $tool -w -t nat -A PREROUTING -d 10.99.2.2 -p udp --dport 500 -j DNAT --to-destination 10.0.0.5
    names "DNAT by $tool, and 4500 not" 'dnat|servers' '(inside address is not configured|UDP/4500 is not)'
    in_ns fw $tool -w -t nat -D PREROUTING -d 10.99.2.2 -p udp --dport 500 -j DNAT --to-destination 10.0.0.5
done
in_ns fw nft delete table ip nat 2> /dev/null || true # what iptables-nft leaves

# ---- the way fragments are queued
if in_ns fw nft -c 'table inet try { chain try { queue to 0; }; }' 2> /dev/null; then
    note "a kernel with nft_queue" nft_queue 'has nftables. queue statement'
else
    note "a kernel without nft_queue" nft_queue 'lacks nft_queue; the iptables target'
fi

# ---- kernel settings
in_ns fw sysctl -qw net.ipv4.ip_forward=0
names "IPv4 not forwarded" forwarding 'IPv4 is not forwarded'
in_ns fw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0
names "IPv6 not forwarded" forwarding 'IPv6 is not forwarded'
in_ns fw sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ipfrag_time=1
names "an impatient kernel" sysctl 'ipfrag_time is 1 s'
in_ns fw sysctl -qw net.ipv4.ipfrag_time=30
low=$(in_ns fw sysctl -n net.ipv4.ipfrag_low_thresh) high=$(in_ns fw sysctl -n net.ipv4.ipfrag_high_thresh)
in_ns fw sysctl -qw net.ipv4.ipfrag_low_thresh=0 net.ipv4.ipfrag_high_thresh=0
names "no room for fragments" sysctl 'ipfrag_high_thresh is 0'
in_ns fw sysctl -qw "net.ipv4.ipfrag_high_thresh=$high" "net.ipv4.ipfrag_low_thresh=$low"
in_ns fw nft 'table inet fast { flowtable ft { hook ingress priority 0; devices = { wan }; }; }' 2> /dev/null &&
    note "a flow table" offload 'flow tables'
in_ns fw nft delete table inet fast 2> /dev/null || true
healthy "all of it set right"

# ---- the daemon and its configuration
sed -i 's/mode = "guard"/mode = "exclusive"/' "$LAB_DIR/ikefragd.toml"
names "configuration newer than the daemon" config 'not what the daemon runs with'
sed -i 's/mode = "exclusive"/mode = "exclsive"/' "$LAB_DIR/ikefragd.toml"
names "configuration with a mistake" config 'have 1 mistake'
ikefragd_config guard
in_ns fw nft delete table inet ikefragd
lab_wait 5 in_ns fw nft list chain inet ikefragd pre
healthy "its table deleted: it is back"
kill -STOP "${lab_pids[ikefragd]}"
names "a daemon that hangs" 'daemon' 'ikefragd hangs: the daemon listens on .* but did not answer within 3 s'
equal "a daemon that hangs: check" "2 IKEFRAG CRITICAL - the daemon listens on" \
    "$(hung=$(ctl check) ; echo "$? ${hung:0:40}")"
kill -CONT "${lab_pids[ikefragd]}"
lab_wait 5 http /-/healthy
ikefragd_stop
names "no daemon" daemon 'not running'

ikefragd_config guard
sed -i 's/^max_length = .*/&\nmanage_nft = false/' "$LAB_DIR/ikefragd.toml"
ikefragd_run
names "the admin's own table is missing" table 'nobody has loaded'
ctl nft --config "$LAB_DIR/ikefragd.toml" --mode observe > "$LAB_DIR/observe.nft"
in_ns fw nft -f "$LAB_DIR/observe.nft"
lab_wait 10 bash -c "grep -q 'was made for mode observe' '$LAB_DIR/ikefragd.log'" || true
names "the admin's own table is for another mode" table 'made for mode observe, not for mode guard'
check "the admin's own table is for another mode: check says so" bash -c 'grep -q "made for mode observe" <<< "$1"' - "$(ctl check || true)"
in_ns fw nft delete table inet ikefragd
ikefragd_stop

# ---- somebody else's program on our numbers, and on our port
lab_spawn holder fw python3 "$lab_source/hold_queue.py" 500
lab_wait 5 grep -q bound "$LAB_DIR/holder.log"
ikefragd_config guard
lab_spawn ikefragd fw "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
check "a queue that is taken: the daemon ends" lab_wait 10 bash -c "! kill -0 ${lab_pids[ikefragd]}"
lab_stop ikefragd || true
check "a queue that is taken: the log says so" grep -q 'another program has this queue' "$LAB_DIR/ikefragd.log"
names "a queue that is taken" 'daemon|queue|table' 'queue 500 is taken by another program'
lab_stop holder || true

ikefragd_config guard
sed -i 's/9786/9787/' "$LAB_DIR/ikefragd.toml"
lab_spawn ikefragd fw "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
lab_wait 10 in_ns fw curl -sf http://127.0.0.1:9787/-/ready
ikefragd_config guard # metrics.listen changes at the next restart only
names "the metrics endpoint is elsewhere" 'metrics|config' 'endpoint does not answer'
ikefragd_stop

# ---- a queue too short for what comes
ikefragd_config guard EXTRA='[limits]
table_packets = 512' QUEUE_LENGTH=1024
sed -i 's/^max_length = .*/&\nfail_open = false/' "$LAB_DIR/ikefragd.toml"
ikefragd_run
"$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 2000
kill -STOP "${lab_pids[ikefragd]}"
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
kill -CONT "${lab_pids[ikefragd]}"
lab_wait 5 http /-/healthy
names "a queue that was too short" queue 'queue 500 dropped [0-9]+ packets when full'
