#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Config that cannot lie: every key about the daemon's own doings, set to another value than its default, has its effect. The
# lines "# key:" are read by tests/unit/daemon/config/every_key.cpp, which demands one for every key it does not try itself.
# limit 180
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin swanctl pki charon-systemd
lab_links_up
peers_start FRAG=no

queues() { in_ns fw awk '{ print $1 }' /proc/net/netfilter/nfnetlink_queue | sort -n | tr '\n' ' '; }
dropped() { in_ns fw awk '{ sum += $6 } END { print sum + 0 }' /proc/net/netfilter/nfnetlink_queue; }
answers() { in_ns fw curl -sf --max-time 2 "http://127.0.0.1:$1/-/healthy" > /dev/null; }
set_key() { sed -i "s|^$1 = .*|$1 = $2|" "$LAB_DIR/ikefragd.toml"; } # KEY VALUE
begin() {
    lab_spawn ikefragd fw "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml"
    lab_wait 10 answers "${1:-9786}"
}

# ---------------------------------------------------------------- all at once, a real handshake in IP fragments
ikefragd_config guard FIRST_QUEUE=700 QUEUES=3 TOP='mark = { value = 0x30, mask = 0xf0 }' EXTRA="
[copy]
group = 77
[privacy]
mask = true
[peers]
keep_days = 4
[events]
file = \"$LAB_DIR/events.log\"
format = \"text\""
set_key listen '"127.0.0.1:9999"'
set_key socket "\"$LAB_DIR/another.sock\""
set_key directory "\"$LAB_DIR/another-state\""
# A mark that was there before, and the fragments that leave with both.
in_ns fw nft -f - << 'X'
table inet marks {
    chain before { type filter hook prerouting priority -460; meta mark set 0x1; }
    chain after { type filter hook postrouting priority 500; udp dport 4500 accept
        ip frag-off & 0x3fff != 0 meta mark 0x31 counter comment "both"
        ip frag-off & 0x3fff != 0 meta mark != 0x31 counter comment "other"; }
}
X
marked() { in_ns fw nft -j list chain inet marks after | jq "[.nftables[].rule? | select(.comment? == \"$1\") | .expr[] | .counter? | select(.) | .packets] | add"; }
begin 9999
check "the handshake is established" handshake v4

# key: [queue] first
# key: [queue] count
equal "queue.first and queue.count: the kernel's queues" "700 701 702 " "$(queues)"
# key: [metrics] listen
check "metrics.listen: answers there" answers 9999
equal "metrics.listen: and nowhere else" no "$(answers 9786 && echo yes || echo no)"
# key: [control] socket
equal "control.socket: answers there" guard "$(in_ns fw "$(lab_build)/ikefragctl" --socket "$LAB_DIR/another.sock" status --json | jq -r .mode)"
equal "control.socket: and nowhere else" no "$(test -S "$LAB_DIR/control.sock" && echo yes || echo no)"
# Who is in the socket's group may look, root alone may change or take packets out.
cp "$(lab_build)/ikefragctl" "$LAB_DIR/ikefragctl"
as_group() {
    in_ns fw setpriv --reuid=65534 --regid="$(stat -c %g "$LAB_DIR/another.sock")" --clear-groups \
        "$LAB_DIR/ikefragctl" --socket "$LAB_DIR/another.sock" "$@"
}
check "control: the group may look" as_group status
for command in reload "mode observe" "peers forget 10.99.1.2" "capture on"; do
    # shellcheck disable=SC2086 # words are meant
    equal "control: only root may $command" "5 1" "$(status=0; told=$(as_group $command 2>&1) || status=$?; echo "$status $(grep -c 'only root may' <<< "$told")")"
