#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon stopped (SIGSTOP) or killed (kill -9) while handshakes of whole messages run, in observe and in guard: none of
# them is disturbed, not even by a retransmission. Fragmented ones pass a dead daemon, too.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start CERT=ecdsa FRAG=yes

# handshakes WORDS NUMBER: so many handshakes over each connection, without a single retransmission
handshakes() {
    local n connection failed=0 before after
    before=$(grep -c retransmit "$LAB_DIR/cli.log" || true)
    for ((n = 0; n < $2; n++)); do
        for connection in v4 v6 v4-natt v6-natt; do
            handshake $connection 6 || failed=$((failed + 1))
            handshake_ends $connection
        done
    done
    after=$(grep -c retransmit "$LAB_DIR/cli.log" || true)
    equal "$1: handshakes that failed" 0 "$failed"
    equal "$1: messages sent again" 0 "$((after - before))"
}
for mode in observe guard; do
    ikefragd_start $mode
    handshakes "$mode, daemon runs" 3
    kill -STOP "${lab_pids[ikefragd]}"
    handshakes "$mode, daemon stopped (SIGSTOP)" 5
    kill -CONT "${lab_pids[ikefragd]}"
    check "$mode: it answers again after SIGCONT" lab_wait 3 http /-/healthy
    handshakes "$mode, daemon runs again" 3
    lab_stop ikefragd KILL || true
    handshakes "$mode, daemon killed" 5
    check "$mode: the killed daemon's table stays" in_ns fw nft list table inet ikefragd
    ikefragd_run
    handshakes "$mode, daemon took its table over" 3
    ikefragd_stop
done

# killed in the middle of it: handshakes of long messages in IP fragments, fail-open
peers_stop
peers_start FRAG=no RETRANSMIT=0.5 TRIES=4
ikefragd_start guard
(sleep 0.5; kill -KILL "${lab_pids[ikefragd]}") &
killer=$!
failed=0
for ((n = 0; n < 8; n++)); do
    for connection in v4 v6; do
        handshake $connection 8 || failed=$((failed + 1))
        handshake_ends $connection
    done
done
wait $killer
equal "guard, killed amid handshakes in IP fragments: handshakes that failed" 0 "$failed"
lab_stop ikefragd KILL || true
check "guard, daemon dead: a handshake in IP fragments is established" handshake v4
