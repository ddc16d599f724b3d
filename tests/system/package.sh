#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the package holds beside the programs: a unit that shuts the daemon in, a clean manual, completion that knows the commands.
# limit 400
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
build=$(lab_build)
packaging=$lab_project/daemon/packaging
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ikefrag-package.XXXXXX")
LAB_DIR=$scratch
trap 'rm -rf "$scratch"' EXIT
lacks() { # PROGRAM NAME: true, and told, if it is not there
    if command -v "$1" > /dev/null; then return 1; fi
    skip "$2" "$1 is not installed (daemon/install-deps.sh tests)"
}

# ---- the unit
if ! lacks systemd-analyze "unit: exposure"; then
    exposure=$(systemd-analyze security --offline=true --no-pager "$packaging/ikefragd.service" | sed -n 's/.*exposure level for ikefragd.service: \([0-9.]*\).*/\1/p')
    if awk -v e="$exposure" 'BEGIN { exit !(e != "" && e <= 1.5) }'; then ok "unit: exposure level $exposure, at most 1.5"; else fail "unit: exposure level" "'$exposure' is over 1.5"; fi
    # A copy whose programs exist here: what is left to complain about is the unit's own.
    sed -e 's@/usr/sbin/ikefragd@/bin/true@; s@/usr/bin/ikefragctl@/bin/true@; /^Documentation=/d' "$packaging/ikefragd.service" > "$scratch/ikefragd.service"
    equal "unit: systemd-analyze verify finds nothing" "" "$(systemd-analyze verify "$scratch/ikefragd.service" 2>&1 | grep ikefragd.service)"
    capabilities=$(sed -n 's/^\(CapabilityBoundingSet\|AmbientCapabilities\)=//p' "$packaging/ikefragd.service" | sort -u)
    equal "unit: CAP_NET_ADMIN alone" CAP_NET_ADMIN "$capabilities"
fi
if ! lacks systemd-sysusers "unit: the user is made"; then
    mkdir -p "$scratch/root/etc"
    check "unit: the user is made" systemd-sysusers --root="$scratch/root" "$packaging/ikefragd.sysusers"
    equal "unit: no password, no shell" "ikefragd:/usr/sbin/nologin" "$(awk -F: '{ print $1 ":" $7 }' "$scratch/root/etc/passwd" 2>&1)"
fi

# ---- the manual and the completion, made from the code's tables
if ! cmake --build "$build" --target manual > "$scratch/build.log" 2>&1; then
    tail -n 20 "$scratch/build.log"
    fail "manual: is built" "cmake --build $build --target manual"
    exit 1
fi
if ! lacks man "manual: no warnings" && ! lacks groff "manual: no warnings"; then
    for page in "$build"/manual/*.[1-9]; do
        name=$(basename "$page")
        warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 groff -man -Tutf8 -ww -z "$page" 2>&1 | head -n 3)
        equal "manual: $name has no warnings" "" "$warnings"
        if command -v mandoc > /dev/null; then
            equal "manual: mandoc has nothing to say of $name" "" "$(mandoc -T lint -W warning "$page" 2>&1 | head -n 3)"
        fi
    done
fi
equal "manual: ikefragd-diagnoses(7) has them all" 35 "$(grep -cE '^\.SS "D[0-9]{2} ' "$build/manual/ikefragd-diagnoses.7")"
# Names of options and exchanges are told as one types and reads them; `_` is a space in what stands for a fact alone.
for name in charon.max_packet IKE_SA_INIT '<server on>'; do
    check "manual: ikefragd-diagnoses(7) has $name" grep -qF -- "$name" "$build/manual/ikefragd-diagnoses.7"
done
# Every key the tool knows stands in the manual, in the words of the tool.
keys=$("$build/ikefragctl" rules fields --json | jq -r '.. | .key? // empty' | sort -u)
compare "manual: keys that \`ikefragctl rules fields\` lists" "$(wc -l <<< "$keys")" -ge 40
written=$(sed 's/\\-/-/g' "$build"/manual/ikefragd.toml.5 "$build"/manual/ikefragd-rules.5)
missing=$(for key in $keys; do grep -qF "\"$key\"" <<< "$written" || echo "$key"; done)
equal "manual: has every one of them" "" "$missing"

completion=$build/manual/ikefragctl.bash
check "completion: is a bash script" bash -n "$completion"
if [ ! -e /usr/share/bash-completion/bash_completion ]; then
    skip "completion: offers" "bash-completion is not installed (daemon/install-deps.sh tests)"
else
    # offers WORD...: what is offered for the last of these words
    offers() {
        bash -c '
            . /usr/share/bash-completion/bash_completion
            load() { . "$1"; }; load "$1" # as bash-completion does it: inside a function
            shift
            COMP_WORDS=(ikefragctl "$@") COMP_CWORD=$# COMP_LINE="ikefragctl $*"
            COMP_POINT=${#COMP_LINE}
            _ikefragctl
            echo "${COMPREPLY[*]}"' bash "$completion" "$@"
    }
    equal "completion: part of a command" replay "$(offers rep | tr ' ' '\n' | grep -x replay)"
    equal "completion: the second word of a command" "check fields test" "$(offers rules '')"
    equal "completion: an option of the command" --mode "$(offers replay --mo)"
    equal "completion: the words of an option" "observe guard exclusive" "$(offers replay --mode '')"
    equal "completion: a word after =" guard "$(offers replay --mode=g)"
    equal "completion: a file" "$lab_project/CMakeLists.txt" "$(offers replay "$lab_project/CMakeL")"
    # every command of the help is offered
    commands=$("$build/ikefragctl" --help | sed -n '/^Subcommands:/,$p' | awk 'NR > 1 && $1 { print $1 }' | sort -u)
    equal "completion: every command of --help" "$commands" "$(offers '' | tr ' ' '\n' | sort -u)"
fi
exit "$((results_failed > 0))"
