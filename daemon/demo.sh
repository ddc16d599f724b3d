#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh [--keep | --stop]: builds ikefrag and shows its main job between two real VPN daemons.
#
# Three network namespaces (client – firewall – server), strongSwan at both ends, big certificates, so that IKE_AUTH is about
# 4.9 kB and travels in four IP fragments. Run as root; it changes nothing outside its namespaces, asserts every claim it
# makes, ends by itself and leaves nothing behind.
#
#   --keep      leave everything running at the end, to play with      --stop      end a demo that was kept
#   --no-build  use what is built already (IKEFRAG_BUILD or build/release)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(dirname "$here")
kept=/run/ikefrag-demo
keep=no build=yes
for argument in "$@"; do
    case "$argument" in
    --keep) keep=yes ;;
    --no-build) build=no ;;
    --stop) keep=stop ;;
    *) sed -n '3,11p' "$0" | cut -c 3-; exit 2 ;;
    esac
done
if [ "$(id -u)" != 0 ]; then
    echo "demo.sh: network namespaces need root; without root try: ikefragctl replay tests/captures/…" >&2
    exit 5
fi
if [ $keep = stop ]; then
    if [ ! -e $kept ]; then echo "no demo is kept"; exit 0; fi
    # shellcheck source=/dev/null
    . $kept
    for namespace in "$LAB-cli" "$LAB-fw" "$LAB-srv"; do
        ip netns pids "$namespace" 2> /dev/null | xargs -r kill || true
    done
    sleep 1
    for namespace in "$LAB-cli" "$LAB-fw" "$LAB-srv"; do
        ip netns pids "$namespace" 2> /dev/null | xargs -r kill -9 || true
        ip netns del "$namespace" 2> /dev/null || true
    done
    rm -rf "$LAB_DIR" $kept
    echo "the kept demo is gone"
    exit 0
fi
if [ $keep = yes ]; then
    if [ -e $kept ]; then echo "demo.sh: a demo is kept already; end it with: $0 --stop" >&2; exit 1; fi
    export LAB=ikefrag-demo
fi

if [ $build = yes ]; then
    "$here/install-deps.sh" demo
    echo "building (build/release) …"
    log=$(mktemp)
    if ! (cd "$project" && cmake --preset release && cmake --build --preset release --target ikefragd ikefragctl) > "$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
    export IKEFRAG_BUILD=$project/build/release
fi
# shellcheck source=tests/lab/lab.sh
. "$project/tests/lab/lab.sh"

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
tell() { printf '  %s\n' "$*" | fold -s -w 110; }
if [ ! -t 1 ]; then title() { printf '\n%s\n' "$*"; }; fi

# handshakes_of CONNECTION...: all of them at once through the firewall; 0.7 s later the client says good-bye, which shows that
# the SA was used
handshakes_of() { # WORDS CONNECTION...
    local words=$1 connection
    shift
    for connection in "$@"; do
        check "established: $words, $(spoken "$connection")" handshake "$connection" 6
    done
    sleep 0.7
    for connection in "$@"; do handshake_ends "$connection"; done
}
spoken() {
    case "$1" in
    v4) echo "IPv4, port 500" ;; v6) echo "IPv6, port 500" ;;
    v4-natt) echo "IPv4, port 4500" ;; v6-natt) echo "IPv6, port 4500" ;;
    esac
}
# Another UDP service: does a datagram of SIZE octets arrive at the server?
arrives() { # ADDRESS SIZE
    local digest
    digest=$(in_ns cli "$lab_source/udp.py" send "$1" 5300 "$2" | cut -d ' ' -f 2)
    lab_wait 1 grep -q "$digest" "$LAB_DIR/service4.log" "$LAB_DIR/service6.log"
}
other_service() { # WORDS WANTED(yes|no)
    local address
    for address in 10.99.2.2 fd99:2::2; do
        check "another UDP service, $1, $address: a small datagram arrives" arrives $address 300
        if [ "$2" = yes ]; then
            check "another UDP service, $1, $address: a fragmented datagram arrives" arrives $address 3000
        else
            check "another UDP service, $1, $address: a fragmented datagram does not get through" fails arrives $address 3000
        fi
    done
}
fails() { if "$@"; then echo "it succeeded, and must not"; return 1; fi; }

