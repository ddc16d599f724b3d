#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# readme.sh: what README.md shows is true. Its blocks between ```sh fences are run (those that install, build or need root are
# tested elsewhere and only looked at); the output it shows in ```console blocks is what the commands print; its links exist;
# its table of limits is that of the code.
# limit 300
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${IKEFRAG_BUILD:-$PWD/build/release}
failed=0
ok() { echo "ok README: $1"; }
bad() { failed=1; echo "FAIL README: $1 — $2"; }

# blocks LANGUAGE: the fenced blocks, each ended by a line with a form feed
blocks() { awk -v fence='```'"$1" '$0 == fence { inside = 1; next } inside && /^```/ { inside = 0; print "\f"; next } inside' README.md; }

# Commands that a test of their own runs: builds (run.sh), installation, demo (system/main_job.sh), the running daemon (system/*).
elsewhere='^(git clone|cd |cmake |\./daemon/(install-deps|demo|packaging/build-deb)|\./tests/run|ctest|sudo |apt|dpkg|systemctl|journalctl|ip netns|#|$)'
daemon_needed='^(ikefragctl|build/ikefragctl) (explain [0-9.]+$|status|handshakes|peers|watch|reload|mode|doctor|diagnoses|capture|report|probe|metrics)|^curl '
while read -r line; do
    if [[ $line =~ $elsewhere ]] || [[ $line =~ $daemon_needed ]]; then
        program=${line%% *}
        case "$program" in ./*) [ -x "$program" ] || bad "$line" "$program does not exist" ;; esac
        continue
    fi
    command=${line//build\/ikefrag/$build/ikefrag}
    if said=$(timeout 60 bash -c "PATH=$build:\$PATH; $command" 2>&1); then ok "runs: $line"; else bad "runs: $line" "$(tail -n 2 <<< "$said" | tr '\n' ' ')"; fi
done < <(blocks sh | tr -d '\f' | sed 's/[[:space:]]*#.*//')

# ```console: lines "$ COMMAND" and what it prints; a line with only … stands for anything.
show() { # COMMAND SHOWN-FILE
    if [[ $1 =~ $daemon_needed && $1 != *" --capture "* ]]; then return; fi
    local got
    got=$(timeout 60 bash -c "PATH=$build:\$PATH; ${1//build\/ikefrag/$build/ikefrag}" 2>&1)
    if python3 - "$2" <(echo "$got") << 'X'; then ok "shows what it prints: $1"; else bad "shows what it prints: $1" "run it and compare"; fi
import re, sys
shown, got = (open(name, encoding="utf-8").read().strip() for name in sys.argv[1:])
parts = [re.escape("\n".join(part.rstrip() for part in piece.strip("\n").splitlines())) for piece in re.split(r"^…$", shown, flags=re.M)]
text = "\n".join(line.rstrip() for line in got.splitlines())
sys.exit(0 if re.fullmatch(r"\s*" + r".*".join(parts) + r"\s*", text, re.S) else 1)
X
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch" /tmp/ikefrag-report.html' EXIT # the page is what README has `report` write
command=''
while IFS= read -r line; do
    case "$line" in
    '$ '*)
        if [ -n "$command" ]; then show "$command" "$scratch/shown"; fi
        command=${line#\$ }
        : > "$scratch/shown"
        ;;
    $'\f')
        if [ -n "$command" ]; then show "$command" "$scratch/shown"; fi
        command=''
        ;;
    *) echo "$line" >> "$scratch/shown" ;;
    esac
done < <(blocks console)

missing=''
for link in $(grep -oE '\]\([^)#]+' README.md | cut -c 3- | grep -v '^http' | sort -u); do [ -e "$link" ] || missing+=" $link"; done
if [ -z "$missing" ]; then ok "links lead somewhere"; else bad "links lead somewhere" "$missing"; fi

# | `hold_seconds` | 5 | …: the defaults of plugin/policy.hpp
wrong=''
for pair in $(sed -n 's/^| `\([a-z_]*\)` | \([0-9]*\) .*/\1=\2/p' README.md); do
    value=$(sed -n "s/.*std::uint32_t ${pair%=*} = \([^;]*\);.*/\1/p" plugin/policy.hpp | head -n 1 | tr -d u)
    [ "$((${value:-0}))" = "${pair#*=}" ] || wrong+=" $pair(code: ${value:-none})"
done
if [ -z "$wrong" ]; then ok "limits are those of the code"; else bad "limits are those of the code" "$wrong"; fi
# rules/README.md: its examples are right, its tables have every key that the code knows and no other
printf '[[server]]\nname = "vpn1"\naddresses = ["192.0.2.1"]\n' > "$scratch/ikefragd.toml"
awk -v folder="$scratch" '$0 == "```toml" { inside = 1; n++; system("mkdir " folder "/rules" n); next } inside && /^```/ { inside = 0 }
    inside { print > (folder "/rules" n "/10.toml") }' rules/README.md
for rules in "$scratch"/rules[0-9]*; do
    if said=$("$build/ikefragd" --check --config "$scratch/ikefragd.toml" --rules "$rules" 2>&1); then
        ok "rules/README.md: example ${rules##*rules} is accepted"
    else
        bad "rules/README.md: example ${rules##*rules} is accepted" "$(head -n 3 <<< "$said" | tr '\n' ' ')"
    fi
done
known=$("$build/ikefragctl" rules fields | awk '/^\/etc/ { exit } /^  [a-z_]+ = / { print $1 }' | sort)
told=$(sed -n '/^| key of/,$p' rules/README.md | sed -n 's/^| `\([a-z_]*\)` .*/\1/p' | sort)
if [ "$known" = "$told" ]; then ok "rules/README.md: its tables are those of the code"; else bad "rules/README.md: its tables are those of the code" "$(diff <(echo "$known") <(echo "$told") | tr '\n' ' ')"; fi
exit $failed
