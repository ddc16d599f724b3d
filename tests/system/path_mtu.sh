#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A link of MTU 1492 (PPPoE) between client and firewall: a router cuts fragments of 1480 octets into 1472 + 8 with MF set,
# and such a tiny non-last fragment must pass.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up PATH_MTU=1492
peers_start
capture_start lan fw lan -Q in
ikefragd_start exclusive

for connection in v4 v6 v4-natt; do
    check "path MTU 1492: established, $connection" handshake $connection
    handshake_ends $connection
done
capture_stop lan
sizes=$(tcpdump -nvr "$LAB_DIR/lan.pcap" 'ip[6:2] & 0x3fff != 0' 2> /dev/null | sed -n 's/.*offset \([0-9]*\), flags \[\([^]]*\)\].*length \([0-9]*\)).*/\1 \2 \3/p')
compare "path MTU 1492: fragments of 8 octets with MF came" "$(grep -c '^1472 + 28$' <<< "$sizes")" -ge 2
equal "path MTU 1492: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
equal "path MTU 1492: nothing was dropped" 0 "$(metric ikefrag_verdicts_total verdict=drop)"
check "path MTU 1492: every IKE_AUTH came whole" test "$(metric ikefrag_ip_datagrams_total outcome=complete)" -ge 6
