#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [ROUNDS=3] [P1|P2|P3|P4|P5|P6|EXPLAIN|CAPTURE …]: DESIGN's figures, each beside its yardstick in the same run, alternating, as ratios:
# median of the rounds [lowest..highest]. A busy machine moves single rounds; nothing here passes or fails by a figure.
#
#   P1  whole IKE as fast as the client sends: lost packets and delivered rate, with a bare copy reader, with ikefragd
#       running (observe), stopped (SIGSTOP) and killed (-9)
#   P2  5-fragment IKE_AUTHs held, checked, released out of a filled queue, against bare loops that accept all; time of
#       the loop's thread alone
#   P3  ESP in UDP through the firewall with the table and without, whole and fragmented, quiet and within a handshake
#   P4  gate and tracker in memory, beside libtins (left out where it is not installed)
#   P5  replay against tshark over the same capture: the mix a gateway sees, and IKE alone
#   P6  how late a datagram's last fragment leaves, at 20 000 fragments a second
#
#   EXPLAIN  `ikefragctl explain` of one attempt, asked of a daemon that knows 10 000 handshakes
#   CAPTURE  what `[capture] enabled = true` costs: the daemon's processor time for the same packets, with and without
#
# Needs root; programs come from the release build (IKEFRAG_BUILD: another).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lab/lab.sh"
rounds=3
if [[ ${1:-} =~ ^[0-9]+$ ]]; then rounds=$1 && shift; fi
wanted=" ${*:-P1 P2 P3 P4 P5 P6 EXPLAIN CAPTURE} "
lab_begin taskset
build=$(lab_build)
[ -f "$build/build.ninja" ] && cmake --build "$build" --target benches ikefragd > /dev/null
bench=$build/tests/bench
lab_links_up
mac=$(ip -n "$LAB-fw" -j link show lan | jq -r '.[0].address')
# The server's stack is no part of any figure: its ingress counts and drops.
in_ns srv nft 'table netdev sink { chain in { type filter hook ingress device eth0 priority 0; meta l4proto { 17, 50 } counter drop; }; }'
arrived() { in_ns srv nft -j list chain netdev sink in | jq '[.nftables[].rule? | select(.) | .expr[].counter? | select(.) | .packets] | add'; }
send() { in_ns cli taskset -c 0 "$bench/ikefrag_send" "$@" --mac "$mac"; } # prints: frames seconds processor-seconds
table() { in_ns fw "$bench/ikefrag_table" "$@" --server 10.99.2.2 --server fd99:2::2; }
no_table() { in_ns fw nft delete table inet ikefragd 2> /dev/null || true; }
counter() { table counts | awk -v n="$1" '$1 == n { print $2 }'; }

