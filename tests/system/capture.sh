#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Captures: a real handshake fails because this firewall drops fragments behind us; its packets are fetched from the daemon,
# every fragment is there, tshark puts them together, the comment says whose attempt it is, masking takes the client out of it.
# limit 120
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd tshark
lab_links_up
peers_start RETRANSMIT=0.3 TRIES=1
tshark_of() { tshark -n -r "$@" 2> "$LAB_DIR/tshark.err"; }
lines() { tshark_of "$@" | wc -l; }
# fetched NAME TARGET: the latest attempt's packets
fetched() { ctl capture take "$2" --output "$LAB_DIR/$1.pcapng"; }

ikefragd_start guard
check "switched off: a handshake" handshake v4
handshake_ends v4
both_listed() { ctl peers --json | jq -e '[.peers[].address] | contains(["10.99.1.2", "10.99.2.2"])'; }
check "peers are listed" lab_wait 5 both_listed
check "switched off: nothing is kept" bash -c "! ip netns exec $LAB-fw '$(lab_build)/ikefragctl' --socket '$LAB_DIR/control.sock' capture take 10.99.1.2 --output '$LAB_DIR/none.pcapng'"
equal "switched off: told by the metric" 0 "$(metric ikefrag_capture_enabled)"
check "switched on" ctl capture on
equal "switched on: told by the metric" 1 "$(metric ikefrag_capture_enabled)"
ctl capture off > /dev/null
equal "and off" 0 "$(metric ikefrag_capture_enabled)"
ikefragd_stop

for mode in guard observe; do
    for connection in v4 v6; do
        if [ $mode-$connection = observe-v6 ]; then continue; fi
        client=10.99.1.2 filter='ip.flags.mf == 1 || ip.frag_offset > 0'
        if [ $connection = v6 ]; then client=fd99:1::2 filter='ipv6.fraghdr.nxt'; fi
        ikefragd_start $mode EXTRA=$'[capture]\nenabled = true'
        firewall drop_fragments on
        name=$mode-$connection
        capture_start lan-$name fw lan 'udp or ip6[6] = 44 or ip[6:2] & 0x3fff != 0'
        handshake $connection 6 || true
        firewall drop_fragments off
        capture_stop lan-$name
        check "$name: the attempt is fetched" fetched $name $client
        equal "$name: for root alone" 600 "$(stat -c %a "$LAB_DIR/$name.pcapng")"
        wanted=$(lines "$LAB_DIR/lan-$name.pcap" -Y "$filter")
        compare "$name: the wire had fragments" "$wanted" -ge 6
        equal "$name: as many are in the capture" "$wanted" "$(lines "$LAB_DIR/$name.pcapng" -Y "frame.interface_name == \"arriving\" && ($filter)")"
        # 35: IKE_AUTH; tshark shows it only of datagrams that it could put together
        equal "$name: every IKE_AUTH is put together" "$(lines "$LAB_DIR/lan-$name.pcap" -Y 'isakmp.exchangetype == 35')" \
            "$(lines "$LAB_DIR/$name.pcapng" -Y 'frame.interface_name == "arriving" && isakmp.exchangetype == 35')"
        check "$name: nothing in it is malformed" test "$(lines "$LAB_DIR/$name.pcapng" -Y '_ws.malformed')" = 0
        check "$name: the comment names the attempt" grep -aq "IKE handshake [0-9a-f]\{16\} of $client with" "$LAB_DIR/$name.pcapng"
        compare "$name: what goes on is there, too" "$(lines "$LAB_DIR/$name.pcapng" -Y 'frame.interface_name == "leaving"')" -ge 2
        check "$name: replay reads it" "$(lab_build)/ikefragctl" replay --json "$LAB_DIR/$name.pcapng"
        ikefragd_stop
    done
done

# [privacy] mask: the client's address is nowhere, and the datagrams still fit together
ikefragd_start guard EXTRA=$'[capture]\nenabled = true\n[privacy]\nmask = true'
firewall drop_fragments on
handshake v4 6 || true
firewall drop_fragments off
check "masked: the attempt is fetched" fetched masked 10.99.1.2
equal "masked: no packet has the address" 0 "$(lines "$LAB_DIR/masked.pcapng" -Y 'ip.addr == 10.99.1.2')"
check "masked: nor has the comment" bash -c "! grep -aq '10\.99\.1\.2\b' '$LAB_DIR/masked.pcapng'"
compare "masked: IKE_AUTH is put together" "$(lines "$LAB_DIR/masked.pcapng" -Y 'isakmp.exchangetype == 35')" -ge 1
equal "masked: its checksums are right" 0 "$(lines "$LAB_DIR/masked.pcapng" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
    -Y 'ip.checksum.status == 0 || udp.checksum.status == 0')"
ikefragd_stop