started=$SECONDS
lab_begin swanctl pki charon-systemd
title "The scene: client ── firewall ── server, each in a network namespace of its own ($LAB-cli, $LAB-fw, $LAB-srv)"
tell "Two strongSwan daemons set up a VPN through the firewall. Their certificate chains are long, and IKE fragmentation" \
    "is off: the IKE_AUTH message (about 4.9 kB) must travel as four IP fragments. Making keys takes a few seconds …"
lab_links_up
peers_start RETRANSMIT=0.5
lab_spawn service4 srv "$lab_source/udp.py" sink 10.99.2.2 5300
lab_spawn service6 srv "$lab_source/udp.py" sink fd99:2::2 5300
lab_wait 5 grep -q listening "$LAB_DIR/service4.log"
lab_wait 5 grep -q listening "$LAB_DIR/service6.log"
other_service "no rule at all" yes

title "1. A firewall that drops fragments: \"error 809\""
tell "Rule on the firewall: drop every fragment that is not a first one. Many firewalls do; nobody remembers why."
firewall drop_fragments on
check "the handshake fails: IPv4, port 500" fails handshake v4 8
equal "  … after IKE_SA_INIT went both ways" 1 "$(grep -c 'parsed IKE_SA_INIT response' "$LAB_DIR/cli.log")"
compare "  … while IKE_AUTH was sent again and again" "$(grep -c 'sending packet.*(4[0-9][0-9][0-9] bytes)' "$LAB_DIR/cli.log")" -ge 3
equal "  … and never answered" 0 "$(grep -c 'parsed IKE_AUTH response' "$LAB_DIR/cli.log" || true)"
tell "Windows would now say \"809: the network connection could not be established\". Nobody says why."

title "   The same again, with ikefragd watching (mode observe: it only looks; no packet ever waits for it)"
ikefragd_start observe
check "it fails as before" fails handshake v4 8
equal "observe has no queue rule" 0 "$(in_ns fw nft list table inet ikefragd 2> /dev/null | grep -cE 'queue (num|flags|to)|NFQUEUE' || true)"
compare "ikefragd saw IKE_AUTH come in four fragments, three times" "$(metric ikefrag_fragmented_messages_total exchange=IKE_AUTH role=request method=ip)" -ge 3
tell "$ ikefragctl doctor          (what on this firewall stands in the way)"
ctl doctor --config "$LAB_DIR/ikefragd.toml" > "$LAB_DIR/doctor.txt" 2>&1 || true
grep -A 1 '^wrong.*fragment' "$LAB_DIR/doctor.txt" | sed 's/^/    /'
check "doctor names the rule that drops fragments" grep -q 'inet firewall early: ip frag-off' "$LAB_DIR/doctor.txt"
firewall drop_fragments off

title "2. The same firewall, the job done by ikefragd in mode exclusive: IP fragments of IKE, checked, and no others"
tell "$ ikefragctl mode exclusive"
check "mode exclusive" ctl mode exclusive
handshakes_of "pass" v4 v6 v4-natt v6-natt
other_service "exclusive" no
tell "Connection tracking on (as behind NAT): now the kernel puts fragments together itself, after ikefragd has seen them."
firewall conntrack on
handshakes_of "pass, conntrack" v4 v6 v4-natt v6-natt
other_service "exclusive, conntrack" no
firewall conntrack off
tell "Action reassemble instead of pass: one rebuilt datagram goes on. A reload; the daemon keeps running."
ikefragd_config exclusive RULES='[[rule]]
name = "rebuild"
match = { class = "ike", family = "ipv4" }
action = "reassemble"'
check "reload" ctl reload
handshakes_of "reassemble" v4 v4-natt
firewall conntrack on
handshakes_of "reassemble, conntrack" v4 v4-natt
firewall conntrack off

