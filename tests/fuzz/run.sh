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
for target in build/fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target"); name=${name#fuzz_}
    corpus=build/fuzz/corpus/$name; mkdir -p "$corpus" "tests/fuzz/seeds/$name"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
        "$corpus" "tests/fuzz/seeds/$name" 2>&1 | grep -E 'stat::number_of_executed|cov:|ERROR|SUMMARY' | tail -3
done
