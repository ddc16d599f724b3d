#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A real Prometheus scrapes the daemon while handshakes run; then every query of every board and alert is evaluated.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd prometheus
lab_links_up
peers_start
ikefragd_start exclusive
mkdir "$LAB_DIR/prometheus"
cp "$lab_project"/dashboards/*.yml "$LAB_DIR/prometheus/"
sed -i 's/_interval: 15s/_interval: 1s/' "$LAB_DIR/prometheus/prometheus.yml"
lab_spawn prometheus fw prometheus --config.file="$LAB_DIR/prometheus/prometheus.yml" --storage.tsdb.path="$LAB_DIR/prometheus/data" \
    --web.listen-address=127.0.0.1:9090
lab_wait 15 in_ns fw curl -sf http://127.0.0.1:9090/-/ready
sleep 3
for round in 1 2 3; do
    for connection in v4 v6 v4-natt v6-natt; do
        check "dashboards: handshake $connection, round $round" handshake $connection
        sleep 0.6
        handshake_ends $connection
    done
done
sleep 4
http /metrics > "$LAB_DIR/metrics.log"
check "metrics: promtool finds nothing to complain about" bash -c "promtool check metrics < $LAB_DIR/metrics.log"
in_ns fw "$lab_project/tests/check/dashboards.py" --live http://127.0.0.1:9090 "$LAB_DIR/metrics.log" > "$LAB_DIR/dashboards.log" 2>&1 || fail "dashboards" "the check ended early"
while read -r line; do
    case "$line" in
    ok\ *) ok "${line#ok }" ;;
    FAIL\ *) fail "$(sed 's/^FAIL //; s/ — .*//' <<< "$line")" "${line#* — }" ;;
    *) echo "    $line" ;;
    esac
done < "$LAB_DIR/dashboards.log"
compare "metrics: series of ours" "$(grep -c '^ikefrag_' "$LAB_DIR/metrics.log")" -le 2500
