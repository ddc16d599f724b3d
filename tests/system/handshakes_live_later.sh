#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same handshakes once the daemon's first minute is over, in which it says nothing of silence: still no finding of a failure,
# nor a minute later, when all of them have ended.
# slow
# limit 400
# waits
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/handshake_kinds.sh
. "$(dirname "$0")/../lab/handshake_kinds.sh"
lab_begin swanctl pki charon-systemd
lab_links_up PATH_MTU=1500
ikefragd_start guard
lab_pki rsa > /dev/null
sleep 62
kinds_unmuted=yes
kinds_of_handshakes
sleep 62
equal "a minute later: no finding of a failure" '[]' "$(ctl diagnoses --kind failure --json | jq -c '[.diagnoses[] | .id]')"
equal "a minute later: nothing is in progress, nothing failed" '[]' "$(ctl handshakes --json | jq -c '[.handshakes[] | select(.probe | not) | .outcome] | unique - ["established"]')"
