#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `exclusive` opens nothing else, whatever happens to the queue: while it overflows in fail-open, while the kernel's sets are
# flooded, and with the daemon killed, no fragment to another address, port or protocol gets through.
# limit 120
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_links_up
in_ns srv sysctl -qw net.ipv4.ipfrag_high_thresh=1000000000 # what passes unseen must not fill the server instead
# An address behind the firewall that is no configured server's.
ip -n "$LAB-srv" addr add 10.99.2.77/24 dev eth0
ip -n "$LAB-srv" addr add fd99:2::77/64 dev eth0 nodad
lab_wait 5 lab_reaches 10.99.2.77
lab_wait 5 lab_reaches fd99:2::77
"$lab_source/packets.py" strays "$LAB_DIR/strays.pcap"
"$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 3000
"$lab_source/packets.py" flood "$LAB_DIR/flood.pcap" many 70000
play() { in_ns cli "$lab_source/packets.py" play "$LAB_DIR/$1.pcap" eth0; }
# fragments FIRST LAST [PORT]: how many of a capture have an id from FIRST to LAST (and come, as first fragments, from a UDP port)
fragments() {
    capture_stop out
    python3 - "$LAB_DIR" "$lab_source" "$@" << 'X'
import sys
sys.path.insert(0, sys.argv[2])
sys.dont_write_bytecode = True
import packets
first, last, port = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]) if sys.argv[5:] else None
def counts(packet):
    if packet[0] >> 4 == 4:
        identification, offset, body = int.from_bytes(packet[4:6], "big"), packet[6] & 31 or packet[7], 20
    else:
        at = 40 if packet[6] == 44 else 48
        identification, offset, body = int.from_bytes(packet[at + 4:at + 8], "big"), packet[at + 2] or packet[at + 3] & 0xf8, at + 8
    return first <= identification <= last and (port is None or (not offset and int.from_bytes(packet[body:body + 2], "big") == port))
print(sum(counts(packet) for _, packet in packets.read_pcap(sys.argv[1] + "/out.pcap")))
X
}
watch() { capture_start out srv eth0 'ip[6:2] & 0x3fff != 0 or ip6[6] == 44 or (ip6[6] == 0 and ip6[40] == 44)'; }

# Without us all of them get through: what is sent is worth sending.
watch
play strays
compare "without ikefragd they get through" "$(fragments 40000 40999)" -ge 60
watch
play strays
equal "without ikefragd DNS gets through that comes last first, or with IKE's id" 4 "$(fragments 42000 42001 5353)"

ikefragd_start exclusive QUEUE_LENGTH=1024 EXTRA='[limits]
table_packets = 512'
watch
play strays
equal "exclusive, all is well: strays that got through" 0 "$(fragments 40000 40999)"

watch
play strays
equal "exclusive, all is well: a fragment hidden behind length 0" 0 "$(fragments 41000 41000)"

kill -STOP "${lab_pids[ikefragd]}"
watch
play heads
play strays
play heads
sleep 0.3
equal "exclusive, queue overflows in fail-open: strays that got through" 0 "$(fragments 40000 40999)"
watch
play heads
play strays
sleep 0.3
equal "exclusive, queue overflows in fail-open: DNS's first fragments after its last, or with IKE's id" 0 "$(fragments 42000 42001 5353)"
capture_start out srv eth0 'ip[6:2] & 0x3fff != 0'
play heads
compare "exclusive, queue overflows in fail-open: the servers' IKE gets through" "$(fragments 1 39999)" -ge 2900
kill -CONT "${lab_pids[ikefragd]}"
lab_wait 10 metric_reaches ikefrag_held_packets -eq 0

play flood
watch
play strays
equal "exclusive, the kernel's sets flooded: strays that got through" 0 "$(fragments 40000 40999)"
lab_spawn sink srv "$lab_source/udp.py" sink 10.99.2.2 500
lab_wait 5 grep -q listening "$LAB_DIR/sink.log"
in_ns cli "$lab_source/packets.py" fragments --count 20 --size 6900 --id 20000 --pause 0.05 > /dev/null
equal "exclusive, the kernel's sets flooded: IKE_AUTHs that came through" 20 "$(grep -c ' ' "$LAB_DIR/sink.log" || true)"

lab_stop ikefragd KILL || true
watch
play strays
equal "exclusive, daemon killed: strays that got through" 0 "$(fragments 40000 40999)"
