#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The HTML report in a real browser: no console error, every ladder and chart drawn, hostile text harmless, prints.
# limit 180
# slow (the browser)
# needs the unit tests (one of them writes the hostile page)
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
name=report_browser
browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
    skip "$name" "not installed: chromium (daemon/install-deps.sh all)"
    exit 0
fi
build=$(lab_build)
work=$(mktemp -d "${TMPDIR:-/tmp}/ikefrag-report.XXXXXX")
trap 'rm -rf "$work"' EXIT

# open PAGE OPTION...: the browser's output in out.txt, what it had to say in said.txt
open() {
    local page=$1
    shift
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
        --enable-logging=stderr --v=0 "$@" "file://$page" > "$work/out.txt" 2> "$work/said.txt" || true
}
# complaints: what the page made the browser say on its console
complaints() { grep -ciE 'CONSOLE|Content Security Policy|Refused' "$work/said.txt" || true; }
elements() { grep -oF -- "$1" "$work/out.txt" | wc -l; }

captures=()
for scenario in d04_auth_partial_ipfrag d10_skf d12_answer d24_lb_split d28_filtered d03_frag_agreed_not_used d32_handshake_ok; do
    captures+=(--capture "$lab_project/tests/scenarios/$scenario/input.pcap")
done
check "report: written from seven captures" "$build/ikefragctl" report "${captures[@]}" --output "$work/report.html"
open "$work/report.html" --dump-dom
equal "report: no console message" 0 "$(complaints)"
equal "report: a ladder for each attempt that failed or calls for advice" 6 "$(elements '<svg class="ladder"')"
equal "report: every chart" 5 "$(elements '<svg class="chart"')"
compare "report: the arrows are there" "$(elements '<path class="pass"')" -ge 6
check "report: names the command" grep -q 'EnableServerFragmentation -PropertyType DWORD' "$work/out.txt"

# That this test can fail: one octet more of style than the policy allows.
sed 's/<style>/<style>\n/' "$work/report.html" > "$work/tampered.html"
open "$work/tampered.html" --dump-dom
compare "report: a style its policy does not allow is refused" "$(complaints)" -ge 1

check "report: masked" "$build/ikefragctl" report "${captures[@]}" --mask --output "$work/masked.html"
equal "report: no whole client address when masked" 0 "$(grep -cE '203\.0\.113\.7([^0-9]|$)' "$work/masked.html" || true)"

# The release build that system tests run on has no unit tests; those of dev make the same page.
for tests in "$build/tests/daemon_tests" "$lab_project/build/dev/tests/daemon_tests"; do if [ -x "$tests" ]; then break; fi; done
if [ -x "$tests" ]; then
    check "hostile: page made" env IKEFRAG_REPORT="$work/hostile.html" "$tests" "report: hostile text stays text"
    open "$work/hostile.html" --dump-dom
    equal "hostile: no console message" 0 "$(complaints)"
    equal "hostile: no script in the page" 0 "$(elements '<script')"
    equal "hostile: no picture in the page" 0 "$(elements '<img')"
    compare "hostile: the text is shown as text" "$(elements '&lt;script&gt;')" -ge 5
else
    skip "hostile page" "daemon_tests are not built"
fi

open "$work/report.html" --window-size=1200,2400 --hide-scrollbars --screenshot="$work/report.png"
compare "report: screenshot" "$(stat -c %s "$work/report.png" 2> /dev/null || echo 0)" -ge 50000
open "$work/report.html" --print-to-pdf="$work/report.pdf"
compare "report: prints" "$(stat -c %s "$work/report.pdf" 2> /dev/null || echo 0)" -ge 20000
exit "$((results_failed > 0))"
