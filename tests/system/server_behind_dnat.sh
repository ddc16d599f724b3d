#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The server behind DNAT of the firewall itself: clients know the firewall's address only, the kernel's NAT needs conntrack,
# and answers leave under another address than the one they come from.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
firewall dnat on
firewall nat off 2> /dev/null || true
peers_start SERVER4=10.99.1.1
ikefragd_start exclusive SERVERS='[[server]]
name = "vpn1"
addresses = ["10.99.1.1"]
inside = ["10.99.2.2"]'

for connection in v4 v4-natt; do
    check "DNAT: established, $connection" handshake $connection
    sleep 0.7
    handshake_ends $connection
done
lab_wait 5 metric_reaches ikefrag_handshakes_completed_total server=vpn1 -ge 2 || true
equal "DNAT: two handshakes of vpn1 completed" 2 "$(metric ikefrag_handshakes_completed_total server=vpn1)"
equal "DNAT: IKE_AUTH went in IP fragments, to the server" 2 "$(metric ikefrag_fragmented_messages_total server=vpn1 exchange=IKE_AUTH role=request method=ip)"
equal "DNAT: IKE_AUTH went in IP fragments, to the client" 2 "$(metric ikefrag_fragmented_messages_total server=vpn1 exchange=IKE_AUTH role=response method=ip)"
equal "DNAT: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
lab_wait 10 metric_reaches ikefrag_conntrack_active -ge 1 || true
equal "DNAT: connection tracking is told" 1 "$(metric ikefrag_conntrack_active)"
ctl handshakes --json > "$LAB_DIR/handshakes.json"
equal "DNAT: one handshake is one entry, on both sides of the NAT" 2 "$(jq '.handshakes | length' "$LAB_DIR/handshakes.json")"
equal "DNAT: the server is named as its clients know it" '["10.99.1.1"]' "$(jq -c '[.handshakes[].server] | unique' "$LAB_DIR/handshakes.json")"

# ---- NAT that no rule here tells of any more: the doctor goes by who answered
firewall dnat off
doctor_says() { # what to do about the servers
    ctl doctor --config "$LAB_DIR/doctor.toml" --json | jq -r '.checks[] | select(.check == "servers" and .fix != null) | .fix' || true
}
grep -v '^inside' "$LAB_DIR/ikefragd.toml" > "$LAB_DIR/doctor.toml"
equal "doctor: the inside address is missing" 'inside = ["10.99.2.2"] in that [[server]]' "$(doctor_says)"
sed -i '/^\[\[server\]\]/,/^addresses/d' "$LAB_DIR/doctor.toml"
equal "doctor: who answered is proposed" 'those that answered say [[server]] addresses = ["10.99.1.1"], inside = ["10.99.2.2"]' "$(doctor_says)"
