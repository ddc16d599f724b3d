#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ESP in UDP stays in the kernel, fragmented or not: a live tunnel over links of MTU 1280, whose big packets are cut, passes in
# every mode, and none of its packets reaches the daemon.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
if [ ! -e /dev/net/tun ]; then
    skip "ESP in UDP" "no TUN device here"
    exit
fi
lab_links_up MTU=1280
peers_start ESP=userland
lab_spawn echo srv "$lab_source/udp.py" echo 10.98.2.1 7777
lab_wait 5 grep -q listening "$LAB_DIR/echo.log"
through_tunnel() { in_ns cli "$lab_source/udp.py" ask 10.98.2.1 7777 64 200 1000 1300 1350 1350 --bind 10.98.1.1; }

for mode in observe guard exclusive; do
    ikefragd_start $mode
    check "ESP in UDP, $mode: the tunnel comes up" handshake v4
    before="$(metric ikefrag_verdicts_total)"
    capture_start "esp-$mode" fw lan 'ip[6:2] & 0x3fff != 0 or udp port 4500'
    for round in 1 2 3; do check "ESP in UDP, $mode: small and big packets there and back, round $round" through_tunnel; done
    capture_stop "esp-$mode"
    compare "ESP in UDP, $mode: some of them were IP fragments" \
        "$(tcpdump -nr "$LAB_DIR/esp-$mode.pcap" 'ip[6:2] & 0x1fff != 0' 2> /dev/null | wc -l)" -ge 6
    after="$(metric ikefrag_verdicts_total)"
    equal "ESP in UDP, $mode: no fragment of it was queued" "$before" "$after"
    equal "ESP in UDP, $mode: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
    sleep 0.5
    lab_wait 5 metric_reaches ikefrag_handshakes_completed_total -ge 1 || true
    compare "ESP in UDP, $mode: the handshake counts as completed" "$(metric ikefrag_handshakes_completed_total)" -ge 1
    ctl handshakes --json > "$LAB_DIR/handshakes-$mode.json"
    equal "ESP in UDP, $mode: and ESP is its basis" '["esp"]' "$(jq -c '[.handshakes[].basis] | unique' "$LAB_DIR/handshakes-$mode.json")"
    handshake_ends v4
    ikefragd_stop
done
