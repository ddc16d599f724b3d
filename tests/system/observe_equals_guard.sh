#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What observe says it would have done is what guard does on the same packets, reason by reason; and observe's table has no
# queue rule in it. The packets: one of every kind of bad fragment, and real handshakes.
# limit 240
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start
"$lab_source/packets.py" hostile "$LAB_DIR/hostile.pcap"

# The same traffic in every mode: then all timers end.
traffic() {
    local connection
    for connection in v4 v6 v4-natt v6-natt; do
        handshake $connection || true
        handshake_ends $connection
    done
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/hostile.pcap" eth0 --pause 0.002
    sleep 7
}
# FAMILY REASON COUNT of every refusal, enforced or not as asked
refusals() {
    http /metrics | sed -n "s/^ikefrag_refusals_total{\(.*\)} \([0-9.e+]*\)\$/\1 \2/p" | grep "enforced=\"$1\"" |
        sed 's/enforced="[a-z]*",\{0,1\}//; s/, / /; s/,/ /g' | sort | grep -v ' 0$'
}
datagrams() { http /metrics | grep '^ikefrag_ip_datagrams_total' | sort; }

ikefragd_start observe
queue_rules=$(in_ns fw nft list table inet ikefragd 2> /dev/null | grep -cE 'queue (flags|num|to)|NFQUEUE' || true)
traffic
refusals no > "$LAB_DIR/observe.json"
datagrams > "$LAB_DIR/observe-datagrams.json"
equal "observe: its table has no queue rule" 0 "$queue_rules"
equal "observe: nothing was refused in earnest" "" "$(refusals yes)"
equal "observe: no verdict was given" 0 "$(metric ikefrag_verdicts_total)"
ikefragd_stop

ikefragd_start guard
queue_rules=$(in_ns fw nft list table inet ikefragd 2> /dev/null | grep -cE 'queue (flags|num|to)|NFQUEUE' || true)
compare "guard: its table has a queue rule" "$queue_rules" -ge 1
traffic
refusals yes > "$LAB_DIR/guard.json"
datagrams > "$LAB_DIR/guard-datagrams.json"
equal "guard: nothing was only told" "" "$(refusals no)"
ctl handshakes --json > "$LAB_DIR/guard-handshakes.json" || true
ikefragd_stop

check "what observe would have refused is what guard refused, reason by reason" diff "$LAB_DIR/observe.json" "$LAB_DIR/guard.json"
check "datagrams by outcome are the same in observe and guard" diff "$LAB_DIR/observe-datagrams.json" "$LAB_DIR/guard-datagrams.json"
for reason in overlap inconsistent_last bad_length tiny_first too_many too_big timeout duplicate checksum udp_length ike_malformed; do
    for family in ipv4 ipv6; do
        check "guard refused something for: $reason, $family" grep -q "family=\"$family\".*reason=\"$reason\"" "$LAB_DIR/guard.json"
    done
done
check "guard refused something for: ip_options, ipv4" grep -q 'reason="ip_options"' "$LAB_DIR/guard.json"
check "guard refused something for: header_chain, ipv6" grep -q 'reason="header_chain"' "$LAB_DIR/guard.json"
