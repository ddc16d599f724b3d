#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R1 at the socket: of the same fragments in the same order, a UDP socket behind ikefragd gets the very bytes that it gets without
# it; both families, guard and exclusive, released and put together; and nothing of what has holes or contradicts itself.
#   receiving_kernel.sh [SETS=800] [SEED]
# slow
# limit 600
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin python3
sets=${1:-800} seed=${2:-$((RANDOM + 1))}
lab_links_up MTU=65535
# The server's kernel has room for all that is never whole.
in_ns srv sysctl -qw net.ipv4.ipfrag_max_dist=0 net.ipv4.ipfrag_high_thresh=268435456 net.ipv6.ip6frag_high_thresh=268435456
limits='[limits]
max_datagram_bytes = 65535
max_fragments = 64
source_datagrams = 256
source_packets = 8192
source_bytes = 33554432
table_datagrams = 8192
table_packets = 16384
table_bytes = 268435456'
echo "   seed $seed"

# through NAME: sends, and leaves in `missing` and `wrong` what differs from what was sent
through() {
    local word
    lab_spawn "socket-$1" srv "$lab_source/differential.py" receive 500
    lab_wait 10 grep -q listening "$LAB_DIR/socket-$1.log"
    echo "   $1: $(in_ns cli "$lab_source/differential.py" send "$seed" "$sets" "$LAB_DIR/$1.json")"
    # Nothing is whole later than its last fragment: what has not come when all is quiet does not come.
    lab_wait 20 settled "$1"
    "$lab_source/differential.py" judge "$LAB_DIR/$1.json" "$LAB_DIR/socket-$1.log" > "$LAB_DIR/verdict-$1.log"
    missing=$(sed -n '1s/.*: //p' "$LAB_DIR/verdict-$1.log")
    wrong=$(sed -n '2s/.*: //p' "$LAB_DIR/verdict-$1.log")
    in_ns cli "$lab_source/differential.py" giant
    if [ "$1" = bare ]; then lab_wait 10 grep -q '^65507 ' "$LAB_DIR/socket-$1.log" || true; else sleep 1; fi
    word=$(grep -c '^65507 ' "$LAB_DIR/socket-$1.log" || true)
    giants=$word
    lab_stop "socket-$1" || true
}
settled() {
    local before
    before=$(wc -l < "$LAB_DIR/socket-$1.log")
    sleep 0.5
    [ "$before" = "$(wc -l < "$LAB_DIR/socket-$1.log")" ]
}

through bare
equal "the kernel alone: every whole set reaches the socket" 0 "${missing%% of*}"
echo "   the kernel alone lets the socket have: $wrong"
equal "the kernel alone: a message with a first fragment of 65 532 octets" 1 "$giants"
for way in guard exclusive reassemble; do
    rules='[[rule]]
name = "ike-here"
match = { class = "ike" }
action = "pass"'
    mode=$way
    if [ $way = reassemble ]; then
        rules=${rules/pass/reassemble}
        mode=exclusive
    fi
    ikefragd_start $mode EXTRA="$limits" QUEUE_LENGTH=32768 RULES="$rules"
    through $way
    equal "$way: every whole set reaches the socket" 0 "${missing%% of*}"
    equal "$way: nothing else does" nothing "$wrong"
    equal "$way: nothing of a fragment that no queue can show" 0 "$giants"
    if [ "${missing%% of*}" != 0 ]; then ctl metrics | grep -E '^ikefrag_(refusals|queue)_.*[1-9]$' || true; fi
    equal "$way: no limit had a hand in it" 0 "$(($(metric ikefrag_refusals_total reason=source_limit) + $(metric ikefrag_refusals_total reason=table_full) + $(metric ikefrag_refusals_total reason=evicted)))"
    ikefragd_stop || true
done
