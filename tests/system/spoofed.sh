#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A spoofer teaches nothing: 30 000 IKE_SA_INITs of ever other clients, none of which ever receives, leave no peer in peers.db, few
# lines in log and event file, no more captures than may be, and a daemon of the same size; the next real client is learned as ever.
# Nor do 1000 handshakes whose answers he writes himself.
# slow
# limit 400
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start FRAG=no # a real server: it answers what it can
ikefragd_start guard EXTRA="[capture]
enabled = true
[events]
file = \"$LAB_DIR/events.json\""
pid=${lab_pids[ikefragd]}
peers() { ctl peers --json | jq '.peers | length'; }
peers_known() { test "$(peers)" "$@"; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
compare "idle: KiB resident" "$(resident)" -le 20480
handshake v4
handshake_ends v4
# Known only after the tracker's window; who counts at once counts none of them.
lab_wait 5 peers_known -eq 2 || true
equal "peers known after a real handshake" 2 "$(peers)"

"$lab_source/packets.py" openings "$LAB_DIR/openings.pcap" 30000
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/openings.pcap" eth0 --rate 3000 --seconds 10 > /dev/null
# All are over: unanswered for a minute, or pushed out by later ones.
lab_wait 100 metric_reaches ikefrag_handshakes_in_progress -le 5 || true
compare "it saw the flood" "$(metric ikefrag_handshakes_started_total)" -ge 20000
equal "peers known" 2 "$(peers)"
equal "peers in peers.db" 2 "$(python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("select count(*) from peer").fetchone()[0])' "$LAB_DIR/state/peers.db")"
compare "lines in the log" "$(wc -l < "$LAB_DIR/ikefragd.log")" -le 200
compare "events written" "$(wc -l < "$LAB_DIR/events.json")" -le 3000
lab_wait 70 grep -q suppressed "$LAB_DIR/events.json" || true
compare "… and those left out are told" "$(grep -c suppressed "$LAB_DIR/events.json" || true)" -ge 1
compare "captures kept of them: as many as may be" "$(find "$LAB_DIR/state" -name '*.pcapng' | wc -l)" -le 100
# Idle 20 MiB, the ring 16, each of 30 000 handshakes 0.5 KiB and its timeline, the findings of 10 000 of them: with the
# allocator's own some 95; what has no bound passes 128 soon.
compare "KiB resident, the ring of captures among them" "$(resident)" -le 131072

# Both sides' messages from where the clients are: none is an answer, no client shows itself.
"$lab_source/packets.py" forged "$LAB_DIR/forged.pcap" 1000
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/forged.pcap" eth0 --rate 1000 --seconds 3 > /dev/null
lab_wait 10 metric_reaches ikefrag_handshakes_in_progress -ge 500 || true
compare "it saw the forged handshakes" "$(metric ikefrag_handshakes_in_progress)" -ge 500
equal "peers known, forged answers or not" 2 "$(peers)"
check "a real client afterwards" handshake v6
lab_wait 5 peers_known -eq 4 || true
equal "… and its server are learned" 4 "$(peers)"
