#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [--all] [--only REGEX] [--no-install]: installs what is missing, builds, and runs the tests.
#
#   --all         the slow ones too: those with a line "# slow" in their head, line coverage of
#                 plugin/, callgrind, TSan, clang-tidy over everything
#   --only REGEX  only the steps and system tests whose name matches (build is: build-dev, build-release)
#   --no-install  do not install packages
#
# It stops at nothing: every step has a time limit, a failed one is told and the next one runs. Logs: build/test-logs/.
# A step's result lines are `ok NAME`, `FAIL NAME — REASON`, `skip NAME — REASON`; the last line here is
# `N passed, N failed, N skipped`. Exit code 0 if nothing failed. With CI=true nothing may be skipped for want of root,
# namespaces or strongSwan.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
all=no only=. install=yes
while [ $# -gt 0 ]; do
    case "$1" in
    --all) all=yes ;;
    --only) only=${2:-.}; shift ;;
    --no-install) install=no ;;
    *) sed -n '3,15p' "$0" | cut -c 3-; exit 2 ;;
    esac
    shift
done

logs=$PWD/build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export IKEFRAG_LAB_LOGS=$logs/lab
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ikefrag-run.XXXXXX")
export IKEFRAG_LAB_PKI=$scratch/pki
mkdir -p "$IKEFRAG_LAB_PKI"
export LAB_RUN=ir$$
passed=0 failed=0 skipped=0 began=$SECONDS

# stop_below PID: stops what PID started, and what that started
stop_below() {
    local child
    for child in $(pgrep -P "$1" 2> /dev/null); do
        stop_below "$child"
        kill "$child" 2> /dev/null
    done
}
end_of_run() {
    local namespace
    stop_below $$
    for namespace in $(ip netns list 2> /dev/null | awk -v p="$LAB_RUN" 'index($1, p) == 1 { print $1 }'); do
        ip netns pids "$namespace" 2> /dev/null | xargs -r kill -9 2> /dev/null
        ip netns del "$namespace" 2> /dev/null
    done
    rm -rf "$scratch"
}
trap end_of_run EXIT
trap 'exit 130' INT TERM

count() { # RESULT-LINE
    case "$1" in
    ok\ *) passed=$((passed + 1)) ;;
    FAIL\ *) failed=$((failed + 1)) ;;
    skip\ *)
        # the machine of CI has root, namespaces and every package: a skip for want of one is a failure there
        if [ "${CI:-}" = true ] && grep -qE 'root|namespace|strongSwan|not installed' <<< "${1#* — }"; then
            failed=$((failed + 1))
            echo "FAIL (nothing of this may be skipped in CI) ${1#skip }"
        else
            skipped=$((skipped + 1))
        fi
        ;;
    esac
}
say() { # RESULT-LINE: shows and counts it
    echo "$1"
    count "$1"
}
wanted() { [[ $1 =~ $only ]]; }

# run_step NAME SECONDS COMMAND...: runs it with a time limit; leaves its log, exit status and duration under the name
run_step() {
    local log=$logs/${1//[^A-Za-z0-9._-]/_} limit=$2 status=0 start=$SECONDS
    shift 2
    timeout --kill-after=20 "$limit" "$@" > "$log.log" 2>&1 < /dev/null || status=$?
    echo "$status $limit $((SECONDS - start))" > "$log.status"
}
# tell_step NAME: shows and counts the result lines of a step that ran. One that printed none is one test by itself.
tell_step() {
    local name=$1 log=$logs/${1//[^A-Za-z0-9._-]/_}.log status limit seconds line lines=0 failures=0
    read -r status limit seconds < "${log%.log}.status"
    while read -r line; do
        lines=$((lines + 1))
        case "$line" in FAIL\ *) failures=$((failures + 1)) ;; esac
        say "$line"
    done < <(grep -E '^(ok|FAIL|skip) ' "$log")
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        say "FAIL $name — not done after $limit s"
        failures=$((failures + 1))
    elif [ "$status" != 0 ] && [ "$failures" = 0 ]; then
        say "FAIL $name — exit status $status"
        failures=$((failures + 1))
    elif [ "$lines" = 0 ]; then
        say "ok $name"
    fi
    if [ "$failures" -gt 0 ]; then
        echo "    ---- end of $log"
        tail -n 40 "$log" | cut -c 1-400 | sed 's/^/    /'
    fi
    echo "   ($name: $seconds s)"
    return "$((failures > 0))"
}
step() { # NAME SECONDS COMMAND...
    if ! wanted "$1"; then return 0; fi
    run_step "$@"
    tell_step "$1"
}

# run_unit_tests PRESET: the two large Catch2 programs run once, beside the rest by ctest: a process for each of their cases
# costs three times as much under a sanitizer.
unit_parts=(plugin daemon ctest)
run_unit_tests() {
    local name=unit-$1 preset=$1 start=$SECONDS part
    for part in "${unit_parts[@]}"; do
        case $part in
        ctest) set -- ctest --preset "$preset" -L unit -E '^(plugin|daemon):' --output-junit "$logs/$name-ctest.xml" ;;
        *) set -- "build/$preset/tests/${part}_tests" --reporter junit --out "$logs/$name-$part.xml" ;;
        esac
        timeout --kill-after=20 900 "$@" > "$logs/$name-$part.log" 2>&1 < /dev/null &
    done
    wait
    echo "$((SECONDS - start))" > "$logs/$name.seconds"
}
# tell_unit_tests PRESET: each test case is one result; only what did not pass is shown.
tell_unit_tests() {
    local name=unit-$1 part line
    for part in "${unit_parts[@]}"; do
        if [ -s "$logs/$name-$part.xml" ] && python3 tests/check/junit_lines.py "$logs/$name-$part.xml" > "$logs/$name-$part.lines"; then
            while read -r line; do
                case "$line" in ok\ *) count "$line" ;; *) say "$line" ;; esac
            done < "$logs/$name-$part.lines"
        else
            say "FAIL $name: $part — it did not come to its end"
            tail -n 40 "$logs/$name-$part.log" | cut -c 1-400 | sed 's/^/    /'
        fi
    done
    echo "   ($name: $(cat "$logs/$name"-*.lines | grep -c '^ok') test cases passed, $(cat "$logs/$name.seconds") s)"
}

