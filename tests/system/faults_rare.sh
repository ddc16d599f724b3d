#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The faults that need a daemon of their own: fail-closed closes what it says and nothing else, a socket buffer overflows, somebody
# sets the clock, a start fails. Each has its count and a line in the log.
# limit 180
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd cc
lab_links_up
# What passes unseen fills the server's own room for fragments: here that is not what is looked at.
in_ns srv sysctl -qw net.ipv4.ipfrag_high_thresh=200000000
peers_start RETRANSMIT=0.5 TRIES=3
says() { lab_wait 5 grep -qE "$1" "$LAB_DIR/ikefragd.log"; }
sum() {
    echo $(($(metric ikefrag_verdicts_total queue=500) + $(metric ikefrag_queue_waiting_packets queue=500) + \
        $(metric ikefrag_queue_vanished_total queue=500) + $(metric ikefrag_queue_unseen_total queue=500)))
}
adds_up() { [ "$(sum)" = "$(metric ikefrag_queue_packets_total queue=500)" ]; }
fragments_arrive() { # WORDS: a handshake of each family in IP fragments
    local connection
    for connection in v4 v6; do
        check "$1: handshake $connection" handshake $connection
        handshake_ends $connection
    done
}
asked() { grep -c 'is initiating an IKE_SA' "$LAB_DIR/srv.log" || true; }
# flood NUMBER SIZE: first fragments while the daemon stands still
flood() {
    "$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" "$1" "$2"
    kill -STOP "${lab_pids[ikefragd]}"
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
    kill -CONT "${lab_pids[ikefragd]}"
}

# ---- fail-closed
closed() {
    ikefragd_config guard "$@"
    sed -i 's/^max_length = .*/&\nfail_open = false/' "$LAB_DIR/ikefragd.toml"
}
closed QUEUE_LENGTH=1024 EXTRA=$'[limits]\ntable_packets = 512'
ikefragd_run
fragments_arrive "fail-closed"
flood 3000 200
lab_wait 5 adds_up || true
check "fail-closed, queue full: the sums add up" adds_up
compare "fail-closed, queue full: what was dropped is counted" "$(metric ikefrag_queue_unseen_total queue=500)" -ge 1900
check "fail-closed, queue full: the log says so" says 'found the queue or its socket full and were dropped \(fail_open = false\)'
fragments_arrive "fail-closed, afterwards"
lab_stop ikefragd KILL || true
before=$(asked)
if handshake v4 3; then fail "fail-closed, daemon dead: fragments are dropped" "a handshake in IP fragments went through"; else ok "fail-closed, daemon dead: fragments are dropped"; fi
compare "fail-closed, daemon dead: whole IKE goes on" "$(asked)" -gt "$before"
handshake_ends v4
ikefragd_run
check "fail-closed, back: the log says that the table was taken over" says 'one that was left was taken over'
fragments_arrive "fail-closed, back"
ikefragd_stop

# ---- the socket's buffer is full before the queue is
ikefragd_start guard QUEUE_LENGTH=65535
flood 20000 1480
sleep 0.5
lab_wait 15 metric_reaches ikefrag_queue_waiting_packets -eq 0 || true # those still to be read, and those held
lab_wait 5 adds_up || true
check "socket full: the sums add up" adds_up
compare "socket full: ENOBUFS is counted" "$(metric ikefrag_queue_enobufs_total queue=500)" -ge 1
compare "socket full: what passed unseen is counted" "$(metric ikefrag_queue_unseen_total queue=500)" -ge 1000
check "socket full: the log says so" says 'found the queue or its socket full and passed unseen \(fail_open = true\)'
fragments_arrive "socket full, afterwards"

# ---- a second daemon cannot start; under a service manager it takes its time before it ends
before=${EPOCHREALTIME/./}
check "a start that fails: the reason is told" bash -c "! ip netns exec $LAB-fw '$(lab_build)/ikefragd' --config '$LAB_DIR/ikefragd.toml' 2>&1 | grep -v 'another program reads this group'"
compare "a start that fails: at once, if nobody starts it again" "$(((${EPOCHREALTIME/./} - before) / 1000000))" -lt 3
before=${EPOCHREALTIME/./}
in_ns fw env NOTIFY_SOCKET="$LAB_DIR/notify" "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml" > "$LAB_DIR/second.log" 2>&1 || true
compare "a start that fails: after seconds under a service manager" "$(((${EPOCHREALTIME/./} - before) / 1000000))" -ge 4
check "a start that fails: and says so" grep -q 'it will be tried again' "$LAB_DIR/second.log"
ikefragd_stop

# ---- somebody sets the clock
if nm -D "$(lab_build)/ikefragd" | grep -q __asan_; then
    skip "clock set" "this build has AddressSanitizer, which must come first"
    exit
fi
cc -shared -fPIC -O1 -Wall -o "$LAB_DIR/step_clock.so" "$lab_source/step_clock.c" -ldl
step_clock() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$LAB_DIR/step" "$1"; }
head -c 8 /dev/zero > "$LAB_DIR/step"
ikefragd_config guard
lab_spawn ikefragd fw env LD_PRELOAD="$LAB_DIR/step_clock.so" STEP_CLOCK="$LAB_DIR/step" "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
lab_wait 10 http /-/ready
fragments_arrive "before the clock is set"
doctor() { # STEP-FILE: what it finds about the clock, its own set like that
    in_ns fw env LD_PRELOAD="$LAB_DIR/step_clock.so" STEP_CLOCK="$1" "$(lab_build)/ikefragctl" --socket "$LAB_DIR/control.sock" doctor \
        --config "$LAB_DIR/ikefragd.toml" --json | jq -r '.checks[] | select(.check == "clock" and .standing == "warning") | .found'
}
equal "clock right: the doctor has no finding" "" "$(doctor "$LAB_DIR/step")"
python3 -c 'import struct; open("'"$LAB_DIR"'/behind", "wb").write(struct.pack("q", -1_000_000_000))'
equal "clock of 1995: the doctor tells" "the clock is years behind: events will lie" "$(doctor "$LAB_DIR/behind")"
for seconds in 3600 -86400; do
    "$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 10 200
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
    lab_wait 2 metric_reaches ikefrag_held_packets -ge 1 || true
    step_clock $seconds
    fragments_arrive "clock set by $seconds s"
    check "clock set by $seconds s: the log says so" says 'somebody set the clock by'
    check "clock set by $seconds s: what was held ends in its time" lab_wait 8 metric_reaches ikefrag_held_packets -eq 0
    equal "clock set by $seconds s: the doctor tells" "the clock was set by $seconds s" "$(doctor "$LAB_DIR/step" | grep -o 'the clock was set by -*[0-9]* s')"
done
equal "clock set: no handshake is called failed" 0 "$(ctl handshakes --json | jq '[.handshakes[] | select(.outcome == "failed")] | length')"
equal "clock set: nothing was refused but what was never whole" 0 "$(ctl metrics | awk '/^ikefrag_refusals_total/ && !/reason="timeout"/ { n += $NF } END { print n + 0 }')"
lab_wait 5 adds_up || true
check "clock set: the sums add up" adds_up
