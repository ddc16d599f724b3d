#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Handshakes in IP fragments run without a pause while a socket's buffer overflows, somebody sets the clock, the disk is full and the
# configuration becomes unreadable to the daemon's own user. None fails, none needs more than one message sent again, the queue's
# sums add up, each fault has its metric and its line in the log.
# slow
# limit 200
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/load.sh
. "$(dirname "$0")/../lab/load.sh"
lab_begin swanctl pki charon-systemd cc setpriv
lab_links_up
# What passes unseen fills the server's own room for fragments: here that is not what is looked at.
in_ns srv sysctl -qw net.ipv4.ipfrag_high_thresh=200000000
peers_start RETRANSMIT=4.0 TRIES=3

# ---- the daemon: as a user of its own, its clock ours to set, its state on a small disk
if nm -D "$(lab_build)/ikefragd" | grep -q __asan_; then
    skip "clock set" "this build has AddressSanitizer, which must come first"
    exit
fi
cc -shared -fPIC -O1 -Wall -o "$LAB_DIR/step_clock.so" "$lab_source/step_clock.c" -ldl
head -c 8 /dev/zero > "$LAB_DIR/step"
ikefragd_config guard QUEUE_LENGTH=65535
lab_spawn ikefragd fw bash -c "mount -t tmpfs -o size=1m,uid=65534,mode=700 none '$LAB_DIR/state'
    exec env LD_PRELOAD='$LAB_DIR/step_clock.so' STEP_CLOCK='$LAB_DIR/step' '$(lab_build)/ikefragd' --user nobody --config '$LAB_DIR/ikefragd.toml'"
lab_wait 15 http /-/ready
equal "the daemon's user" nobody "$(stat -c %U "/proc/${lab_pids[ikefragd]}")"
state=/proc/${lab_pids[ikefragd]}/root$LAB_DIR/state

# ---- the faults
socket_full() {
    flood_standing_daemon 20000 1480
    lab_wait 10 metric_reaches ikefrag_queue_unseen_total -ge 1000
}
step_clock() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$LAB_DIR/step" "$1"; }
told_by() { grep -q "somebody set the clock by $1 s" "$LAB_DIR/ikefragd.log"; }
clock_set() { # SECONDS-FROM-THE-START'S SECONDS-FROM-BEFORE
    in_ns cli "$lab_source/packets.py" fragments --count 5 --size 4000 --skip 2 > /dev/null # so that some are held
    lab_wait 3 metric_reaches ikefrag_held_packets -ge 10 || return 1
    step_clock "$1"
    lab_wait 5 metric_reaches ikefrag_clock_step_seconds -eq "$1" &&
        lab_wait 5 told_by "$2" # once a second it looks: two steps within one would be told as one
}
# when a client was seen for the first time, as peers.db has it
stored() {
    nsenter --mount --target "${lab_pids[ikefragd]}" python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT max(first_seen) FROM peer WHERE role = ?", ("client",)).fetchone()[0] or 0)' "$LAB_DIR/state/peers.db"
}
more_stored() { [ "$(stored)" -gt "$1" ]; }
disk_full() {
    lab_wait 15 more_stored 0
    head -c 2m /dev/zero > "$state/fill" 2> /dev/null || true
    ctl peers forget 10.99.1.2 # so that the next handshake makes it a new peer
    lab_wait 20 metric_reaches ikefrag_peers_database_failures_total -ge 1
}
disk_free() {
    local before
    before=$(stored)
    rm "$state/fill"
    lab_wait 30 more_stored "$before"
}
config_hash() { http /metrics | grep '^ikefrag_config_hash_info'; }
a_handshake_meanwhile() { lab_wait 30 more_than "$(so_far)"; }
reload_was() { lab_wait 5 metric_reaches ikefrag_config_last_reload_successful -eq "$1"; }
rules_unreadable() {
    chmod 000 "$LAB_DIR/rules.d"
    ! ctl reload && reload_was 0 && a_handshake_meanwhile
}
config_unreadable() {
    chmod 755 "$LAB_DIR/rules.d"
    ctl reload && reload_was 1 || return 1
    chmod 000 "$LAB_DIR/ikefragd.toml"
    kill -HUP "${lab_pids[ikefragd]}" # as systemctl reload does
    reload_was 0 && a_handshake_meanwhile
}
readable_again() {
    chmod 644 "$LAB_DIR/ikefragd.toml"
    ctl reload && reload_was 1 && a_handshake_meanwhile
}

load_start
during "socket full" socket_full
says "socket full" 'fragments found the queue or its socket full and passed unseen \(fail_open = true\)'
compare "socket full: ENOBUFS is counted" "$(metric ikefrag_queue_enobufs_total queue=500)" -ge 1
during "clock set on" clock_set 3600 3600
during "clock set back" clock_set -86400 -90000
says "clock set on" 'somebody set the clock by 3600 s'
says "clock set back" 'somebody set the clock by -90000 s'
during "disk full" disk_full
says "disk full" 'error: peers\.db .* would not outlive a restart'
during "disk full no more" disk_free
says "disk full no more" 'peers are stored again'
hash=$(config_hash)
during "rules folder unreadable" rules_unreadable
says "rules folder unreadable" "configuration refused, the old one stays: .*/rules\.d: .*Permission denied"
during "configuration unreadable" config_unreadable
says "configuration unreadable" "configuration refused, the old one stays: .*/ikefragd\.toml: .*Permission denied"
equal "configuration unreadable: the old one is in force" "$hash" "$(config_hash)"
during "readable again" readable_again
load_stop
equal "no handshake is called failed" 0 "$(ctl handshakes --json | jq '[.handshakes[] | select(.outcome == "failed")] | length')"
equal "nothing was refused but what was never whole" 0 "$(ctl metrics | awk '/^ikefrag_refusals_total/ && !/reason="(timeout|source_limit|table_full|evicted)"/ { n += $NF } END { print n + 0 }')"
check "it ends as asked" ikefragd_stop

# ---- a start with files that its user may not read, as under its unit
as_unit() { # CAPABILITIES of setpriv
    in_ns fw setpriv --reuid=65534 --regid=65534 --clear-groups "--inh-caps=$1" "--ambient-caps=$1" "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
}
cannot_start() { # WORDS STATUS PATTERN
    local status=0
    as_unit "${4:-+net_admin}" > "$LAB_DIR/start.log" 2>&1 || status=$?
    equal "$1: exit status" "$2" "$status"
    check "$1: says why" grep -qE "$3" "$LAB_DIR/start.log"
}
chmod 000 "$LAB_DIR/rules.d"
cannot_start "start, rules folder unreadable" 4 '/rules\.d: .*Permission denied'
chmod 755 "$LAB_DIR/rules.d"
chmod 000 "$LAB_DIR/rules.d/00-default.toml"
cannot_start "start, a rule file unreadable" 4 '/rules\.d/00-default\.toml: .*Permission denied'
chmod 644 "$LAB_DIR/rules.d/00-default.toml"
cannot_start "start without CAP_NET_ADMIN" 5 'ermi|allowed|CAP_NET_ADMIN' -all
