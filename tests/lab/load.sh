# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # lab.sh has these
# Handshakes in IP fragments that go on while something goes wrong. Sourced after lab.sh by the tests of faults.
#
#   load_start              handshakes of both families, one after the other, without a pause
#   during WORDS COMMAND    COMMAND brings a fault about; then four handshakes more; none may have failed
#   load_stop
#
# $LAB_DIR/load.txt has a line for each: connection, established or failed, messages sent again, begin and end (microseconds).

again() { grep -cE 'retransmit [0-9]+ of request with message ID [01]$' "$LAB_DIR/cli.log" || true; }
load() {
    local connection before result began
    while [ ! -e "$LAB_DIR/enough" ]; do
        for connection in v4 v6; do
            before=$(again) result=established began=${EPOCHREALTIME/./}
            handshake $connection 30 || result=failed
            echo "$connection $result $(($(again) - before)) $began ${EPOCHREALTIME/./}" >> "$LAB_DIR/load.txt"
            handshake_ends $connection
        done
    done
}
load_start() {
    rm -f "$LAB_DIR/enough"
    : > "$LAB_DIR/load.txt"
    load &
    lab_pids[load]=$!
    lab_order+=(load)
}
load_stop() {
    touch "$LAB_DIR/enough"
    wait "${lab_pids[load]}" || true
    unset "lab_pids[load]"
    echo "    $(so_far) handshakes in all, $(awk '{ n += $3 } END { print n + 0 }' "$LAB_DIR/load.txt") messages sent again"
}
so_far() { wc -l < "$LAB_DIR/load.txt"; }
more_than() { [ "$(so_far)" -gt "$1" ]; }

# Of one scrape, as a handshake is nearly always under way.
adds_up() {
    http /metrics > "$LAB_DIR/scrape.txt"
    awk '/^ikefrag_(verdicts|queue_vanished|queue_unseen)_total|^ikefrag_queue_waiting_packets/ { sum += $NF }
        /^ikefrag_queue_packets_total/ { queued = $NF } END { print queued " queued, " sum " accounted for"; exit queued != sum }' "$LAB_DIR/scrape.txt"
}
# says WORDS PATTERN: the daemon's log has it in words
says() { check "$1: the log says so" lab_wait 10 grep -qE "$2" "$LAB_DIR/ikefragd.log"; }

# What became of the handshakes since line $1 of load.txt, with a fault from $2 to $3 (microseconds).
these_went_well() { # WORDS FIRST-LINE BEGAN ENDED
    local words=$1
    sed -n "$(($2 + 1)),\$p" "$LAB_DIR/load.txt" > "$LAB_DIR/these.txt"
    compare "$words: handshakes under way meanwhile" "$(awk -v from="$3" -v to="$4" '$4 < to && $5 > from { n++ } END { print n + 0 }' "$LAB_DIR/these.txt")" -ge 1
    equal "$words: of $(wc -l < "$LAB_DIR/these.txt") handshakes failed" 0 "$(grep -c failed "$LAB_DIR/these.txt" || true)"
    compare "$words: most messages that one of them sent again" "$(sort -nrk 3 "$LAB_DIR/these.txt" | awk 'NR == 1 { print $3 }')" -le "${may_repeat:-1}"
}
during() {
    local words=$1 first since began ended
    shift
    first=$(so_far) began=${EPOCHREALTIME/./}
    check "$words: is brought about" "$@"
    since=$(so_far) ended=${EPOCHREALTIME/./}
    lab_wait 60 more_than $((since + 4)) || fail "$words: handshakes go on" "$(tail -n 1 "$LAB_DIR/load.txt")"
    these_went_well "$words" "$first" "$began" "$ended"
    check "$words: verdicts + waiting + vanished + unseen = queued" lab_wait 10 adds_up
}
# flood_standing_daemon NUMBER SIZE: so many first fragments come while the daemon stands still
flood_standing_daemon() {
    "$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" "$1" "$2"
    kill -STOP "${lab_pids[ikefragd]}"
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
    kill -CONT "${lab_pids[ikefragd]}"
}
