#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Line coverage of plugin/ by its unit tests (preset `coverage`), a line each file, the total last; below the least it fails.
#   tests/coverage.sh [LEAST=95] [HTML-FOLDER]
# Needs gcovr.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
least=${1:-95} html=${2:-} build=build/coverage
if ! command -v gcovr > /dev/null; then
    echo "skip coverage — gcovr is not installed"
    exit 77
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset coverage > "$log" || ! cmake --build --preset coverage -j"$(nproc)" --target plugin_tests memory_tests c_abi_test >> "$log"; then
    tail -n 20 "$log"
    echo "FAIL coverage — does not build"
    exit 1
fi
find "$build" -name '*.gcda' -delete # nothing of an earlier run counts
for program in plugin_tests memory_tests "c_abi_test tests/captures/ss-v2-ipfrag-ipv4.i-side.pcap"; do
    # shellcheck disable=SC2086 # a program and its argument
    if ! $build/tests/$program > "$log" 2>&1; then
        tail -n 20 "$log"
        echo "FAIL coverage — $program failed"
        exit 1
    fi
done
more=()
if [ -n "$html" ]; then mkdir -p "$html" && more=(--html-details "$html/index.html"); fi
if ! gcovr -j "$(nproc)" --root . --filter plugin/ --object-directory $build "${more[@]}" --print-summary $build/plugin > "$log" 2>&1; then
    tail -n 20 "$log"
    echo "FAIL coverage — gcovr failed"
    exit 1
fi
sed -n '/^plugin\//p' "$log"
percent=$(sed -n 's/^lines: \([0-9.]*\)%.*/\1/p' "$log")
text="$(sed -n 's/^lines: //p' "$log") of plugin/"
if awk -v got="${percent:-0}" -v least="$least" 'BEGIN { exit !(got >= least) }'; then
    echo "ok coverage: $text"
else
    echo "FAIL coverage — $text, at least $least% are wanted"
    exit 1
fi
