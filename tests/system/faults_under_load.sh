#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Handshakes in IP fragments run without a pause while every fault happens to the daemon, one after the other. In fail-open none
# of them fails and none needs more than one message sent again; after a death the daemon is back within 1 s, after a hang within
# 4 s; every queue's sums add up. Both peers use strongSwan's own times (4 s to the first repetition).
# slow
# limit 400
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/load.sh
. "$(dirname "$0")/../lab/load.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
in_ns fw sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1 net.ipv6.conf.lan.keep_addr_on_down=1
# What passes unseen fills the server's own room for fragments: here that is not what is looked at.
in_ns srv sysctl -qw net.ipv4.ipfrag_high_thresh=200000000
peers_start RETRANSMIT=4.0 TRIES=3

hold_some() {
    in_ns cli "$lab_source/packets.py" fragments --count 5 --size 4000 --skip 2 > /dev/null
    lab_wait 2 metric_reaches ikefrag_held_packets -ge 10
}
start_again() { lab_spawn ikefragd fw "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"; }
ready() { http /-/ready > /dev/null; }

# ends_and_comes_back: kill -9, and what systemd does then; leaves in $back how many milliseconds passed since $1
ends_and_comes_back() {
    lab_stop ikefragd KILL || true
    start_again
    lab_wait 15 ready
    back=$(((${EPOCHREALTIME/./} - $1) / 1000))
}
death() { ends_and_comes_back "${EPOCHREALTIME/./}"; }
# What systemd's watchdog does with a daemon that hangs: after 3 s it is killed and started again.
hang() {
    local began=${EPOCHREALTIME/./}
    kill -STOP "${lab_pids[ikefragd]}"
    sleep 3
    ends_and_comes_back "$began"
}
restart() {
    hold_some
    ikefragd_stop
    start_again
    lab_wait 15 ready
}
base_chain() {
    in_ns fw nft 'add table inet other; add chain inet other base { type filter hook input priority 0; }'
    hold_some
    in_ns fw nft delete table inet other
}
table_flushed() {
    in_ns fw nft flush ruleset
    lab_wait 5 in_ns fw nft list chain inet ikefragd pre
}
link() {
    hold_some
    ip -n "$LAB-fw" link set lan down
    sleep 0.3
    ip -n "$LAB-fw" link set lan up
}
conntrack() {
    firewall conntrack on
    lab_wait 12 metric_reaches ikefrag_conntrack_active -eq 1
    sleep 1
    firewall conntrack off
}
bad_reload() {
    echo 'action = "psas"' >> "$LAB_DIR/rules.d/00-default.toml"
    if ctl reload; then return 1; fi
    ikefragd_config guard "${daemon[@]}"
    mv "$LAB_DIR/rules.d" "$LAB_DIR/rules.away"
    ctl reload || true # no folder: no rules of the admin's
    mv "$LAB_DIR/rules.away" "$LAB_DIR/rules.d"
    ctl reload
}
modes() {
    local mode
    for mode in exclusive observe guard; do ctl mode $mode; sleep 0.7; done
}
queue_full() {
    flood_standing_daemon 4000 200
    lab_wait 10 metric_reaches ikefrag_queue_unseen_total -ge 1000
}

daemon=(EXTRA=$'[limits]\ntable_packets = 512' QUEUE_LENGTH=1024)
ikefragd_start guard "${daemon[@]}"
load_start
during "no fault" sleep 1
equal "no fault: messages sent again" 0 "$(awk '{ n += $3 } END { print n }' "$LAB_DIR/load.txt")"
during "kill -9" death
compare "kill -9: milliseconds until it was back" "$back" -le 1000
during "SIGSTOP, watchdog" hang
compare "SIGSTOP, watchdog: milliseconds until it was back" "$back" -le 4000
during "restart with packets held" restart
during "another table's base chain deleted" base_chain
during "the ruleset flushed" table_flushed
during "link down and up" link
during "connection tracking on and off" conntrack
during "bad reload, rules folder away" bad_reload
during "every mode" modes
during "queue full" queue_full
load_stop
