#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reload and every mode change while fragments are held: each datagram still arrives, unchanged, and none is lost.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin
lab_links_up
for family in 4 6; do
    address=10.99.2.2
    if [ $family = 6 ]; then address=fd99:2::2; fi
    lab_spawn "sink$family" srv "$lab_source/udp.py" sink $address 500
    lab_wait 5 grep -q listening "$LAB_DIR/sink$family.log"
done
number=100

# part HEAD|TAIL: sends the first two fragments of five datagrams of each family, or their last one
part() {
    local family option skip
    if [ "$1" = heads ]; then skip=2; else skip=0,1; fi
    for family in 4 6; do
        option=''
        if [ $family = 6 ]; then option=-6; fi
        # shellcheck disable=SC2086 # no word if empty
        in_ns cli "$lab_source/packets.py" fragments $option --id $number --count 5 --size 4000 --skip $skip
    done | sort > "$LAB_DIR/sent.txt"
}
arrived() { cat "$LAB_DIR/sink4.log" "$LAB_DIR/sink6.log" | grep -v listening | sort | comm -12 - "$LAB_DIR/sent.txt"; }
all_arrived() { [ "$(arrived)" = "$(cat "$LAB_DIR/sent.txt")" ]; }

# with_packets_held WORDS COMMAND...: what happens to held packets when the command runs
with_packets_held() {
    local words=$1
    shift
    number=$((number + 10))
    part heads
    lab_wait 2 metric_reaches ikefrag_held_packets -ge 20 || true
    compare "$words: 20 packets are held" "$(metric ikefrag_held_packets)" -ge 20
    check "$words: done" "$@"
    part tails
    check "$words: every datagram arrives" lab_wait 3 all_arrived
    equal "$words: nothing was refused" 0 "$(metric ikefrag_refusals_total enforced=yes)"
    lab_wait 3 metric_reaches ikefrag_held_packets -eq 0 || true
    equal "$words: nothing is held any more" 0 "$(metric ikefrag_held_packets)"
}
change_config() { ikefragd_config "$1" RULES='[[rule]]
name = "new-rule"
match = { class = "ike" }
action = "pass"'; }
by_signal() {
    change_config "$1"
    kill -HUP "${lab_pids[ikefragd]}"
    lab_wait 3 rule_is_known
}
rule_is_known() { http /metrics | grep -q 'rule="new-rule"'; }
bad_reload() {
    echo 'action = "psas"' >> "$LAB_DIR/rules.d/00-default.toml"
    if ctl reload; then echo "a bad rule was taken"; return 1; fi
}

ikefragd_start guard
with_packets_held "reload by signal, other rules" by_signal guard
ikefragd_config guard
with_packets_held "reload by ikefragctl" ctl reload
with_packets_held "reload of a bad file" bad_reload
equal "reload of a bad file: told by the metric" 0 "$(metric ikefrag_config_last_reload_successful)"
ikefragd_config guard
for modes in "guard exclusive" "exclusive guard" "guard observe" "observe exclusive" "exclusive observe" "observe guard"; do
    from=${modes% *} to=${modes#* }
    ctl mode "$from" > /dev/null
    if [ "$from" = observe ]; then
        # nothing can be held in observe: the datagrams of which one half came before the change must still arrive
        number=$((number + 10))
        part heads
        check "mode $from to $to" ctl mode "$to"
        part tails
        check "mode $from to $to: every datagram arrives" lab_wait 3 all_arrived
    else
        with_packets_held "mode $from to $to" ctl mode "$to"
    fi
    equal "mode $from to $to: told by the metric" 1 "$(metric ikefrag_mode_info "mode=$to")"
done
ctl mode guard > /dev/null
number=$((number + 10))
part heads
lab_wait 2 metric_reaches ikefrag_held_packets -ge 20 || true
check "stop with packets held: it stops" ikefragd_stop
part tails
check "stop with packets held: every datagram arrives" lab_wait 3 all_arrived
equal "stop: the table is gone" 0 "$(in_ns fw nft list tables | grep -c ikefragd || true)"