# spread < numbers: median [lowest..highest]
spread() { sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.3f [%.3f..%.3f]", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
divide() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.4f\n", a / b }'; }
note() { echo "$2" >> "$LAB_DIR/figures-$1"; }
ratio() { # TEXT NUMERATOR DENOMINATOR: of what was noted under two names, round by round
    paste -d' ' "$LAB_DIR/figures-$2" "$LAB_DIR/figures-$3" | awk '$2 > 0 { print $1 / $2 }' | spread | sed "s|^|  $1: |"
    echo
}
figure() { spread < "$LAB_DIR/figures-$2" | sed "s|^|  $1: |"; echo; }

# flow NAME send-arguments...: sends, waits for the last, notes thousands of packets at the server for each second of the
# sender's processor time (forwarding and copying happen in it) and packets that did not arrive
flow() {
    local name=$1 before after frames _ seconds
    shift
    before=$(arrived)
    read -r frames _ seconds <<< "$(send "$@")"
    sleep 0.3
    after=$(arrived)
    note "$name-kpps" "$(awk -v n=$((after - before)) -v s="$seconds" 'BEGIN { printf "%.1f", n / s / 1000 }')"
    note "$name-lost" $((frames - after + before))
}

p1() {
    local round
    echo "P1 whole IKE, 300 octets, as fast as the client sends (2 s a round); kpps by the sender's processor time"
    for ((round = 0; round < rounds; round++)); do
        no_table && table apply --mode observe > /dev/null
        lab_spawn bare fw "$bench/ikefrag_copies"
        lab_wait 5 grep -q ready "$LAB_DIR/bare.log"
        flow bare ike --seconds 2
        lab_stop bare || true
        note bare-copies-lost "$(tail -n 1 "$LAB_DIR/bare.log" | cut -d' ' -f 2)"
        ikefragd_config observe
        ikefragd_run
        flow running ike --seconds 2
        note daemon-copies-lost "$(http /metrics | awk '$1 == "ikefrag_copies_lost_total" { print $2 }')"
        kill -STOP "${lab_pids[ikefragd]}"
        flow stopped ike --seconds 2
        kill -CONT "${lab_pids[ikefragd]}"
        lab_stop ikefragd KILL || true
        flow killed ike --seconds 2
    done
    figure "bare reader, kpps" bare-kpps
    for state in running stopped killed; do
        ratio "ikefragd $state ÷ bare reader" $state-kpps bare-kpps
        figure "packets lost, $state" $state-lost
    done
    figure "packets lost, bare reader" bare-lost
    figure "copies lost by the bare reader" bare-copies-lost
    figure "copies lost by ikefragd (findings of silence are muted then)" daemon-copies-lost
}

drain() { # STYLE: notes microseconds a packet
    local packets=40000
    lab_spawn queue fw "$bench/ikefrag_queue" "$1" --packets $packets
    lab_wait 5 grep -q ready "$LAB_DIR/queue.log"
    send auth --size 6800 --datagrams $((packets / 5)) --frames $packets --rate 60000 > /dev/null
    wait "${lab_pids[queue]}" || true
    awk -v s="$1" '$1 == s { print $5 }' "$LAB_DIR/queue.log" >> "$LAB_DIR/figures-$1"
}
p2() {
    local round style
    echo "P2 40 000 fragments of 8 000 IKE_AUTHs out of a filled queue, microseconds of the loop's thread a fragment"
    no_table && table apply --mode guard > /dev/null
    for ((round = 0; round < rounds; round++)); do
        for style in single batch worker; do drain $style; done
    done
    figure "recv, verdict (what nfqlb, DAQ, nfqws do)" single
    figure "fastest bare loop, separate verdicts" batch
    figure "ikefragd's worker: held, checked, released" worker
    ratio "speed ÷ fastest bare loop (target 0.85)" batch worker
    ratio "speed ÷ recv, verdict (target 1.4)" single worker
}

p3() {
    local round kind name
    echo "P3 ESP in UDP through the firewall (1 s a round); kpps by the sender's processor time"
    for kind in "esp --size 1400" "esp --size 200" "esp --size 1400 --ipv6" "esp-fragments --size 2800"; do
        name=${kind//[^a-z0-9]/}
        for ((round = 0; round < rounds; round++)); do
            no_table
            # shellcheck disable=SC2086 # a kind and its options
            flow "$name-none" $kind --seconds 1
            table apply --mode guard > /dev/null
            # shellcheck disable=SC2086
            flow "$name-quiet" $kind --seconds 1
            send ike --frames 64 > /dev/null && send ike --frames 64 --ipv6 > /dev/null
            # shellcheck disable=SC2086
            flow "$name-handshake" $kind --seconds 1
            # baseline: of all ESP of the two flows, how many were queued or copied
            note "$name-touched" $(($(nft_count queued) + $(nft_count copied_esp)))
        done
        figure "$kind, without" "$name-none-kpps"
        ratio "$kind, table ÷ none, quiet tunnels (target 0.95)" "$name-quiet-kpps" "$name-none-kpps"
        ratio "$kind, table ÷ none, within handshakes" "$name-handshake-kpps" "$name-none-kpps"
        figure "$kind, packets queued or copied" "$name-touched"
    done
}
nft_count() { in_ns fw nft -j list counter inet ikefragd "$1" | jq '.nftables[].counter? | select(.) | .packets'; }

p4() {
    echo "P4 in memory, one core: name, nanoseconds a packet, millions of packets a second; best of $rounds"
    "$bench/gate_bench" "$rounds" | sed 's/^/  /'
}

p5() {
    local round kind
    "$bench/gate_bench" capture "$LAB_DIR/mix.pcap" 60 50 > /dev/null
    "$bench/gate_bench" capture "$LAB_DIR/ike.pcap" 800 0 > /dev/null
    echo "P5 wall time of replay --json and of tshark, seconds"
    for ((round = 0; round < rounds; round++)); do
        for kind in mix ike; do
            timed "replay-$kind" "$build/ikefragctl" replay --json "$LAB_DIR/$kind.pcap"
            timed "tshark-$kind" tshark -n -r "$LAB_DIR/$kind.pcap"
            timed "json-$kind" tshark -n -T json -r "$LAB_DIR/$kind.pcap"
        done
    done
    for kind in mix ike; do
        figure "$kind, $(capinfos -Mrc "$LAB_DIR/$kind.pcap" | awk 'END { print $NF }') packets: replay" "replay-$kind"
        ratio "$kind: tshark's lines ÷ replay (target 50)" "tshark-$kind" "replay-$kind"
        ratio "$kind: tshark's JSON ÷ replay" "json-$kind" "replay-$kind"
    done
}
timed() { # NAME COMMAND...: notes its wall time
    local name=$1 start=$EPOCHREALTIME
    shift
    "$@" > /dev/null 2>> "$LAB_DIR/$name.log"
    note "$name" "$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')"
}

p6() {
    local round style
    echo "P6 latency of each datagram's last fragment, 20 000 fragments a second, microseconds (p99)"
    no_table && table apply --mode guard > /dev/null
    for ((round = 0; round < rounds; round++)); do
        for style in batch worker; do
            lab_spawn queue fw "$bench/ikefrag_queue" "$style" --live 5
            lab_wait 5 grep -q ready "$LAB_DIR/queue.log"
            "$bench/ikefrag_latency" --client "$LAB-cli" --server "$LAB-srv" --mac "$mac" > "$LAB_DIR/latency"
            wait "${lab_pids[queue]}" || true
            note "$style-p50" "$(cut -d' ' -f 3 "$LAB_DIR/latency")"
            note "$style-p99" "$(cut -d' ' -f 4 "$LAB_DIR/latency")"
        done
    done
    figure "bare loop, p50" batch-p50
    figure "bare loop, p99" batch-p99
    figure "worker, p50" worker-p50
    figure "worker, p99" worker-p99
    ratio "worker ÷ bare loop, p99 (target 1.2)" worker-p99 batch-p99
}

explain() {
    local round spi
    no_table
    "$bench/gate_bench" capture "$LAB_DIR/many.pcap" 160 0 > /dev/null # 64 clients' handshakes, 160 times
    ikefragd_start observe SERVERS='[[server]]
name = "vpn1"
addresses = ["203.0.113.5"]'
    in_ns cli bash -c "echo > /dev/udp/10.99.1.1/9" # so that the neighbour is known
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/many.pcap" eth0 --pause 0.0001
    sleep 1
    ctl handshakes --limit 100000 --json > "$LAB_DIR/many.json"
    echo "EXPLAIN with $(jq '.handshakes | length' "$LAB_DIR/many.json") handshakes, seconds (target 0.1)"
    for ((round = 0; round < rounds * 3; round++)); do
        spi=$(jq -r ".handshakes | .[$((round * 997)) % length].initiator_spi" "$LAB_DIR/many.json")
        timed explain-spi ctl explain "$spi"
        timed explain-json ctl explain "$spi" --json
    done
    figure "of an SPI" explain-spi
    figure "of an SPI, JSON" explain-json
    lab_stop ikefragd
}

# spent NAME send-arguments...: notes microseconds of the daemon's processor time a packet
spent() {
    local name=$1 before
    shift
    before=$(metric process_cpu_seconds_total)
    send "$@" > /dev/null
    sleep 0.5 # what is still to be read
    note "$name" "$(awk -v a="$before" -v b="$(metric process_cpu_seconds_total)" 'BEGIN { printf "%.3f", (b - a) / 40000 * 1e6 }')"
}
capture() {
    local round state enabled
    no_table
    echo "CAPTURE 40 000 packets at 20 000 a second, microseconds of the daemon's processor time a packet"
    for ((round = 0; round < rounds; round++)); do
        for state in off on; do
            if [ $state = on ]; then enabled=true; else enabled=false; fi
            ikefragd_start guard EXTRA="[capture]
enabled = $enabled"
            spent "$state-fragments" auth --size 6800 --sources 64 --datagrams 8000 --frames 40000 --rate 20000
            spent "$state-whole" ike --sources 64 --frames 40000 --rate 20000
            note "$state-lacking" "$(metric ikefrag_capture_packets_lost_total)"
            ikefragd_stop
        done
    done
    for kind in fragments whole; do
        figure "$kind, off" "off-$kind"
        figure "$kind, on" "on-$kind"
        ratio "$kind, on ÷ off" "on-$kind" "off-$kind"
    done
    figure "packets that captures lack" on-lacking
}

echo "$(uname -r), $(nproc) cores, load $(cut -d' ' -f 1 /proc/loadavg), commit $(git -C "$lab_project" rev-parse --short HEAD), $rounds rounds"
for one in p1 p2 p3 p4 p5 p6 explain capture; do
    case "$wanted" in *" ${one^^} "*) $one ;; esac
done
