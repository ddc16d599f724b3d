#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# max_length, fail_open and mark are changed by a reload while fragments go through the queue: each change is the kernel's, does what
# it says, and not a packet is lost meanwhile.
# limit 90
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_links_up
lab_spawn sink srv "$lab_source/udp.py" sink 10.99.2.2 500
lab_wait 20 grep -q listening "$LAB_DIR/sink.log"
"$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 3000
in_ns srv sysctl -qw net.ipv4.ipfrag_high_thresh=1000000000 # what passes unseen must not fill the server instead
in_ns fw nft -f - << 'X'
table inet judge { chain after { type filter hook postrouting priority 500; meta nfproto ipv6 accept
    ip frag-off & 0x3fff == 0 accept
    counter comment "all"
    meta mark 0x20 counter comment "0x20"
    meta mark 0x40 counter comment "0x40"
    meta mark 0x0 counter comment "none"; }
}
X
went_on() { # [MARK]: fragments that have gone on
    in_ns fw nft -j list chain inet judge after |
        jq "[.nftables[].rule? | select(.comment? == \"${1:-all}\") | .expr[] | .counter? | select(.) | .packets] | add"
}
kernel() { in_ns fw awk -v column="$1" '$1 == 500 { print $column }' /proc/net/netfilter/nfnetlink_queue; } # COLUMN
asked_and_got() { # length, fail_open
    ctl status --json | jq -r '[.. | .kernel_settings? // empty | .[] | select(.of == "queue 500") | {(.setting): "\(.asked)=\(.got)"}] |
        add | "\(.max_length) \(.fail_open)"'
}
config() { # LENGTH FAIL-OPEN [MARK]
    ikefragd_config guard QUEUE_LENGTH="$1" TOP="${3:+mark = { value = $3, mask = 0xf0 \}}" EXTRA=$'[limits]\ntable_packets = 512\nhold_seconds = 1'
    sed -i "s/^max_length = .*/&\nfail_open = $2/" "$LAB_DIR/ikefragd.toml"
}
number=1000
stream() { # COUNT: so many datagrams in three fragments each, told in stream.log
    number=$((number + 1000))
    lab_spawn stream cli "$lab_source/packets.py" fragments --id $number --count "$1" --size 4000 --pause 0.015
}
sent() { sort "$LAB_DIR/stream.log"; }
arrived() { grep -v listening "$LAB_DIR/sink.log" | sort | comm -12 - <(sent); }
all_arrived() { [ "$(arrived)" = "$(sent)" ]; }
is_under_way() { [ "$(arrived | wc -l)" -ge 5 ]; }
# change WORDS LENGTH FAIL-OPEN [MARK]: by a reload in the midst of a stream
change() {
    local words=$1
    shift
    config "$@"
    stream 50
    check "$words: a stream is under way" lab_wait 20 is_under_way
    check "$words: reload" ctl reload
    check "$words: the stream goes on behind it" lab_alive stream
    wait "${lab_pids[stream]}"
    unset "lab_pids[stream]"
    check "$words: every datagram arrives" lab_wait 3 all_arrived
    equal "$words: asked and got" "$1=$1 $2=$2" "$(asked_and_got)"
    equal "$words: nothing waits for a restart" 0 "$(ctl status --json | jq '.waits_for_restart | length')"
}
# overflow WORDS: 3000 first fragments come while the daemon stands still. Out: waiting, passed and dropped
overflow() {
    local went dropped_before
    went=$(went_on) dropped_before=$(kernel 6)
    kill -STOP "${lab_pids[ikefragd]}"
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
    sleep 0.2
    waiting=$(kernel 3) passed=$(($(went_on) - went)) dropped=$(($(kernel 6) - dropped_before))
    kill -CONT "${lab_pids[ikefragd]}"
    sleep 1.1 # the text of the metrics may be a second old
    check "$1: the daemon comes after" lab_wait 10 metric_reaches ikefrag_queue_waiting_packets -eq 0
    unseen=$((unseen + passed + dropped))
}
unseen=0
# dead: the daemon is killed, and fragments come. Out: passed
dead() {
    local went
    lab_stop ikefragd KILL || true
    went=$(went_on)
    stream 5
    wait "${lab_pids[stream]}"
    unset "lab_pids[stream]"
    passed=$(($(went_on) - went))
}
# is_marked WORDS MARK: what goes on from now on carries this mark
is_marked() {
    local all marked
    all=$(went_on) marked=$(went_on "$2")
    stream 5
    wait "${lab_pids[stream]}"
    unset "lab_pids[stream]"
    check "$1: every datagram arrives" lab_wait 3 all_arrived
    equal "$1: fragments that went on, and those marked $2" "15 15" "$(($(went_on) - all)) $(($(went_on "$2") - marked))"
}

config 4096 true
ikefragd_run
equal "start: asked and got" "4096=4096 true=true" "$(asked_and_got)"

change "shorter queue" 1024 true
overflow "shorter queue"
equal "shorter queue: so many wait in the kernel" 1024 "$waiting"
compare "shorter queue, fail-open: what finds it full passes" "$passed" -ge 1900
equal "shorter queue, fail-open: nothing is dropped" 0 "$dropped"

change "fail-closed" 1024 false
overflow "fail-closed"
equal "fail-closed: so many wait in the kernel" 1024 "$waiting"
equal "fail-closed: nothing passes" 0 "$passed"
compare "fail-closed: what finds it full is dropped" "$dropped" -ge 1900

change "longer queue" 2048 false
overflow "longer queue"
equal "longer queue: so many wait in the kernel" 2048 "$waiting"
equal "longer queue, fail-closed: nothing passes" 0 "$passed"

change "a mark" 2048 false 0x20
is_marked "a mark" 0x20
change "another mark" 2048 false 0x40
is_marked "another mark" 0x40
change "no mark" 2048 false
is_marked "no mark" none

sleep 1.1 # the text of the metrics may be a second old
equal "counted: what found the queue full" "$unseen" "$(metric ikefrag_queue_unseen_total)"
equal "counted: nothing vanished" 0 "$(metric ikefrag_queue_vanished_total)"
equal "counted: no overflow of the socket" 0 "$(metric ikefrag_queue_enobufs_total)"
equal "counted: queued = verdicts + waiting + unseen" "$(metric ikefrag_queue_packets_total)" \
    "$(($(metric ikefrag_verdicts_total) + $(metric ikefrag_queue_waiting_packets) + unseen))"
dead
equal "fail-closed, the daemon dead: the table lets nothing pass" 0 "$passed"

ikefragd_run
change "fail-open again" 2048 true
overflow "fail-open again"
equal "fail-open again: so many wait in the kernel" 2048 "$waiting"
compare "fail-open again: what finds it full passes" "$passed" -ge 900
equal "fail-open again: nothing is dropped" 0 "$dropped"
dead
equal "fail-open again, the daemon dead: the table lets all pass" 15 "$passed"
equal "the daemon complained of nothing" 0 "$(grep -c ' error: ' "$LAB_DIR/ikefragd.log" || true)"
