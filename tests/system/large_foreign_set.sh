#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another program's set of tens of thousands of networks (a country's, a blocklist's): the daemon does not read it. It starts,
# reloads and mends its table without the memory and the seconds that a listing of all of it takes, and the watchdog is fed.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_new_namespace fw
python3 - > "$LAB_DIR/blocklist.nft" << 'X'
networks = ("%d.%d.%d.0/25" % (11 + (n >> 16), n >> 8 & 255, n & 255) for n in range(60000))
print("table inet blocklist { set bad { type ipv4_addr; flags interval; elements = {", ",".join(networks), "}; };")
print("chain forward { type filter hook forward priority 0; ip saddr @bad drop; ip frag-off & 0x1fff != 0 drop; }; }")
X
in_ns fw nft -f "$LAB_DIR/blocklist.nft"
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
