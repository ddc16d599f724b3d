#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One IP id, first fragments of two kinds: while the gate holds IKE's, another's opens no way for later fragments that the gate
# has not checked, seconds later and for as long as a rule lets it hold. A clean IKE_AUTH then gets through.
# limit 120
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_links_up
slow='[[rule]]
name = "slow"
action = "pass"
match.class = "ike"
limits.hold_seconds = 20'

send() { in_ns cli "$lab_source/packets.py" fragments "$@" > /dev/null; }
# arrived ID PACKETS-SENT-BY...: how many fragments with that id reach the server of what a command sends
arrived() {
    local id=$1
    shift
    capture_start out srv eth0 "(ip[6:2] & 0x3fff != 0 and ip[4:2] = $id) or (ip6[6] = 44 and ip6[44:4] = $id)"
    "$@"
    capture_stop out
    tcpdump -n -r "$LAB_DIR/out.pcap" 2> /dev/null | wc -l
}
# twice FAMILY ID PAUSE: IKE's first fragment; after a pause all of something else's, then IKE's rest
twice() {
    local family=$1
    send $family --id "$2" --opening --skip 1,2
    sleep "$3"
    send $family --id "$2" --plain --port 5353
    send $family --id "$2" --skip 0
}

equal "without ikefragd all six fragments arrive" 6 "$(arrived 43000 twice '' 43000 0.1)"
id=43001
for mode in guard exclusive; do
    for pause in 2.5 7; do
        ikefragd_start "$mode" RULES="$([ $pause = 7 ] && echo "$slow")"
        for family in '' -6; do
            name="$mode, ${family:-"-4"}, $pause s between"
            equal "$name: fragments of the id that arrive" 0 "$(arrived $id twice "$family" $id $pause)"
            id=$((id + 1))
            equal "$name: of a clean IKE_AUTH" 3 "$(arrived $id send $family --id $id --opening)"
            id=$((id + 1))
        done
        ikefragd_stop
    done
done
