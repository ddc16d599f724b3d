#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzes every target, as many at once as there are cores. Needs clang.
#   tests/fuzz/run.sh [MINUTES [TARGET...]]     minutes of each (default 1; 0: twenty seconds)
# A line each: executions, edges covered, size of the corpus, time, and time of CPU. What is found lies in
# build/fuzz/TARGET-*; it becomes a seed of that target, named by what it shows, in the commit that mends it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
minutes=${1:-1}
shift || true
seconds=$((minutes * 60)) seed=0
if [ "$seconds" = 0 ]; then seconds=20 seed=1; fi # the smoke goes the same way every time
cmake --preset fuzz > /dev/null && cmake --build --preset fuzz -j"$(nproc)" > /dev/null || exit 1

one() { # SECONDS TARGET
    local seconds=$1 name=$2 corpus=build/fuzz/corpus/$2 log=build/fuzz/$2.log status=0 start=$SECONDS
    mkdir -p "$corpus" "tests/fuzz/seeds/$name"
    # The corpus of earlier runs is read first; new finds go there, never among the seeds.
    TIMEFORMAT=%U
    { time "build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -seed="$seed" -timeout=20 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$name-" "$corpus" "tests/fuzz/seeds/$name" > "$log" 2>&1; } 2> "$log.cpu" ||
        status=$?
    local runs edges size
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d ' ' -f 2)
    size=$(find "$corpus" -type f | wc -l)
    if [ "$status" = 0 ]; then
        echo "ok fuzz: $name: ${runs:-?} executions, ${edges:-?} edges, corpus $size, $((SECONDS - start)) s, CPU $(< "$log.cpu") s"
    else
        echo "FAIL fuzz: $name — a finding after ${runs:-?} executions; $(grep -m 1 -E 'ERROR|SUMMARY' "$log")"
        grep -E '^    #[0-9]+ ' "$log" | grep ikefrag | head -n 5 | sed 's/^/    /'
    fi
    return "$status"
}
export -f one
export seed

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for program in build/fuzz/tests/fuzz/fuzz_*; do
        if [ -f "$program" ] && [ -x "$program" ]; then targets+=("${program##*/fuzz_}"); fi
    done
fi
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I TARGET bash -c "one $seconds TARGET"