done
equal "control: and nothing changed" guard "$(as_group status --json | jq -r .mode)"
# key: [copy] group
compare "copy.group: the table's rules name it" "$(in_ns fw nft list table inet ikefragd 2> /dev/null | grep -c 'log group 77')" -ge 1
compare "copy.group: and copies come" "$(in_ns fw "$(lab_build)/ikefragctl" --socket "$LAB_DIR/another.sock" status --json | jq .copies.read)" -ge 2
# key: mark value
# key: mark mask
# key: top mark
compare "mark: fragments let through carry it, other bits stay" "$(marked both)" -ge 8
equal "mark: none leaves without" 0 "$(marked other)"
# key: [events] file
lab_wait 5 test -s "$LAB_DIR/events.log" || true
check "events.file: events are there" test -s "$LAB_DIR/events.log"
# key: [events] format
check "events.format: as sentences, not as JSON" bash -c "! grep -q '^{' '$LAB_DIR/events.log'"
# key: [privacy] mask
lab_wait 10 grep -q '10\.99\.1\.x' "$LAB_DIR/events.log" || true
equal "privacy.mask: no client's address in them" 0 "$(grep -c '10\.99\.1\.2' "$LAB_DIR/events.log" || true)"
compare "privacy.mask: its network is" "$(grep -c '10\.99\.1\.x' "$LAB_DIR/events.log" || true)" -ge 1
handshake_ends v4
lab_stop ikefragd
# key: [state] directory
check "state.directory: peers.db is there" test -s "$LAB_DIR/another-state/peers.db"
equal "state.directory: nobody else's to read, and neither is peers.db" "700 600" "$(stat -c %a "$LAB_DIR/another-state" "$LAB_DIR/another-state/peers.db" | xargs)"
equal "state.directory: and nowhere else" no "$(test -e "$LAB_DIR/state/peers.db" && echo yes || echo no)"

# ---------------------------------------------------------------- what the running daemon may still do
# As it runs where it is installed: an unprivileged user, and groups of root's that must go.
mkdir "$LAB_DIR/own" "$LAB_DIR/own/state"
chown -R nobody "$LAB_DIR/own"
chmod 755 "$LAB_DIR/own" "$LAB_DIR/own/state"
chmod a+x "$LAB_DIR"
cp "$LAB_DIR/ikefragd.toml" "$LAB_DIR/ikefragd.toml.before"
set_key socket "\"$LAB_DIR/own/control.sock\""
set_key directory "\"$LAB_DIR/own/state\""
set_key file "\"stderr\""
lab_spawn ikefragd fw setpriv --groups 1,2 "$(lab_build)/ikefragd" --config "$LAB_DIR/ikefragd.toml" --user nobody
lab_wait 10 answers 9999
status_of() { awk -v key="$1:" '$1 == key { $1 = ""; sub(/^ /, ""); print }' "/proc/${lab_pids[ikefragd]}/status"; }
equal "privileges: nobody, in no group" "65534 65534 65534 65534, " "$(status_of Uid), $(status_of Groups)"
equal "privileges: CAP_NET_ADMIN alone, and no other can come" \
    "0000000000001000 0000000000001000 0000000000001000 0000000000000000 0000000000000000" \
    "$(status_of CapEff) $(status_of CapPrm) $(status_of CapBnd) $(status_of CapInh) $(status_of CapAmb)"
equal "privileges: none by executing, system calls filtered" "1 2" "$(status_of NoNewPrivs) $(status_of Seccomp)"
equal "state.directory: one that others could list is tightened" 700 "$(stat -c %a "$LAB_DIR/own/state")"
lab_stop ikefragd
mv "$LAB_DIR/ikefragd.toml.before" "$LAB_DIR/ikefragd.toml"

