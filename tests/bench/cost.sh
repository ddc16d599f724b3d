#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a hostile fragment costs, whatever is held: instructions counted by callgrind with 100 to 100 000 datagrams open
# (limits raised), flat within a tenth: of tails of open datagrams, and of what a full table has to do (evictions, poison,
# what is left, expiries); what a message costs in the tracker; and resident memory under ten million fragments, at most
# table_bytes and 5 %, where packets bind (as shipped) and where bytes do.
#   tests/bench/cost.sh [FRAGMENTS=10000000]
# Needs valgrind. Programs come from the release build (IKEFRAG_BUILD: another).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${IKEFRAG_BUILD:-build/release}
if ! command -v valgrind > /dev/null; then
    echo "skip cost — valgrind is not installed"
    exit 77
fi
if [ -f "$build/build.ninja" ]; then cmake --build "$build" --target hostile tracker_bench > /dev/null || exit 1; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# instructions KIND OPEN TIMES FED: of each of FED fragments; `cost` has one for every open datagram, one after the other
instructions() {
    if ! valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measured_feed --callgrind-out-file="$folder/$1-$2" \
        "$build/tests/bench/hostile" "$1" "$2" "$3" > "$folder/$1-$2.log" 2>&1; then
        tail -n 3 "$folder/$1-$2.log" >&2
        return 1
    fi
    awk -v n="$4" '/^summary:|^totals:/ { total = $2 } END { if (total > 0) printf "%.0f\n", total / n; else exit 1 }' "$folder/$1-$2"
}

failed=0
rounds=5000
for kind in cost crowd; do
    first=
    for open in 100 1000 10000 100000; do
        if [ $kind = cost ]; then times=$open fed=$open; else times=$rounds fed=$((rounds * 6)); fi
        if ! each=$(instructions $kind $open $times $fed); then
            echo "FAIL $kind — nothing was measured with $open datagrams open"
            exit 1
        fi
        first=${first:-$each}
        text="$each instructions a fragment with $open datagrams open, $(grep -oE 'mean probes.*|[0-9]+ evictions.*' "$folder/$kind-$open.log")"
        if [ $((each * 10)) -le $((first * 11)) ]; then
            echo "ok $kind: $text"
        else
            echo "FAIL $kind — $text: more than a tenth above $first"
            failed=1
        fi
    done
done
# A whole message in the tracker, over healthy handshakes of ten messages.
messages=64000
if valgrind --tool=callgrind --callgrind-out-file="$folder/tracker" "$build/tests/bench/tracker_bench" loop $messages > "$folder/tracker.log" 2>&1; then
    each=$(awk -v n=$messages '/^summary:|^totals:/ { total = $2 } END { printf "%.0f", total / n }' "$folder/tracker")
    echo "ok cost: $each instructions a message in the tracker"
else
    tail -n 3 "$folder/tracker.log"
    echo "FAIL cost — nothing was measured of the tracker"
    failed=1
fi
for bound in packets bytes; do
    if text=$("$build/tests/bench/hostile" rss $bound "${1:-10000000}"); then
        echo "ok memory: $text"
    else
        echo "FAIL memory — $text"
        failed=1
    fi
done
exit "$failed"
