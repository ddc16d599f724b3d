#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another program's set of tens of thousands of networks (a country's, a blocklist's): the daemon does not read it. It starts,
# reloads and mends its table without the memory and the seconds that a listing of all of it takes, and the watchdog is fed.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_new_namespace fw
networks=$(python3 -c 'print(",".join("%d.%d.%d.0/25" % (11 + (n >> 16), n >> 8 & 255, n & 255) for n in range(60000)))')
# load RULE SET: the other program's table
load() {
    echo "table inet blocklist { $2 chain forward { type filter hook forward priority 0; $1; ip frag-off & 0x1fff != 0 drop; }; }" |
        in_ns fw nft -f -
}
load 'ip saddr @bad drop' "set bad { type ipv4_addr; flags interval; elements = { $networks }; };"
peak() { awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/${lab_pids[ikefragd]}/status"; }
table_is_there() { in_ns fw nft list chain inet ikefragd pre; }

ikefragd_start guard
compare "large foreign set, start: highest memory in MiB" "$(peak)" -le 48
check "large foreign set: the other program's rules were read" grep -q 'inet blocklist forward drops fragments' <(ctl status --json)
check "large foreign set: reload" ctl reload
check "large foreign set: another mode" ctl mode exclusive
in_ns fw nft delete table inet ikefragd
check "large foreign set: the table is back" lab_wait 5 table_is_there
compare "large foreign set, after all that: highest memory in MiB" "$(peak)" -le 48

# The same networks within a rule belong to its text: nobody can leave them out, so the rules are not judged one by one.
ikefragd_stop
in_ns fw nft delete table inet blocklist
load "ip saddr { $networks } drop" ''
ikefragd_start guard
compare "large foreign rule, start: highest memory in MiB" "$(peak)" -le 112 # the unit allows 256
check "large foreign rule: told as not judged" grep -q 'not judged.*nftables: a ruleset of' \
    <(ctl doctor --config "$LAB_DIR/ikefragd.toml" --json)
