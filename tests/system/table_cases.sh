#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Known packets against the kernel table in all three modes: each goes the way its counters say, and no other.
# Then the table's life: adopted, reloaded in place with packets held, repaired; its servers changed.
# limit 300
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_links_up

table=$(lab_build)/tests/bench/ikefrag_table
[ -x "$table" ] || cmake --build "$(lab_build)" --target ikefrag_table > /dev/null
servers=(--server 10.99.2.2 --server fd99:2::2)
mac=$(ip -n "$LAB-fw" -j link show lan | jq -r '.[0].address')
# the server's stack must not answer: its ICMP errors would be counted too
in_ns srv nft 'table netdev sink { chain in { type filter hook ingress device eth0 priority 0; meta l4proto { 1, 6, 17, 50, 51 } drop; }; }'
cases() { # MODE [NAME...]
    local mode=$1
    shift
    in_ns cli env FW="$LAB-fw" PYTHONDONTWRITEBYTECODE=1 python3 "$lab_project/tests/lab/table_cases.py" "$mode" "$mac" "$@" || true
}
show() { grep -E '^(ok|FAIL)' || fail "table_cases.py" "gave no result"; }
# and nobody there has the address of the server that is not configured
there=$(ip -n "$LAB-srv" -j link show eth0 | jq -r '.[0].address')
ip -n "$LAB-fw" neigh add 10.99.2.77 lladdr "$there" dev wan
ip -n "$LAB-fw" neigh add fd99:2::77 lladdr "$there" dev wan

for mode in observe guard exclusive; do
    in_ns fw nft flush ruleset
    in_ns fw "$table" apply --mode "$mode" "${servers[@]}" > /dev/null
    while read -r line; do
        echo "$line"
        case "$line" in ok*) results_ok=$((results_ok + 1)) ;; *) results_failed=$((results_failed + 1)) ;; esac
    done < <(cases "$mode" | show)
    if [ "$mode" = observe ]; then
        equal "observe has no queue rule" 0 "$(in_ns fw nft list table inet ikefragd 2> /dev/null | grep -c 'queue num\|NFQUEUE\|queue to\|queue flags' || true)"
    fi
done

# ---------------------------------------------------------------- the life of the table
on_fw() { in_ns fw "$table" "$@" 2>&1; }
nft_fw() { in_ns fw nft "$@" 2> /dev/null; }
base_chains() { nft_fw -j -a list chains inet | jq -c '[.nftables[].chain | select(.prio?) | [.name, .handle]]'; }
pairs() { nft_fw -j list set inet ikefragd handshake | jq '[.nftables[].set? | select(.).elem // [] | length] | add'; }

nft_fw flush ruleset
via=$(on_fw apply --mode guard "${servers[@]}")
equal "a fresh table" "${via%% *}" "$via"
cases guard 'IPv4 IKE, ike, in order' > /dev/null
before=$(base_chains) queued=$(on_fw counts | awk '$1 == "queued" { print $2 }') known=$(pairs)
compare "a handshake is remembered" "$known" -ge 1
equal "three fragments are counted" 3 "$queued"
for mode in exclusive observe guard; do
    equal "to $mode in place" "$via adopted" "$(on_fw apply --mode "$mode" "${servers[@]}")"
done
equal "its base chains were never made anew" "$before" "$(base_chains)"
compare "its sets live on" "$(pairs)" -ge "$known"
equal "its counters live on" 3 "$(nft_fw -j list counter inet ikefragd queued | jq '.nftables[].counter? | select(.).packets')"

equal "check: intact" intact "$(on_fw check --mode guard)"
nft_fw flush chain inet ikefragd to_queue
equal "check: no queue rule" "table inet ikefragd has no rule in chain to_queue: nothing is queued" "$(on_fw check --mode guard)"
equal "stop queueing" "" "$(on_fw apply --mode guard > /dev/null; on_fw stop --mode guard)"
equal "stopped: fragments pass by" 0 "$(nft_fw list chain inet ikefragd take | grep -c to_queue)"
equal "removed" "" "$(on_fw remove)"
equal "check: gone" "table inet ikefragd is not there" "$(on_fw check)"

nft_fw 'table inet ikefragd { set ike4 { type ipv4_addr; }; chain old { drop; }; chain pre { type filter hook prerouting priority -450; goto old; }; }'
equal "another version's table is reshaped" "$via adopted reshaped" "$(on_fw apply "${servers[@]}")"
equal "and its old rules are gone" 0 "$(nft_fw list chain inet ikefragd old | grep -c drop)"
nft_fw delete table inet ikefragd
nft_fw 'table inet ikefragd { chain pre { type filter hook prerouting priority -400; }; }'
equal "a table at another priority is replaced" "$via replaced" "$(on_fw apply "${servers[@]}")"
equal "check: intact again" intact "$(on_fw check --mode guard)"
