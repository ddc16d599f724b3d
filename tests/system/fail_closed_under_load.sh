#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fail_open = false, with handshakes in IP fragments running all the time: what finds the queue or the socket full, or the daemon
# dead, does not get through. A chain behind the daemon counts every fragment that goes on: never one more than the daemon accepted.
# slow
# limit 200
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/load.sh
. "$(dirname "$0")/../lab/load.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start RETRANSMIT=4.0 TRIES=3
may_repeat=2 # closed longer than 4 s, on a busy machine, takes the first repetition along
in_ns fw nft 'table inet judge { chain forward { type filter hook forward priority 500;
    ip frag-off & 0x3fff != 0 counter; exthdr frag exists counter; }; }'
accepted() { metric ikefrag_verdicts_total verdict=accept; }
went_on() { in_ns fw nft -j list chain inet judge forward | jq '[.. | .counter? // empty | .packets] | add'; }

config() { # QUEUE-LENGTH
    ikefragd_config guard QUEUE_LENGTH="$1" EXTRA=$'[limits]\ntable_packets = 512'
    sed -i 's/^max_length = .*/&\nfail_open = false/' "$LAB_DIR/ikefragd.toml"
}
ready() { http /-/ready > /dev/null; }
start_again() {
    lab_spawn ikefragd fw "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
    lab_wait 15 ready
}
# No handshake is under way, nothing waits: what went on since it was $2 is what this daemon accepted.
is_what_was_accepted() { # WORDS BEFORE
    sleep 1.1 # the text of the metrics may be a second old
    check "$1: nothing waits any more" lab_wait 15 metric_reaches ikefrag_queue_waiting_packets -eq 0
    equal "$1: fragments that went on, and those accepted" "$(accepted)" "$(($(went_on) - $2))"
    compare "$1: accepted at all" "$(accepted)" -ge 16
}
overflow() { # NUMBER SIZE
    flood_standing_daemon "$1" "$2"
    lab_wait 10 metric_reaches ikefrag_queue_unseen_total -ge 1000
}
dead_for_two_seconds() {
    lab_stop ikefragd KILL || true
    dead=$(went_on)
    sleep 2
    equal "daemon dead: fragments that went on meanwhile" "$dead" "$(went_on)"
    start_again
}

# ---- the queue is full
config 1024
ikefragd_run
load_start
before=$(went_on)
during "queue full" overflow 4000 200
says "queue full" 'fragments found the queue or its socket full and were dropped \(fail_open = false\)'
load_stop
is_what_was_accepted "queue full" "$before"

# ---- the daemon dies, a table that it left stands, it comes back
load_start
during "daemon dead for two seconds" dead_for_two_seconds
says "daemon dead for two seconds" 'one that was left was taken over'
load_stop
is_what_was_accepted "after a death" "$dead"

# ---- it is restarted on purpose: what it holds is answered, the table goes and comes; nothing is closed meanwhile
load_start
stopped_and_started() {
    ikefragd_stop
    config 65535
    start_again
}
during "restart" stopped_and_started
load_stop

# ---- the socket's buffer is full before the queue is
sleep 1.1
before=$(($(went_on) - $(accepted)))
load_start
during "socket full" overflow 20000 1480
says "socket full" 'fragments found the queue or its socket full and were dropped \(fail_open = false\)'
compare "socket full: ENOBUFS is counted" "$(metric ikefrag_queue_enobufs_total)" -ge 1
load_stop
is_what_was_accepted "socket full" "$before"
