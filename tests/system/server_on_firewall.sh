#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The VPN gateway runs on the firewall itself: what it sends passes the output hook, and is cut after every hook.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start SERVER_NAMESPACE=fw SERVER4=10.99.1.1 SERVER6=fd99:1::1
ikefragd_start exclusive SERVERS='[[server]]
name = "vpn1"
addresses = ["10.99.1.1", "fd99:1::1"]'

for connection in v4 v6 v4-natt v6-natt; do
    check "server on the firewall: established, $connection" handshake $connection
    sleep 0.7
    handshake_ends $connection
done
lab_wait 5 metric_reaches ikefrag_handshakes_completed_total server=vpn1 -ge 4 || true
equal "server on the firewall: four handshakes completed" 4 "$(metric ikefrag_handshakes_completed_total server=vpn1)"
equal "server on the firewall: both roles of IKE_SA_INIT are seen" "4 4" \
    "$(metric ikefrag_ike_messages_total exchange=IKE_SA_INIT role=request) $(metric ikefrag_ike_messages_total exchange=IKE_SA_INIT role=response)"
equal "server on the firewall: its IKE_AUTH answers are seen once each" 4 "$(metric ikefrag_ike_messages_total exchange=IKE_AUTH role=response)"
equal "server on the firewall: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
