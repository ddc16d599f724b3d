#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo does what it claims, within its three minutes, and leaves nothing behind; --keep keeps, --stop ends.
# limit 240
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
# shellcheck disable=SC2120 # arguments come further down
demo() { env -u LAB IKEFRAG_BUILD="$(lab_build)" "$lab_project/daemon/demo.sh" --no-build "$@"; }

began=$SECONDS status=0
demo > "$LAB_DIR/demo.log" 2>&1 || status=$?
grep -E '^(ok|FAIL|skip) ' "$LAB_DIR/demo.log" || true
equal "demo: exit status" 0 "$status"
compare "demo: seconds" $((SECONDS - began)) -lt 180
prefix=$(sed -n 's/.*(\(ikf[0-9a-f]*\)-cli,.*/\1/p' "$LAB_DIR/demo.log" | head -n 1)
check "demo: it names its namespaces" test -n "$prefix"
equal "demo: its namespaces are gone" 0 "$(ip netns list | grep -c "^$prefix" || true)"
check "demo: it says at the end how many checks passed" grep -qE '^[0-9]+ checks passed, 0 failed' "$LAB_DIR/demo.log"
for metric in $(grep -oE '^    ikefrag_[a-z_]+' "$LAB_DIR/demo.log" | sort -u); do
    check "demo: $metric is one of the documented metrics" grep -q "$metric" "$lab_project/dashboards/README.md"
done