# ---------------------------------------------------------------- how long a peer is remembered
# key: [peers] keep_days
age() { # DAYS: makes every peer so old
    python3 - "$LAB_DIR/another-state/peers.db" "$1" << 'X'
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
(largest,) = database.execute("select max(last_seen) from peer").fetchone()
unit = 10 ** (len(str(largest)) - len(str(int(time.time()))))
database.execute("update peer set last_seen = ?, first_seen = ?", (int((time.time() - 86400 * int(sys.argv[2])) * unit),) * 2)
database.commit()
X
}
stranger() { # a row as none of us writes them
    python3 - "$LAB_DIR/another-state/peers.db" << 'X'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.executescript("""create temp table stranger as select * from peer limit 1; update stranger set address = x'0102030405';
    insert into peer select * from stranger;""")
X
}
peers() { in_ns fw "$(lab_build)/ikefragctl" --socket "$LAB_DIR/another.sock" peers --json | jq '.peers | length'; }
history_in() { # ADDRESS: what the file holds of it, like `peers history --json`
    python3 - "$LAB_DIR/another-state/peers.db" "$1" << 'X'
import socket, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("select fragmentation from capability where address = ? order by time", (socket.inet_aton(sys.argv[2]),))
print(*(word for (word,) in rows))
X
}
history() { in_ns fw "$(lab_build)/ikefragctl" --socket "$LAB_DIR/another.sock" peers history "$@"; }
age 3
stranger
begin 9999
compare "peers.db: it holds what the client could do" "$(history_in 10.99.1.2 | wc -w)" -ge 1
equal "peers history: the daemon tells it" "$(history_in 10.99.1.2)" "$(history 10.99.1.2 --json | jq -r '[.history[].fragmentation] | join(" ")')"
check "peers history: and to people" bash -c "grep -qw '$(history_in 10.99.1.2 | cut -d ' ' -f 1)' <<< '$(history 10.99.1.2)'"
equal "peers history: of an unknown address" "1 1" "$(status=0; told=$(history 10.99.9.9 2>&1) || status=$?; echo "$status $(grep -c 'nothing is known' <<< "$told")")"
compare "peers.keep_days = 4: a peer of three days ago is known" "$(peers)" -ge 1
equal "peers.db: a row of somebody else's is left out, and counted" "0 1" "$(in_ns fw curl -s http://127.0.0.1:9999/metrics |
    awk '/^ikefrag_peers_database_(failures|unreadable)_total/ { print $2 }' | xargs)"
lab_stop ikefragd
age 3
set_key keep_days 2
begin 9999
equal "peers.keep_days = 2: it is forgotten" 0 "$(peers)"
check "peers.keep_days = 2: with its history" lab_wait 5 bash -c "! '$(lab_build)/ikefragctl' --socket '$LAB_DIR/another.sock' peers history 10.99.1.2 > /dev/null 2>&1"
lab_stop ikefragd

# ---------------------------------------------------------------- a daemon that stands still, and its queue
"$lab_source/packets.py" heads "$LAB_DIR/heads.pcap" 1500
# standing_still MAX_LENGTH FAIL_OPEN: how many of 1500 fragments the kernel dropped for want of room
standing_still() {
    ikefragd_config guard QUEUE_LENGTH="$1" EXTRA=''
    sed -i "s/^max_length = .*/&\nfail_open = $2/" "$LAB_DIR/ikefragd.toml"
    begin
    kill -STOP "${lab_pids[ikefragd]}"
    in_ns cli "$lab_source/packets.py" play "$LAB_DIR/heads.pcap" eth0
    full=$(dropped)
    kill -CONT "${lab_pids[ikefragd]}"
    lab_stop ikefragd
}
# key: [queue] max_length
# key: [queue] fail_open
standing_still 1024 false
equal "queue.max_length = 1024, fail_open = false: what does not fit is dropped" 476 "$full"
standing_still 2048 false
equal "queue.max_length = 2048: all fit" 0 "$full"
standing_still 1024 true
equal "queue.fail_open: what does not fit passes" 0 "$full"

# ---------------------------------------------------------------- a table that others load
# key: [queue] manage_nft
ikefragd_config guard
sed -i 's/^max_length = .*/&\nmanage_nft = false/' "$LAB_DIR/ikefragd.toml"
begin
sleep 1
equal "queue.manage_nft = false: no table is loaded" no "$(in_ns fw nft list table inet ikefragd > /dev/null 2>&1 && echo yes || echo no)"
lab_stop ikefragd

equal "queue.manage_nft = false: none is left behind" 0 "$(in_ns fw nft list tables | grep -c ikefragd || true)"