title "3. What ikefragd tells about it"
tell "A handshake counts as failed when nothing has come for a minute; waiting for the one of part 1 …"
lab_wait 80 metric_reaches ikefrag_handshakes_failed_total -ge 1 || true
tell "$ curl http://127.0.0.1:9786/metrics      (some of them)"
http /metrics > "$LAB_DIR/metrics.txt"
grep -E '^ikefrag_(handshakes_(completed|failed)_total|fragmented_messages_total|verdicts_total|mode_info|ip_datagrams_total)' "$LAB_DIR/metrics.txt" |
    grep -v ' 0$' | sed 's/^/    /'
equal "handshakes completed" 12 "$(metric ikefrag_handshakes_completed_total)"
equal "handshakes failed: the one of part 1" 1 "$(metric ikefrag_handshakes_failed_total)"
equal "IKE_AUTH requests that came in IP fragments (12, and 3 of part 1)" 15 "$(metric ikefrag_fragmented_messages_total exchange=IKE_AUTH role=request method=ip)"
equal "IKE_AUTH answers that came in IP fragments" 12 "$(metric ikefrag_fragmented_messages_total exchange=IKE_AUTH role=response method=ip)"
equal "fragments let through unchanged (8 handshakes, 4 + 4 fragments each)" 64 "$(metric ikefrag_verdicts_total verdict=accept)"
equal "datagrams rebuilt (4 handshakes, both ways)" 8 "$(metric ikefrag_verdicts_total verdict=replace)"
equal "fragments gone into them" 24 "$(metric ikefrag_verdicts_total verdict=merge)"
equal "fragments of IKE dropped" 0 "$(metric ikefrag_verdicts_total verdict=drop)"
compare "fragments of the other service dropped, by the kernel itself" \
    "$(($(metric ikefrag_table_packets_total counter=dropped_head) + $(metric ikefrag_table_packets_total counter=dropped_tail)))" -ge 12
tell "$ ikefragctl handshakes"
ctl handshakes > "$LAB_DIR/handshakes.txt"
sed 's/^/    /' "$LAB_DIR/handshakes.txt"
equal "the list has those that were established" 12 "$(grep -c 'established' "$LAB_DIR/handshakes.txt")"
equal "the list has the one that failed" 1 "$(grep -c 'failed' "$LAB_DIR/handshakes.txt")"
spi=$(ctl handshakes --outcome failed --json | jq -r '.handshakes[0].initiator_spi')
tell "$ ikefragctl explain $spi          (the one that failed)"
ctl explain "$spi" > "$LAB_DIR/explain.txt"
sed -n '1,/^D[0-9]*/p' "$LAB_DIR/explain.txt" | sed 's/^/    /'
check "explain tells that fragments were lost" grep -qi 'fragments' "$LAB_DIR/explain.txt"
check "explain says who must act" grep -q 'Who must act' "$LAB_DIR/explain.txt"
equal "no handshake that was established has a finding of failure" 1 "$(ctl diagnoses --kind failure --json | jq '[.diagnoses[].initiator_spi] | unique | length')"

if [ $keep = yes ] && [ "$results_failed" = 0 ]; then
    lab_keep=yes
    printf 'LAB=%q\nLAB_DIR=%q\n' "$LAB" "$LAB_DIR" > $kept
    title "Left running, to play with:"
    cat << X
  ip netns exec $LAB-fw curl -s http://127.0.0.1:9786/metrics
  ip netns exec $LAB-fw $(lab_build)/ikefragctl --socket $LAB_DIR/control.sock status
  ip netns exec $LAB-cli env SWANCTL_DIR=$LAB_DIR/cli/swanctl STRONGSWAN_CONF=$LAB_DIR/cli/strongswan.conf \\
      swanctl --initiate --ike v4 --uri unix://$LAB_DIR/cli/vici
  $0 --stop
X
else
    ikefragd_stop
    equal "its table is gone" 0 "$(in_ns fw nft list tables | grep -c ikefragd || true)"
fi
title "$results_ok checks passed, $results_failed failed, in $((SECONDS - started)) s"
[ "$results_failed" = 0 ]
