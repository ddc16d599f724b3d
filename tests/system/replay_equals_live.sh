#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tcpdump recorded of a live run, replayed, gives the handshakes, counts and verdicts that the daemon gave live.
# limit 300
# waits
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
for address in 10.99.2.2 fd99:2::2; do
    lab_spawn "service$address" srv "$lab_source/udp.py" sink $address 5300
    lab_wait 5 grep -q listening "$LAB_DIR/service$address.log"
done
"$lab_source/packets.py" hostile "$LAB_DIR/hostile.pcap"
lab_pki rsa > /dev/null
lab_pki ecdsa > /dev/null

# All that comes in over either link, as the kernel hands it to the prerouting hook.
ikefragd_start exclusive
sleep 61 # findings of silence are muted in the first minute: what came before the start is not known
capture_start live fw any -Q in
run() { # CONNECTIONS KEY=VALUE...: handshakes between peers so configured
    local connections=$1 connection
    shift
    peers_start "$@"
    for connection in $connections; do
        handshake "$connection" 8 || true
        sleep 0.7
        handshake_ends "$connection"
    done
    peers_stop
}
run "v4 v6 v4-natt v6-natt" FRAG=no
run "v4 v6 v4-natt" FRAG=yes
run "v4" FRAG=no MOBIKE=yes
run "v4" CLI_FRAG=yes SRV_FRAG=no
run "v4" FRAG=yes FRAGSIZE=576
run "v4" CERT=ecdsa CLI_KE=modp2048-curve25519 KE=curve25519
run "v4" CERT=ecdsa AUTH=psk PSK=wrong
run "v4" CERT=ecdsa AUTH=eap
run "v4" VER=1 FRAG=no
run "v4" VER=1 FRAG=yes
for address in 10.99.2.2 fd99:2::2; do in_ns cli "$lab_source/udp.py" send $address 5300 200 3000 > /dev/null; done
if [ -e /dev/net/tun ]; then
    peers_start ESP=userland
    lab_spawn echo srv "$lab_source/udp.py" echo 10.98.2.1 7777
    lab_wait 5 grep -q listening "$LAB_DIR/echo.log"
    handshake v4 || true
    in_ns cli "$lab_source/udp.py" ask 10.98.2.1 7777 64 200 1000 --bind 10.98.1.1
    sleep 0.7
    peers_stop
fi
in_ns cli "$lab_source/packets.py" play "$LAB_DIR/hostile.pcap" eth0 --pause 0.002
sleep 7
capture_stop live
equal "tcpdump missed no packet" "0 packets dropped by kernel" "$(grep 'dropped by kernel' "$LAB_DIR/capture-live.log")"

# Wait until no handshake is open any more, as replay does by letting its clock run on.
open_handshakes() { ctl handshakes --json | jq '[.handshakes[] | select(.outcome == "in_progress")] | length'; }
none_open() { [ "$(open_handshakes)" = 0 ]; }
lab_wait 130 none_open || true
equal "live: no handshake is open any more" 0 "$(open_handshakes)"
ctl handshakes --json > "$LAB_DIR/live-handshakes.json"
ctl diagnoses --json > "$LAB_DIR/live-diagnoses.json"
http /metrics > "$LAB_DIR/live-metrics.log"
in_ns fw nft -j list counters table inet ikefragd > "$LAB_DIR/live-counters.json"
cp "$LAB_DIR/ikefragd.toml" "$LAB_DIR/replay.toml"
"$(lab_build)/ikefragctl" replay --json --mode exclusive --config "$LAB_DIR/ikefragd.toml" "$LAB_DIR/live.pcap" > "$LAB_DIR/replay.json"

same() { diff "$1-of-live.json" "$1-of-replay.json" > "$1-differ.log"; }
listed() { jq -S '[.handshakes[] | {initiator_spi, responder_spi, version, client, server, outcome, basis, retransmits,
    client_fragmentation, server_fragmentation, auth_transport}] | sort_by(.initiator_spi) | .[]' "$1"; }
listed "$LAB_DIR/live-handshakes.json" > "$LAB_DIR/handshakes-of-live.json"
listed "$LAB_DIR/replay.json" > "$LAB_DIR/handshakes-of-replay.json"
compare "handshakes: there are some" "$(jq '.handshakes | length' "$LAB_DIR/replay.json")" -ge 15
check "handshakes: replay gives those of the live run" same "$LAB_DIR/handshakes"

found() { jq -S '[.diagnoses[] | {id, slug, client, server, initiator_spi, actor}] | unique | .[]' "$1"; }
found "$LAB_DIR/live-diagnoses.json" > "$LAB_DIR/diagnoses-of-live.json"
found "$LAB_DIR/replay.json" > "$LAB_DIR/diagnoses-of-replay.json"
check "diagnoses: replay gives those of the live run" same "$LAB_DIR/diagnoses"

"$(dirname "$0")/../lab/compare_counts.py" "$LAB_DIR/live-metrics.log" "$LAB_DIR/live-counters.json" "$LAB_DIR/replay.json" > "$LAB_DIR/counts.log"
while read -r line; do
    case "$line" in
    ok\ *) ok "${line#ok }" ;;
    *) fail "$(sed 's/^FAIL //; s/ — .*//' <<< "$line")" "${line#* — }" ;;
    esac
done < "$LAB_DIR/counts.log"
