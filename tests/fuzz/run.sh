#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzes every target for so many minutes each (default 1; 0: twenty seconds). Needs clang.
#   tests/fuzz/run.sh [minutes]
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-1}
seconds=$((minutes * 60)); [ "$seconds" -gt 0 ] || seconds=20
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j"$(nproc)" >/dev/null

# fuzz TARGET: prints its result line; libFuzzer's own words go to build/fuzz/NAME.log
fuzz() {
    local name=${1##*/fuzz_} log status=0
    log=build/fuzz/$name.log
    mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/seeds/$name"
    "$1" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/seeds/$name" > "$log" 2>&1 || status=$?
    if [ $status = 0 ]; then
        echo "ok fuzz: $name: $(sed -n 's/.*number_of_executed_units: *//p' "$log") executions, $(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)"
    else
        echo "FAIL fuzz: $name — $(grep -E 'ERROR|SUMMARY' "$log" | tail -n 1 | tr -d '\n') (all of it: $log)"
        return 1
    fi
}
export -f fuzz
export seconds
find build/fuzz/tests/fuzz -maxdepth 1 -type f -executable -name 'fuzz_*' | sort | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
