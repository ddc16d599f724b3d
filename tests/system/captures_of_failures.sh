#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A handshake that fails leaves a file by itself, one that succeeds does not; limits of number and rate hold; on a full disk
# nothing but the file is lost.
# waits
# limit 300
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd tshark
lab_links_up
peers_start RETRANSMIT=0.5 TRIES=2
captures() { ctl capture --json | jq '.captures | length'; }
has_captures() { [ "$(captures)" = "$1" ]; }
fail_once() {
    firewall drop_fragments on
    handshake "$1" 6 || true
    firewall drop_fragments off
}

ikefragd_start guard EXTRA=$'[capture]\nenabled = true\nfiles = 2'
check "a good handshake" handshake v4
handshake_ends v4
for connection in v4 v4 v4 v6; do fail_once $connection; done
check "failed ones leave files" lab_wait 90 metric_reaches ikefrag_capture_files_total -ge 3 || true
lab_wait 5 metric_reaches ikefrag_capture_files_suppressed_total -ge 1 || true
equal "two of one network, and one of the other" 3 "$(metric ikefrag_capture_files_total)"
equal "the third of one network is left out, and counted" 1 "$(metric ikefrag_capture_files_suppressed_total)"
# key: [capture] files
check "the oldest go" lab_wait 5 has_captures 2
check "a log line says where it is" grep -q 'failed handshake captured: ' "$LAB_DIR/ikefragd.log"
equal "the folder is ours alone" 700 "$(stat -c %a "$LAB_DIR/state/captures")"
equal "the files are ours alone" 600 "$(stat -c %a "$LAB_DIR"/state/captures/*.pcapng | sort -u)"
name=$(ctl capture --json | jq -r '.captures[0].name')
check "one is fetched" ctl capture get "$name" --output "$LAB_DIR/one.pcapng"
check "it is the one on disk" cmp "$LAB_DIR/one.pcapng" "$LAB_DIR/state/captures/$name"
compare "tshark puts its IKE_AUTH together" "$(tshark -n -r "$LAB_DIR/one.pcapng" -Y 'isakmp.exchangetype == 35' 2> /dev/null | wc -l)" -ge 1
check "a client is forgotten" ctl peers forget 10.99.1.2
equal "with its captures" 0 "$(ctl capture --json | jq '[.captures[] | select(.client == "10.99.1.2")] | length')"
ikefragd_stop

ikefragd_config guard EXTRA=$'[capture]\nenabled = true'
rm -rf "$LAB_DIR/state"
mkdir "$LAB_DIR/state"
lab_spawn ikefragd fw bash -c "mount -t tmpfs -o size=16k none '$LAB_DIR/state' && head -c 16k /dev/zero > '$LAB_DIR/state/fill';
    exec '$(lab_build)/ikefragd' --config '$LAB_DIR/ikefragd.toml'"
check "full disk: the daemon becomes ready" lab_wait 10 http /-/ready
fail_once v4
check "full disk: counted" lab_wait 90 metric_reaches ikefrag_capture_files_failed_total -ge 1
check "full disk: told" grep -q 'a capture cannot be written, and is lost: ' "$LAB_DIR/ikefragd.log"
check "full disk: a handshake" handshake v4
