#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lint.sh [--all]: clang-tidy, with the compile commands of build/dev. By default over the plugin's sources that changed
# against the last common commit with the main branch, or over a fixed few; --all: over every source but those with coroutines.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${IKEFRAG_TIDY_BUILD:-build/dev}
few='plugin/words.cpp plugin/ike plugin/wire'

if ! command -v clang-tidy > /dev/null; then
    echo "skip lint — clang-tidy is not installed (daemon/install-deps.sh tests)"
    exit 0
fi
if [ ! -e "$build/compile_commands.json" ]; then
    echo "FAIL lint — $build/compile_commands.json is missing (cmake --preset dev)"
    exit 1
fi
all_sources() { find plugin daemon -name '*.cpp' -type f | sort | xargs grep -LE 'co_await|co_return|co_spawn'; }
if [ "${1:-}" = --all ]; then
    mapfile -t files < <(all_sources)
else
    base=$(git -c safe.directory='*' merge-base HEAD main 2> /dev/null || true)
    mapfile -t files < <(
        {
            # shellcheck disable=SC2086 # words are meant
            find $few -name '*.cpp' 2> /dev/null
            if [ -n "$base" ]; then git -c safe.directory='*' diff --name-only --diff-filter=d "$base" -- 'plugin/*.cpp' 2> /dev/null; fi
        } | sort -u | head -n 12
    )
fi
found=$(printf '%s\n' "${files[@]}" |
    xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option 2> /dev/null |
    grep -E '(warning|error):' | sed "s@$PWD/@@" | sort -u)
if [ -z "$found" ]; then
    echo "ok lint: clang-tidy over ${#files[@]} files"
else
    echo "FAIL lint: clang-tidy — $(wc -l <<< "$found") findings in ${#files[@]} files"
    head -n 40 <<< "$found" | sed 's/^/    /'
    exit 1
fi