build() { # PRESET [TARGET...]
    local preset=$1
    shift
    cmake --preset "$preset" && cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}
}

echo "ikefrag tests on $(nproc) cores, $(uname -r), $(id -un)$([ $all = yes ] && echo ', all')"
if [ $install = yes ]; then
    step install 1500 daemon/install-deps.sh "$(if [ $all = yes ]; then echo all; else echo tests; fi)"
fi

step check-layers 60 tests/check/layers.sh
step check-format 120 tests/check/format.sh
step check-dashboards 120 tests/check/dashboards.py

export -f build
benches=ikefrag_table
if [ $all = yes ]; then benches=benches; fi # nothing else would tell that one no longer builds
step build-release 1200 bash -c "build release ikefragd ikefragctl $benches" && have_release=yes

# System tests, in the order of their names; those with a line "# waits" in their head pass most of their time asleep and run
# beside the others, told at the end; those with a line "# needs the unit tests" come after their build. "# slow" puts a
# test under --all; "# limit N" is its time limit.
needing=()
system_tests() {
    local test name number=0 limit head waiting=()
    for test in $(grep -l '^# waits' tests/system/*.sh) tests/system/*.sh tests/system/*.py tests/check/readme.sh; do
        name=$(basename "${test%.*}")
        if [ ! -x "$test" ] || [[ " ${waiting[*]-} " == *" $name "* ]] || ! wanted "$name"; then continue; fi
        number=$((number + 1))
        head=$(head -n 15 "$test")
        if [ $all = no ] && grep -q '^# slow' <<< "$head"; then
            if [ "$only" != . ]; then echo "   ($name is slow: only with --all)"; fi
            continue
        fi
        if grep -q '^# needs the unit tests' <<< "$head"; then
            needing+=("$test")
            continue
        fi
        limit=$(sed -n 's/^# limit \([0-9]*\).*/\1/p' <<< "$head")
        if grep -q '^# waits' <<< "$head"; then
            waiting+=("$name")
            LAB=$LAB_RUN$number run_step "$name" "${limit:-180}" "$test" &
        else
            LAB=$LAB_RUN$number step "$name" "${limit:-180}" "$test"
        fi
    done
    wait
    for name in "${waiting[@]-}"; do if [ -n "$name" ]; then tell_step "$name"; fi; done
}
# What computes goes on behind the system tests, which sleep most of their time: two cores are kept busy by both. It waits
# for a core rather than let a packet wait for one.
computing() {
    renice -n 10 "$BASHPID" > /dev/null
    if wanted unit || wanted scenarios || wanted build-dev || wanted lint; then
        run_step build-dev 1500 bash -c 'build dev'
        if is_done build-dev && wanted unit-dev; then run_unit_tests dev; fi
        if is_done build-dev && wanted scenarios; then
            run_step scenarios 600 env IKEFRAG_BUILD="$PWD/build/dev" tests/scenarios/run.py
        fi
    fi
    if wanted fuzz; then run_step build-fuzz 1200 bash -c 'build fuzz'; fi
    touch "$logs/computing.done"
}
tell_computing() {
    local name
    if [ ! -e "$logs/computing.done" ]; then say "FAIL builds and unit tests — they did not come to their end"; fi
    for name in build-dev unit-dev scenarios build-fuzz; do
        if [ -e "$logs/$name.status" ]; then tell_step "$name"; fi
        if [ "$name" = unit-dev ] && [ -e "$logs/unit-dev.seconds" ]; then tell_unit_tests dev; fi
    done
}
is_done() { [[ $(cat "$logs/$1.status" 2> /dev/null) == "0 "* ]]; }

computing &
if [ "${have_release:-no}" = yes ] || ! wanted build-release; then
    export IKEFRAG_BUILD=$PWD/build/release
    system_tests
else
    say "FAIL system tests — there is no release build"
fi
wait
tell_computing
for test in "${needing[@]-}"; do
    if [ -n "$test" ]; then LAB=${LAB_RUN}n step "$(basename "${test%.*}")" 180 "$test"; fi
done

if [ $all = yes ] && wanted gate-proofs && bash -c 'build release gate_proofs' > "$logs/build-gate-proofs.log" 2>&1; then
    step gate-proofs 600 build/release/tests/gate_proofs '[.slow]'
elif [ $all = yes ] && wanted gate-proofs; then
    say "FAIL gate-proofs — does not build (build-gate-proofs.log)"
fi
if [ $all = no ]; then step fuzz 700 tests/fuzz/run.sh 0; else step fuzz 1500 tests/fuzz/run.sh 1; fi
if [ $all = yes ]; then
    step coverage 900 tests/coverage.sh
    step cost 400 tests/bench/cost.sh
    step tshark-all 400 python3 tests/system/tshark_compare.py build/dev/tests/ike_dump --all
    if step build-tsan 1500 bash -c 'build tsan' && wanted unit-tsan; then
        run_unit_tests tsan
        tell_unit_tests tsan
    fi
    step lint 2400 tests/check/lint.sh --all
else
    step lint 420 tests/check/lint.sh
fi

echo "done after $((SECONDS - began)) s; logs in build/test-logs"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
