#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# layers.sh: the folder is the layer. plugin/ stays pure, daemon/ uses plugin's public face only, and so on.
# Prints one result line a rule, with the places that break it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
failed=0

# rule NAME PLACES: the places (lines of text) break the rule; none is right
rule() {
    if [ -z "$2" ]; then
        echo "ok layers: $1"
    else
        failed=1
        echo "FAIL layers: $1 — $(wc -l <<< "$2") places"
        head -n 20 <<< "$2" | sed 's/^/    /'
    fi
}
# sources FOLDER...: C++ sources in them
sources() { find "$@" \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -type f; }
# Code without its // comments, so that words in comments break nothing: FILE:LINE:TEXT
code() { sources "$@" | sort | xargs -r grep -nH '' | sed -E 's@^([^:]+:[0-9]+:)(.*[^:"])?//.*$@\1\2@'; }

plugin=$(code plugin)
rule "plugin/ includes only itself and the standard library" "$(
    grep -E ':[[:space:]]*#[[:space:]]*include' <<< "$plugin" |
        grep -vE 'include[[:space:]]+"plugin/' |
        grep -vE 'include[[:space:]]+<(algorithm|array|atomic|bit|cstdio|cstdlib|stdexcept|cassert|charconv|chrono|cmath|compare|concepts|cstddef|cstdint|cstring|deque|functional|initializer_list|iterator|limits|list|map|memory|new|numeric|optional|queue|set|span|string|string_view|tuple|type_traits|unordered_map|unordered_set|utility|variant|vector|stddef\.h|stdint\.h)>'
)"
rule "plugin/ asks no clock, file, environment or chance" "$(
    grep -E '(_clock::now|\btime\(|\bgetenv\(|\bstd::(cout|cerr|clog|thread|jthread|mutex|random_device|ofstream|ifstream)\b|\bf?printf\(|\brand\()' <<< "$plugin" |
        grep -v 'snprintf('
)"
rule "plugin/ has no virtual functions and no std::views" "$(
    sed -E 's/"[^"]*"/""/g' <<< "$plugin" | grep -E '(\bvirtual\b|\bstd::(ranges::)?views\b|\bviews::)'
)"
rule "daemon/ uses only headers directly in plugin/" "$(code daemon | grep -E '#[[:space:]]*include[[:space:]]+"plugin/[^"]*/')"
rule "plugin/ does not know daemon/ or tests/" "$(grep -E '#[[:space:]]*include[[:space:]]+"(daemon|tests)/' <<< "$plugin")"
rule "only daemon/asio.hpp includes Asio" "$(code daemon tests | grep -E '#[[:space:]]*include[[:space:]]+<boost/asio' | grep -v '^daemon/asio.hpp:')"
rule "packet bytes are never cast to structs in plugin/" "$(grep -E '\breinterpret_cast\b' <<< "$plugin" | grep -v 'static_cast\|const char\*>\|char\*>\|uint8_t\*>\|std::byte\*>')"
rule "every header says #pragma once" "$(
    find plugin daemon tests -name '*.hpp' -print0 | xargs -0 -r grep -L '#pragma once'
)"
rule "every source names its licence in the first two lines" "$(
    {
        sources plugin daemon tests
        find daemon tests .ci \( -name '*.sh' -o -name '*.py' -o -path '.ci/run' \) -type f
    } | sort -u | while read -r file; do
        head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || echo "$file"
    done
)"
rule "file names are snake_case" "$(
    sources plugin daemon tests | while read -r file; do
        basename "$file" | grep -qE '^[a-z0-9_]+\.(cpp|hpp|h)$' || echo "$file"
    done
)"
exit $failed
