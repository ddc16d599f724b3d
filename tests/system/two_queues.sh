#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two queues: all fragments of an address pair go to the same one, and both are used when there are many clients.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start
ikefragd_start guard QUEUES=2
for connection in v4 v6 v4-natt v6-natt; do
    check "two queues: established, $connection" handshake $connection
    handshake_ends $connection
done
peers_stop
equal "two queues: all fragments of the handshakes were accepted" 32 "$(metric ikefrag_verdicts_total verdict=accept)"

# Many clients: each one's datagram in three fragments, out of order.
for number in $(seq 40 71); do ip -n "$LAB-cli" addr add "10.99.1.$number/24" dev eth0; done
lab_spawn sink srv "$lab_source/udp.py" sink 10.99.2.2 500
lab_wait 5 grep -q listening "$LAB_DIR/sink.log"
for number in $(seq 40 71); do
    in_ns cli "$lab_source/packets.py" fragments --opening --source "10.99.1.$number" --id $((1000 + number)) --order 1,0,2 --size 4000
done > "$LAB_DIR/sent.log"
lab_wait 5 test "$(wc -l < "$LAB_DIR/sink.log")" -ge 65 || true
equal "two queues: 32 datagrams from 32 clients arrive" "$(sort "$LAB_DIR/sent.log")" "$(grep '^4000 ' "$LAB_DIR/sink.log" | sort)"
for queue in 500 501; do compare "two queues: queue $queue had packets" "$(metric ikefrag_verdicts_total queue=$queue)" -gt 0; done
equal "two queues: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
sleep 0.2
for queue in 500 501; do
    equal "two queues: counts of queue $queue add up" "$(metric ikefrag_queue_packets_total queue=$queue)" \
        "$(($(metric ikefrag_verdicts_total queue=$queue) + $(metric ikefrag_queue_waiting_packets queue=$queue) + $(metric ikefrag_queue_vanished_total queue=$queue) + $(metric ikefrag_queue_unseen_total queue=$queue)))"
done
