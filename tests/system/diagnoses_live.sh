#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Loss injected on each leg and direction, refusals of a real server: the running daemon names each by exactly its diagnosis,
# and nothing that is healthy by any.
# slow
# limit 600
# waits
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/peers.sh
. "$(dirname "$0")/../lab/peers.sh"
lab_begin swanctl pki charon-systemd ike-scan
lab_links_up

# inject NAMESPACE DEVICE MATCH: what comes in there and matches is lost
inject() {
    in_ns "$1" nft "table netdev inject { chain loss { type filter hook ingress device $2 priority 0; $3 counter drop; }; }"
    injected=$1
}
heal() {
    in_ns "$injected" nft delete table netdev inject
}
tail4='ip frag-off & 0x1fff != 0'
tail6='meta protocol ip6 frag frag-off != 0'

told() { ctl explain "$1" --json 2> /dev/null; }
latest() { told "$1" | jq -r '.attempts[-1].handshake.initiator_spi // "none"'; }
cause() { told "$1" | jq -r '[.attempts[-1].findings[] | select(.kind == "failure") | .id] | join(" ")'; }
# named NAME CLIENT ID: the latest attempt of the client, begun since `before` was read, has that failure and no other
is_named() { [ "$(latest "$1")" != "$before" ] && [ "$(cause "$1")" = "$2" ]; }
named() {
    if lab_wait 25 is_named "$2" "$3"; then ok "$1: $3"; else fail "$1: $3" "it is '$(cause "$2")' of $(latest "$2"), before $before"; fi
}
# named_soon NAME CLIENT: no more than 3 s after the client's second try (the first, if it made no other)
named_soon() {
    local took
    took=$(told "$2" | jq '
        def seconds: (.[0:19] + "Z" | fromdate) + ("0" + .[19:26] | tonumber);
        .attempts[-1] | (.handshake.messages | map(select(.role == "request" and .direction == "to_server"))) as $asked
        | ($asked | map(select(.exchange == $asked[-1].exchange and .message_id == $asked[-1].message_id) | .time | seconds)) as $tries
        | ([.findings[] | select(.kind == "failure") | .opened | seconds] | min) - ($tries[1] // $tries[0])
        | . * 100 | round / 100')
    if jq -e '. <= 3' <<< "$took" > /dev/null; then ok "$1: named within 3 s of the second try"; else fail "$1: named within 3 s of the second try" "it took $took s"; fi
    echo "    $1: named $took s after the second try"
}
# try CONNECTION CLIENT: an attempt that must fail
try() {
    before=$(latest "$2")
    handshake "$1" 9 || true
}
case_of() { # NAME CONNECTION CLIENT ID
    try "$2" "$3"
    named "$1" "$3" "$4"
    handshake_ends "$2" # else the next one would join it
}

peers_start RETRANSMIT=1.0 TRIES=3
ikefragd_start guard
began=$SECONDS
for connection in v4 v6 v4-natt; do
    check "healthy: $connection in IP fragments" handshake $connection
    handshake_ends $connection
done
peers_stop
peers_start FRAG=yes RETRANSMIT=1.0 TRIES=3
for connection in v4 v6-natt; do
    check "healthy: $connection in IKE fragments" handshake $connection
    handshake_ends $connection
done
peers_stop
peers_start RETRANSMIT=1.0 TRIES=3
# In the first minute of its life the daemon says nothing of silence.
sleep $((62 - (SECONDS - began)))

inject fw lan "$tail4"
case_of "before us, IPv4" v4 10.99.1.2 D04
heal
inject fw lan "$tail6"
case_of "before us, IPv6" v6 fd99:1::2 D04
heal
inject fw lan "udp dport 500 ip frag-off & 0x3fff == 0x2000"
case_of "before us, first fragments" v4 10.99.1.2 D05
heal
inject fw lan "udp dport 4500 drop; $tail4"
for _ in 1 2 3; do # one alone may be a user who cancels: three of one network count
    try v4-natt 10.99.1.2
    sleep 2
    handshake_ends v4-natt
done
case_of "before us, UDP 4500 blocked" v4-natt 10.99.1.2 D06
heal

in_ns fw iptables-legacy -w -A FORWARD -o wan -p udp -m length --length 1000: -j DROP
case_of "by another rule of this host" v4 10.99.1.2 D29
named_soon "by another rule of this host" 10.99.1.2
in_ns fw iptables-legacy -w -D FORWARD -o wan -p udp -m length --length 1000: -j DROP

# … and one that drops trailing fragments only: first ones do go out, but the daemon has read the ruleset.
in_ns fw nft 'table inet firewall { chain forward { type filter hook forward priority 0; ip frag-off & 0x1fff != 0 counter drop; }; }'
knows_rule() { ctl status --json | jq -r .pass | grep -q 'drops fragments behind us'; }
check "the daemon sees such a rule" lab_wait 10 knows_rule
case_of "by a rule of this host that drops trailing fragments" v4 10.99.1.2 D29
named_soon "by a rule of this host that drops trailing fragments" 10.99.1.2
in_ns fw nft flush table inet firewall
forgets_rule() { ! knows_rule; }
check "the daemon sees that it is gone" lab_wait 10 forgets_rule

in_ns srv sysctl -qw net.ipv4.ipfrag_time=2
inject srv eth0 "$tail4"
case_of "behind us, the server says so" v4 10.99.1.2 D27
named_soon "behind us, the server says so" 10.99.1.2
heal
inject srv eth0 "udp dport 500 udp length > 600"
case_of "behind us, in silence" v4 10.99.1.2 D07
heal
inject fw wan "$tail4"
case_of "answers lost before they reach us" v4 10.99.1.2 D11
heal
inject cli eth0 "$tail4"
case_of "answers lost on the way back" v4 10.99.1.2 D10
heal
inject srv eth0 "udp dport 500"
case_of "silent server" v4 10.99.1.2 D09
failures=$(ctl diagnoses --json | jq '[.diagnoses[] | select(.kind == "failure")] | length')
in_ns cli ike-scan --ikev2 --retry=4 --timeout=300 --sport=0 10.99.2.2 > "$LAB_DIR/ike-scan.log" 2>&1 || true
sleep 2
equal "ike-scan without answer is no failing client" "$failures" "$(ctl diagnoses --json | jq '[.diagnoses[] | select(.kind == "failure")] | length')"
heal
lab_stop strongswan-srv || true
case_of "service down" v4 10.99.1.2 D28
named_soon "service down" 10.99.1.2
lab_stop strongswan-cli || true

peers_start AUTH=psk PSK=wrong RETRANSMIT=1.0 TRIES=3
case_of "wrong pre-shared key" v4 10.99.1.2 D22
peers_stop
peers_start CLI_KE=modp2048 RETRANSMIT=1.0 TRIES=3
case_of "no proposal in common" v4 10.99.1.2 D21
named_soon "no proposal in common" 10.99.1.2
count_failures() { ctl diagnoses --kind failure --json | jq '.diagnoses | length'; }
failures=$(count_failures)
for how in "--ikev2" "" "--aggressive --id=vpn"; do # it gets NO_PROPOSAL_CHOSEN, or no answer
    # shellcheck disable=SC2086 # words
    in_ns cli ike-scan $how --retry=4 --timeout=300 --sport=0 10.99.2.2 >> "$LAB_DIR/ike-scan.log" 2>&1 || true
done
sleep 3
equal "ike-scan that is answered is no failing client" "$failures" "$(count_failures)"
peers_stop

# A server that asks for a cookie, and a client that never gets the question.
peers_start CERT=ecdsa FRAG=yes COOKIE=1 HALF_OPEN=30 RETRANSMIT=1.0 TRIES=3
in_ns cli "$(lab_build)/ikefragctl" probe --json 10.99.2.2 > "$LAB_DIR/probe.json" 2>&1 || true # leaves half-open SAs
inject cli eth0 "udp sport 500"
case_of "asked for a cookie again and again" v4 10.99.1.2 D19
named_soon "asked for a cookie again and again" 10.99.1.2
heal
peers_stop

# Nothing that went well was called a failure.
equal "no established handshake has a failure" 0 "$(ctl handshakes --json | jq -r '.handshakes[] | select(.outcome == "established") | .initiator_spi' |
    while read -r spi; do cause "$spi"; done | grep -c . || true)"
counted=$(http /metrics | grep -cE '^ikefrag_diagnoses_total\{.*diagnosis="(auth_partial_ipfrag|icmp_reassembly_timeout|init_unanswered|no_proposal)".*\} [1-9]' || true)
equal "metrics: the diagnoses are counted" 4 "$counted"
ikefragd_stop || true
