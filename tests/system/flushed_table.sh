#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another tool flushes the whole ruleset: the table is back within a second, in every mode, and the metrics tell.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start
table_is_there() { in_ns fw nft list chain inet ikefragd pre; }
for mode in observe guard exclusive; do
    ikefragd_start $mode
    in_ns fw nft list table inet ikefragd 2> /dev/null | grep -v counter | sed 's/packets.*//' | grep -vE 'elements|expires|^[[:space:]]+[0-9]' > "$LAB_DIR/before-$mode.txt"
    for flush in 1 2 3; do
        in_ns fw nft flush ruleset
        began=$(date +%s%N)
        check "flushed table, $mode, flush $flush: it is back" lab_wait 5 table_is_there
        compare "flushed table, $mode, flush $flush: milliseconds until then" $((($(date +%s%N) - began) / 1000000)) -lt 1100
    done
    in_ns fw nft list table inet ikefragd 2> /dev/null | grep -v counter | sed 's/packets.*//' | grep -vE 'elements|expires|^[[:space:]]+[0-9]' > "$LAB_DIR/after-$mode.txt"
    check "flushed table, $mode: it is the same as before" diff "$LAB_DIR/before-$mode.txt" "$LAB_DIR/after-$mode.txt"
    equal "flushed table, $mode: the metric says it is there" 1 "$(metric ikefrag_table_present)"
    check "flushed table, $mode: a handshake in IP fragments is established" handshake v4
    check "flushed table, $mode: and seen" lab_wait 3 metric_reaches ikefrag_ike_messages_total exchange=IKE_AUTH -ge 1
    handshake_ends v4
    ikefragd_stop
    equal "flushed table, $mode: gone after the stop" 0 "$(in_ns fw nft list tables | grep -c ikefragd || true)"
done
