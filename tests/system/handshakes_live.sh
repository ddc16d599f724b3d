#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tracker's view of real handshakes: COOKIE, INVALID_KE, EAP, rekeys, MOBIKE, NAT on both sides, IKEv1, fragments of each sort.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/handshake_kinds.sh
. "$(dirname "$0")/../lab/handshake_kinds.sh"
lab_begin swanctl pki charon-systemd
lab_links_up PATH_MTU=1500
lab_pki rsa > /dev/null
ikefragd_start guard
kinds_of_handshakes
