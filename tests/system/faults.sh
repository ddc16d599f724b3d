#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong around a running daemon: held packets vanish, links go down, connection tracking comes and goes, queues
# overflow, the disk is full. In fail-open no handshake is lost by us, and the counts of every queue still add up.
# limit 240
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
in_ns fw sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1 net.ipv6.conf.lan.keep_addr_on_down=1
peers_start RETRANSMIT=1.0 TRIES=3

retransmissions() { grep -c retransmit "$LAB_DIR/cli.log" || true; }
# handshakes WORDS NUMBER ALLOWED: of so many handshakes in IP fragments none fails; ALLOWED messages may be sent again
handshakes() {
    local n connection failed=0 before
    before=$(retransmissions)
    for ((n = 0; n < $2; n++)); do
        for connection in v4 v6; do
            handshake $connection 10 || failed=$((failed + 1))
            handshake_ends $connection
        done
    done
    equal "$1: handshakes that failed" 0 "$failed"
    compare "$1: messages sent again" $(($(retransmissions) - before)) -le "$3"
}
sum() {
    echo $(($(metric ikefrag_verdicts_total queue=500) + $(metric ikefrag_queue_waiting_packets queue=500) + \
        $(metric ikefrag_queue_vanished_total queue=500) + $(metric ikefrag_queue_unseen_total queue=500)))
}
adds_up() { [ "$(sum)" = "$(metric ikefrag_queue_packets_total queue=500)" ]; }
# says WORDS PATTERN: the daemon's log has it in words
says() { check "$1: the log says so" lab_wait 5 grep -qE "$2" "$LAB_DIR/ikefragd.log"; }
sums_add_up() { # WORDS
    lab_wait 5 adds_up || true
    equal "$1: verdicts + waiting + vanished + unseen = queued" "$(metric ikefrag_queue_packets_total queue=500)" "$(sum)"
}
# Two of three fragments of five IPv4 datagrams: ten packets wait.
hold_some() {
    in_ns cli "$lab_source/packets.py" fragments --count 5 --size 4000 --skip 2 > /dev/null
    lab_wait 2 metric_reaches ikefrag_held_packets -ge 10
}
spawn_sink() {
    lab_spawn "$1" srv "$lab_source/udp.py" sink 10.99.2.2 5300
    lab_wait 5 grep -q listening "$LAB_DIR/$1.log"
}

ikefragd_start guard TOP='' EXTRA='' QUEUES=1
handshakes "all is well" 1 0
sums_add_up "all is well"

check "another table's base chain deleted: packets are held before" hold_some
in_ns fw nft 'add table inet other; add chain inet other base { type filter hook input priority 0; }'
in_ns fw nft delete table inet other
handshakes "another table's base chain deleted" 1 1
lab_wait 8 metric_reaches ikefrag_held_packets -eq 0 || true
equal "another table's base chain deleted: what vanished is counted" 10 "$(metric ikefrag_queue_vanished_total queue=500)"
sums_add_up "another table's base chain deleted"
says "another table's base chain deleted" 'a base chain was deleted.* clients will send them again'

check "link down and up: packets are held before" hold_some
ip -n "$LAB-fw" link set lan down
sleep 0.3
ip -n "$LAB-fw" link set lan up
lab_wait 5 lab_reaches 10.99.2.2
lab_wait 5 lab_reaches fd99:2::2
handshakes "link down and up" 1 1
lab_wait 8 metric_reaches ikefrag_held_packets -eq 0 || true
sums_add_up "link down and up"
says "link down and up" 'the kernel threw away [0-9]+ fragments that were held'

for round in 1 2; do
    firewall conntrack on
    lab_wait 12 metric_reaches ikefrag_conntrack_active -eq 1 || true
    equal "conntrack on, round $round: told" 1 "$(metric ikefrag_conntrack_active)"
    says "conntrack on, round $round" 'connection tracking is active: behind us'
    handshakes "conntrack on, round $round" 1 1
    firewall conntrack off
    handshakes "conntrack off, round $round" 1 1
done
sums_add_up "conntrack on and off"

mv "$LAB_DIR/rules.d" "$LAB_DIR/rules.away"
check "rules directory away: handshake" handshake v4
status=0
ctl reload > "$LAB_DIR/away.log" 2>&1 || status=$?
equal "rules directory away: reload is refused" 4 "$status"
check "rules directory away: told" grep -q 'rules.d: the rules directory is gone' "$LAB_DIR/away.log"
handshake_ends v4
mv "$LAB_DIR/ikefragd.toml" "$LAB_DIR/away.toml"
check "configuration away: reload is refused" bash -c "! '$(lab_build)/ikefragctl' --socket '$LAB_DIR/control.sock' reload"
says "configuration away" 'configuration refused, the old one stays: .*ikefragd\.toml'
equal "configuration away: told by the metric" 0 "$(metric ikefrag_config_last_reload_successful)"
mv "$LAB_DIR/away.toml" "$LAB_DIR/ikefragd.toml"
mv "$LAB_DIR/rules.away" "$LAB_DIR/rules.d"
check "rules directory back: reload" ctl reload
handshakes "after these reloads" 1 0
ikefragd_stop

# A queue that overflows while the daemon stands still: fail-open lets the rest pass, unseen and counted.
ikefragd_start guard EXTRA='[limits]
table_packets = 512' QUEUE_LENGTH=1024
"$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 4000
kill -STOP "${lab_pids[ikefragd]}"
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
kill -CONT "${lab_pids[ikefragd]}"
handshakes "queue full" 2 4
lab_wait 10 metric_reaches ikefrag_held_packets -eq 0 || true
sums_add_up "queue full"
compare "queue full: what passed unseen is counted" "$(metric ikefrag_queue_unseen_total queue=500)" -ge 2900
says "queue full" 'found the queue or its socket full and passed unseen'
ikefragd_stop

# Killed, and started again while fragments come: the rules it left send them to the new queue before it has taken them over.
by_the_rule() { in_ns fw nft list counter inet ikefragd queued 2> /dev/null | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
flows() { [ "$(by_the_rule)" -gt 2000 ]; }
ikefragd_start guard
lab_stop ikefragd KILL || true
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0 --rate 6000 --seconds 9 > /dev/null &
flood=$!
check "started again amid fragments: they pass by" lab_wait 15 flows
ikefragd_run
wait $flood
lab_wait 10 metric_reaches ikefrag_held_packets -eq 0 || true
sums_add_up "started again amid fragments"
ikefragd_stop

# peers.db on a full disk: the daemon says so and goes on.
ikefragd_config guard
lab_spawn ikefragd fw bash -c "mount -t tmpfs -o size=16k,mode=700 none '$LAB_DIR/state' && head -c 16k /dev/zero > '$LAB_DIR/state/fill';
    exec '$(lab_build)/ikefragd' --config '$LAB_DIR/ikefragd.toml'"
check "full disk: the daemon becomes ready" lab_wait 10 http /-/ready
handshakes "full disk" 2 0
check "full disk: counted" lab_wait 10 metric_reaches ikefrag_peers_database_failures_total -ge 1
check "full disk: what waits to be written is shown" lab_wait 5 metric_reaches ikefrag_peers_database_waiting -ge 1
says "full disk" 'error: peers\.db .* would not outlive a restart'
http /metrics > "$LAB_DIR/full-disk.log"
check "full disk: stops cleanly" ikefragd_stop
