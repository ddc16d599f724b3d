# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Healthy handshakes of every kind between real IKE daemons, and what the running ikefragd must say of each: the exchanges, how
# they travelled, what both sides can do, where NAT is, the outcome and its basis, no retransmit, no finding of a failure.
# Sourced after lab.sh by tests that have started the daemon in the lab with a router before the client (PATH_MTU=1500).

newest_number() { ctl handshakes --json | jq '[.handshakes[].number] | max // 0'; }
# spis_after NUMBER: initiator SPIs of the handshakes begun since, in order
spis_after() { ctl handshakes --json | jq -r --argjson n "$1" '[.handshakes[] | select(.number > $n)] | sort_by(.number)[] | .initiator_spi'; }

# kind NAME CONNECTION [COMMAND...]: a handshake, then the command while the SA stands, then its end. Sets `story` (what
# `explain` tells of it) and `stories` (of every SA begun since, one a line).
kind() {
    local name=$1 connection=$2 before spi
    shift 2
    before=$(newest_number)
    check "$name: the client is connected" handshake "$connection"
    sleep 0.7 # a later exchange is evidence only half a second after IKE_AUTH
    if [ $# -gt 0 ]; then check "$name: $*" "$@"; fi
    handshake_ends "$connection"
    tracker_has_all
    lab_wait 3 ended_since "$before" || true
    stories=$(spis_after "$before" | while read -r spi; do ctl explain "$spi" --json | jq -c '.attempts[-1]'; done)
    story=$(head -n 1 <<< "$stories")
    kind_name=$name
    is "outcome, retransmits" '"established" 0' '"\(.handshake.outcome | tojson) \(.handshake.retransmits)"'
    is "no failure is found" '[]' '[.findings[] | select(.kind == "failure") | .id]'
    if [ -n "${kinds_unmuted:-}" ]; then is "silence would have been told" false .handshake.muted; fi
}
# What was sent is known to the tracker only after the kernel's log timeout and its own window, 60 ms together.
tracker_has_all() { sleep 0.2; }
ended_since() { [ "$(ctl handshakes --json | jq --argjson n "$1" '[.handshakes[] | select(.number > $n and .outcome == "in_progress")] | length')" = 0 ]; }
# is WHAT WANTED JQ: of the latest story
is() { equal "$kind_name: $1" "$2" "$(jq -rc "$3" <<< "$story" 2>&1)"; }
# exchanges WANTED: the conversation, runs of one message and direction (its fragments) as one; > is from the client
exchanges() { is "exchanges" "$1" "$conversation | join(\" \")"; }
# exchanges_begin WANTED NUMBER: the first ones of a longer conversation
exchanges_begin() { is "exchanges begin" "$1" "$conversation | .[0:$2] | join(\" \")"; }
conversation='[.handshake.messages[] | "\(.exchange)\(if .message_id > 1 and .message_id < 100 then " \(.message_id)" else "" end)\(if .direction == "to_server" then ">" else "<" end)"]
    | reduce .[] as $m ([]; if .[-1] == $m then . else . + [$m] end)'
travelled() { is "IKE_AUTH travelled" "$1" '.handshake.auth_transport | "\(.request) \(.response)"'; }
can_fragment() { is "capability" "$1" '.handshake | "\(.client_fragmentation) \(.server_fragmentation)"'; }
behind_nat() { is "NAT before client, server" "$1" '.handshake | "\(.client_side.behind_nat) \(.server_side.behind_nat)"'; }
basis() { is "basis" "$1" .handshake.basis; }
# sets LEAST [MTU]: one set each way, complete, of at least so many fragments (certificates differ in length); none above MTU
sets() {
    is "IKE fragments, each way, complete" '["to_server","to_peer"]' \
        "[.handshake.sets[] | select(.complete and .seen == .total and .total >= $1) | .direction]"
    if [ $# -gt 1 ]; then is "none is larger than $2 octets" true "[.handshake.sets[].largest_bytes] | max <= $2"; fi
}
v2='IKE_SA_INIT> IKE_SA_INIT< IKE_AUTH> IKE_AUTH<'
v2_end="$v2 INFORMATIONAL 2> INFORMATIONAL 2<"

kinds_fragmentation() {
    peers_start FRAG=no
    kind "IP fragments, IPv4" v4
    exchanges "$v2_end"; travelled "ip ip"; can_fragment "none none"; behind_nat "false false"; basis later_exchange
    kind "IP fragments, IPv6" v6
    exchanges "$v2_end"; travelled "ip ip"; can_fragment "none none"; behind_nat "false false"; basis later_exchange
    peers_stop
    peers_start FRAG=yes FRAGSIZE=1280
    kind "RFC 7383 at 1280, IPv4" v4
    exchanges "$v2_end"; travelled "skf skf"; can_fragment "ike ike"; sets 4 1280; basis later_exchange
    kind "RFC 7383 at 1280, IPv6, port 4500" v6-natt
    exchanges "$v2_end"; travelled "skf skf"; can_fragment "ike ike"; sets 4 1280; basis later_exchange
    peers_stop
    peers_start FRAG=yes FRAGSIZE=576
    kind "RFC 7383 at 576" v4
    exchanges "$v2_end"; travelled "skf skf"; sets 8 576; basis later_exchange
    peers_stop
}

has_tun() { # FOR
    if [ -e /dev/net/tun ]; then return; fi
    skip "$1" "no /dev/net/tun here for a tunnel in user space"
    return 1
}

kinds_of_negotiation() {
    peers_start CERT=ecdsa FRAG=yes COOKIE=1
    in_ns cli "$(lab_build)/ikefragctl" probe --json 10.99.2.2 > "$LAB_DIR/probe.json" 2>&1 || true # leaves half-open SAs
    tracker_has_all
    kind "COOKIE" v4
    exchanges "IKE_SA_INIT> IKE_SA_INIT< $v2_end"; can_fragment "ike ike"; basis later_exchange
    compare "COOKIE: the notify is counted" "$(metric ikefrag_notify_total notify=cookie)" -ge 2
    peers_stop
    peers_start CERT=ecdsa FRAG=yes CLI_KE=modp2048-curve25519
    kind "INVALID_KE_PAYLOAD" v4
    exchanges "IKE_SA_INIT> IKE_SA_INIT< $v2_end"; can_fragment "ike ike"; basis later_exchange
    compare "INVALID_KE_PAYLOAD: the notify is counted" "$(metric ikefrag_notify_total notify=invalid_ke)" -ge 1
    peers_stop
    if ! has_tun "EAP"; then return; fi
    # With a CHILD_SA: the last answer of EAP for a bare IKE SA is as short as a refusal.
    peers_start CERT=ecdsa FRAG=yes AUTH=eap ESP=userland
    kind "EAP" v4
    exchanges_begin "$v2 IKE_AUTH 2> IKE_AUTH 2< IKE_AUTH 3> IKE_AUTH 3< IKE_AUTH 4> IKE_AUTH 4< INFORMATIONAL 5>" 11
    basis later_exchange
    peers_stop
}

client_moves() { # FROM TO: addresses of its one link
    in_ns cli sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
    ip -n "$LAB-cli" addr add "$2/24" dev eth0
    ip -n "$LAB-cli" addr del "$1/24" dev eth0
}
mobike_moves() {
    client_moves 10.99.1.2 10.99.1.3
    lab_wait 8 moved || return 1
    sleep 0.3
}
moved() { [ "$(ctl handshakes --json | jq '[.handshakes[] | select(.client_addresses > 1)] | length')" -gt 0 ]; }
rekey_ike() { peer cli --rekey --ike v4 && sleep 0.5; }
rekey_child() { peer cli --rekey --child net && sleep 0.5; }

kinds_of_life() {
    peers_start CERT=ecdsa FRAG=yes MOBIKE=yes
    kind "MOBIKE" v4 mobike_moves
    # strongSwan may try the way over IPv6 as well, between the two.
    is "several addresses of one client" '10.99.1.2 true true' '([.handshake.messages[] | select(.direction == "to_server") | .source.address] | unique) as $seen
        | .handshake | "\(.client) \(.client_addresses == ($seen | length)) \($seen | contains(["10.99.1.2", "10.99.1.3"]))"'
    is "it went on to port 4500" '[500] [4500]' '[.handshake.messages[] | select(.direction == "to_server")]
        | "\(map(select(.exchange == "IKE_SA_INIT").destination.port) | unique | tojson) \(map(select(.exchange != "IKE_SA_INIT").destination.port) | unique | tojson)"'
    basis later_exchange
    client_moves 10.99.1.3 10.99.1.2
    peers_stop
    peers_start CERT=ecdsa FRAG=yes
    kind "IKE rekey" v4 rekey_ike
    equal "IKE rekey: two SAs" 2 "$(grep -c . <<< "$stories")"
    exchanges "$v2 CREATE_CHILD_SA 2> CREATE_CHILD_SA 2< INFORMATIONAL 3> INFORMATIONAL 3<"; basis later_exchange
    story=$(tail -n 1 <<< "$stories") kind_name="IKE rekey, the new SA"
    is "known as rekeyed, established" '"established" true 10.99.1.2' '.handshake | "\(.outcome | tojson) \(.rekeyed) \(.client)"'
    is "no failure is found" '[]' '[.findings[] | select(.kind == "failure") | .id]'
    peers_stop
    if ! has_tun "CHILD rekey"; then return; fi
    peers_start CERT=ecdsa FRAG=yes ESP=userland
    kind "CHILD rekey" v4 rekey_child
    exchanges_begin "$v2 CREATE_CHILD_SA 2> CREATE_CHILD_SA 2<" 6
    basis later_exchange
    peers_stop
}

kinds_of_version1() {
    peers_start VER=1 FRAG=no
    kind "IKEv1 main mode, IP fragments" v4
    exchanges "MAIN_MODE> MAIN_MODE< MAIN_MODE> MAIN_MODE< MAIN_MODE> MAIN_MODE< INFORMATIONAL_V1>"
    travelled "ip ip"; can_fragment "none none"; behind_nat "false false"; basis later_exchange
    peers_stop
    peers_start VER=1 FRAG=yes
    kind "IKEv1 main mode, payload 132" v4
    exchanges "MAIN_MODE> MAIN_MODE< MAIN_MODE> MAIN_MODE< MAIN_MODE> MAIN_MODE< INFORMATIONAL_V1>"
    travelled "v1 v1"; can_fragment "v1 v1"; sets 4; basis later_exchange
    peers_stop
    peers_start VER=1a AUTH=psk CERT=ecdsa FRAG=yes
    kind "IKEv1 aggressive mode" v4
    exchanges "AGGRESSIVE> AGGRESSIVE< AGGRESSIVE> INFORMATIONAL_V1>"; can_fragment "v1 v1"; basis later_exchange
    peers_stop
}

# The client behind its provider's NAT, the server behind one of its own: we stand between.
kinds_of_nat() {
    in_ns isp iptables-legacy -w -t nat -A POSTROUTING -o net -p udp -j MASQUERADE --to-ports 20000-60000
    ip -n "$LAB-srv" addr add 10.97.0.1/32 dev lo
    in_ns srv iptables-legacy -w -t nat -A PREROUTING -d 10.99.2.2 -p udp -m multiport --dports 500,4500 -j DNAT --to-destination 10.97.0.1
    peers_start FRAG=yes
    kind "NAT on both sides" v4
    exchanges "$v2_end"; travelled "skf skf"; behind_nat "true true"; basis later_exchange
    is "the client as the provider's NAT shows it" 10.99.3.2 .handshake.client
    peers_stop
    peers_start FRAG=no
    kind "NAT on both sides, IP fragments" v4
    exchanges "$v2_end"; travelled "ip ip"; behind_nat "true true"; basis later_exchange
    peers_stop
    peers_start VER=1 FRAG=yes
    kind "NAT on both sides, IKEv1 (its hashes are SHA-256)" v4
    travelled "v1 v1"; behind_nat "true true"; basis later_exchange
    peers_stop
    in_ns isp iptables-legacy -w -t nat -F POSTROUTING
    in_ns srv iptables-legacy -w -t nat -F PREROUTING
}

kinds_of_handshakes() {
    kinds_fragmentation
    kinds_of_negotiation
    kinds_of_life
    kinds_of_version1
    kinds_of_nat
    kind_name="all kinds"
    equal "no finding of a failure at all" '[]' "$(ctl diagnoses --kind failure --json | jq -c '[.diagnoses[] | .id]')"
    equal "no handshake is called failed" 0 "$(ctl handshakes --outcome failed --json | jq '.handshakes | length')"
    equal "metrics: none failed" 0 "$(metric ikefrag_handshakes_failed_total)"
}
