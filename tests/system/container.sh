#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The package on a fresh Debian 12 that boots under systemd: install, watchdog, reload, real handshakes under the unit's limits,
# what a hijacked daemon could do, upgrade, purge.
# slow
# limit 1200
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/container.sh
. "$(dirname "$0")/../lab/container.sh"
lab_begin swanctl pki charon-systemd mmdebstrap systemd-nspawn dpkg-deb lintian dh cc
build=$(lab_build)

# ---- the package
deb=$("$lab_project/daemon/packaging/build-deb.sh" --from "$build" --output "$LAB_DIR/deb" 2> "$LAB_DIR/deb.log" | tail -n 1)
cat "$LAB_DIR/deb.log"
check "package: built, no error from lintian" test -s "${deb:-/nonexistent}"
[ -s "${deb:-/nonexistent}" ] || exit 1
contents=$(dpkg-deb -c "$deb" | awk '{ print $6 }')
for file in /usr/sbin/ikefragd /usr/bin/ikefragctl /lib/systemd/system/ikefragd.service /usr/lib/sysusers.d/ikefragd.conf \
    /usr/lib/tmpfiles.d/ikefragd.conf /etc/ikefragd/ikefragd.toml /etc/ikefragd/rules.d/00-default.toml \
    /usr/share/ikefragd/rules/examples/ /usr/share/ikefragd/dashboards/overview.json /usr/share/ikefragd/dashboards/alerts.yml \
    /usr/share/bash-completion/completions/ikefragctl /usr/share/man/man8/ikefragd.8.gz /usr/share/man/man8/ikefragctl.8.gz \
    /usr/share/man/man5/ikefragd.toml.5.gz /usr/share/man/man5/ikefragd-rules.5.gz /usr/share/man/man7/ikefragd-diagnoses.7.gz \
    /usr/share/man/man7/ikefragd-metrics.7.gz /usr/share/doc/ikefragd/OPERATING.md.gz \
    /usr/share/doc/ikefragd/README.md.gz; do
    check "package: has $file" grep -qxF ".$file" <<< "$contents"
done
for mode in observe guard exclusive; do check "package: has the table of $mode" grep -qxF "./usr/share/ikefragd/nft/ikefragd-$mode.nft" <<< "$contents"; done
# The library and its header, in packages of their own: a program in C is compiled against them alone.
mkdir "$LAB_DIR/development"
for library in libikefrag1 libikefrag-dev; do
    check "package: $library" dpkg-deb -x "$LAB_DIR"/deb/${library}_*.deb "$LAB_DIR/development"
done
libraries=$(dirname "$(find "$LAB_DIR/development" -name 'libikefrag.so.1')")
flags=$(PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$LAB_DIR/development pkg-config --cflags --libs ikefrag)
mkdir "$LAB_DIR/development/plugin"
cp "$LAB_DIR/development/usr/include/ikefrag.h" "$LAB_DIR/development/plugin/" # as the test names it
# shellcheck disable=SC2086 # words are meant
check "package: a program in C is compiled against it" cc -std=c99 -D_DEFAULT_SOURCE -I"$LAB_DIR/development" -o "$LAB_DIR/replay" "$lab_project/tests/c_abi/replay.c" $flags
check "package: and runs" env LD_LIBRARY_PATH="$libraries" "$LAB_DIR/replay" "$lab_project/tests/captures/ss-v2-ipfrag-ipv4.i-side.pcap"
dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./conffiles > "$LAB_DIR/conffiles"
equal "package: conffiles" "/etc/ikefragd/ikefragd.toml /etc/ikefragd/rules.d/00-default.toml" "$(sort "$LAB_DIR/conffiles" | xargs)"

# ---- the machine: our firewall, on the way between two strongSwan daemons
mapfile -t needed < <(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/[(|].*//; s/ //g')
if ! container_root "${needed[@]}" man-db autopkgtest jq gcc libc6-dev pkg-config dpkg-dev; then
    if grep -qE 'Could not resolve|Failed to fetch|Unable to connect' "$LAB_DIR/mmdebstrap.log"; then
        skip "container" "no Debian mirror can be reached: $(grep -m 1 -E 'resolve|fetch|connect' "$LAB_DIR/mmdebstrap.log")"
    else
        fail "container: mmdebstrap" "$(tail -n 2 "$LAB_DIR/mmdebstrap.log")"
    fi
    exit
fi
lab_links_up
peers_start RETRANSMIT=0.5 TRIES=4
if ! container_boot; then
    fail "container: boots" "$(tail -n 3 "$LAB_DIR/boot.log")"
    exit
fi
mode_of() { inside ikefragctl status --json | jq -r .mode || true; }
both() { # WORDS: a handshake in IP fragments over each family
    local connection
    for connection in v4 v6; do
        check "$1: handshake $connection in IP fragments" handshake $connection
        handshake_ends $connection
    done
}

both "before the installation"
rules_before=$(inside nft list ruleset)
settle() { inside systemctl is-system-running --wait > /dev/null || true; }
settle
files_of_root > "$LAB_DIR/files.before"

# ---- install
cp "$deb" "$LAB_DIR/root/root/ikefragd.deb"
check "install: apt install" inside apt-get install -y -q --no-install-recommends /root/ikefragd.deb
rm "$LAB_DIR/root/root/ikefragd.deb"
equal "install: it runs" active "$(unit ActiveState)"
[ "$(unit ActiveState)" = active ] || exit 1
equal "install: it told systemd that it is ready" running "$(unit SubState)"
equal "install: it starts with the machine" enabled "$(inside systemctl is-enabled ikefragd)"
echo "    status: $(unit StatusText)"
equal "install: mode" observe "$(mode_of)"
table=$(inside nft list table inet ikefragd 2>&1 || true)
equal "install: no rule queues or drops" "" "$(grep -E 'queue num|queue to|queue flags|NFQUEUE|xt target|drop( |$)' <<< "$table" | head -n 2)"
equal "install: others' rules are as before" "$rules_before" "$(inside nft list ruleset 2> /dev/null | sed '/^table inet ikefragd/,/^}/d')"
both "observe"
pid=$(unit MainPID)
status=$(inside cat "/proc/$pid/status")
status_of() { awk -v name="$1:" '$1 == name { print $2 }' <<< "$status"; }
equal "install: user" ikefragd "$(inside stat -c %U "/proc/$pid")"
equal "install: CAP_NET_ADMIN alone" "0000000000001000" "$(status_of CapEff)"
equal "install: nothing beyond can be gained" "0000000000001000 1" "$(status_of CapBnd) $(status_of NoNewPrivs)"
equal "install: system calls are filtered" 2 "$(status_of Seccomp)"
equal "install: control socket" "660 root:ikefragd" "$(inside stat -c '%a %U:%G' /run/ikefragd/control.sock)"
equal "install: state is closed to others" "700 ikefragd:ikefragd" "$(inside stat -c '%a %U:%G' /var/lib/ikefragd)"
check "install: man page" inside bash -c 'man -w ikefragd-diagnoses'
check "install: the shipped files are right" inside ikefragd --check
compare "install: the journal has it" "$(journal -o cat | wc -l)" -ge 1

# ---- guard, under these limits
cat > "$LAB_DIR/root/etc/ikefragd/ikefragd.toml" << 'X'
mode = "guard"      # edited by the admin
[[server]]
name = "vpn1"
addresses = ["10.99.2.2", "fd99:2::2"]
X
check "reload: systemctl reload" inside systemctl reload ikefragd
equal "reload: mode" guard "$(mode_of)"
both "guard"
compare "guard: fragments got their verdict under the unit's limits" "$(metric ikefrag_verdicts_total verdict=accept)" -ge 16
equal "guard: nothing was refused" 0 "$(metric ikefrag_refusals_total)"
established_there=$(inside ikefragctl handshakes --json | jq '[.. | objects | select(.outcome? == "established" or .outcome? == "unknown" or .outcome? == "in_progress")] | length')
handshake v4 || true
sleep 0.7 # a later exchange counts half a second after IKE_AUTH
handshake_ends v4
recorded() { record=$(journal -o json IKEFRAG_EVENT=ike_handshake IKEFRAG_CLIENT=10.99.1.2 IKEFRAG_OUTCOME=established | tail -n 1) && [ -n "$record" ]; }
lab_wait 5 recorded || true
equal "journal: an event is found by its fields" "ikefragd vpn1 6 true" \
    "$(jq -r '"\(.SYSLOG_IDENTIFIER) \(.IKEFRAG_SERVER) \(.PRIORITY) \(.IKEFRAG_SPI | test("^[0-9a-f]{16}$"))"' <<< "$record" 2>&1)"
equal "journal: the whole event is in it" "ike_handshake $(jq -r .IKEFRAG_SPI <<< "$record")" \
    "$(jq -r '.IKEFRAG_JSON | fromjson | "\(.event_type) \(.ike.init_spi)"' <<< "$record" 2>&1)"
compare "guard: the handshakes are in the list" "$established_there" -ge 2

# ---- metrics for another host: the unit's IP filter, opened as OPERATING.md says
scrape_from() { in_ns "$1" curl -sf --max-time 2 "http://$2:9786/-/healthy"; }
printf '[metrics]\nlisten = "0.0.0.0:9786"\n' >> "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
printf '[events]\nfile = "/var/lib/ikefragd/events.json"\n' >> "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
inside systemctl restart ikefragd
# With a file named for them, events go there and to the journal.
started_in_file() { grep '"event_type":"start"' "$LAB_DIR/root/var/lib/ikefragd/events.json" | tail -n 1 | jq -r .timestamp; }
started_in_journal() { journal -o json IKEFRAG_EVENT=start | tail -n 1 | jq -r '.IKEFRAG_JSON | fromjson.timestamp'; }
in_both() { [ -n "$(started_in_file)" ] && [ "$(started_in_file)" = "$(started_in_journal)" ]; }
check "events: in the file that was named, and in the journal" lab_wait 5 in_both
check "scraping: this host may" lab_wait 5 scrape_from fw 127.0.0.1
if scrape_from cli 10.99.1.1 > /dev/null; then fail "scraping: another host may not" "it got an answer"; else ok "scraping: another host may not"; fi
mkdir -p "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d"
printf '[Service]\nIPAddressAllow=10.99.1.2\n' > "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d/override.conf"
inside systemctl daemon-reload
inside systemctl restart ikefragd
check "scraping: one that is allowed may" lab_wait 5 scrape_from cli 10.99.1.1
rm -r "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d"
sed -i '/^\[metrics\]/,$d' "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
inside systemctl daemon-reload
inside systemctl restart ikefragd
pid=$(unit MainPID)

# ---- bad reload
sed -i 's/"guard"/"gaurd"/' "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
if inside systemctl reload ikefragd > /dev/null 2>&1; then fail "bad reload: systemctl reload fails" "status 0"; else ok "bad reload: systemctl reload fails"; fi
equal "bad reload: it still runs, as before" "active $pid guard" "$(unit ActiveState) $(unit MainPID) $(mode_of)"
check "bad reload: file, line and column are in the journal" grep -qE 'ikefragd\.toml:1:[0-9]+:' <<< "$(journal -o cat)"
check "bad reload: kill -HUP is survived" inside systemctl kill -s HUP ikefragd
both "after a bad reload"
sed -i 's/"gaurd"/"guard"/' "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
check "bad reload: mended, it reloads" inside systemctl reload ikefragd

# ---- a hang, a death
# back_within WORDS MILLISECONDS SIGNAL: from the signal until another process said that it is ready, by systemd's own time of it
another_runs() { [ "$(unit MainPID)" != "$pid" ] && [ "$(unit SubState)" = running ]; }
back_within() {
    local began milliseconds
    began=${EPOCHREALTIME/./}
    inside bash -c "kill -$3 $pid"
    lab_wait 15 another_runs || true
    milliseconds=$((($(date -d "$(inside systemctl show -P ActiveEnterTimestamp --timestamp=us ikefragd.service)" +%s%6N) - began) / 1000))
    pid=$(unit MainPID)
    compare "$1: back after $milliseconds ms" "$milliseconds" -le "$2"
}
back_within "watchdog: SIGSTOP" 4000 STOP
check "watchdog: it was the watchdog" grep -q 'Watchdog timeout' <<< "$(journal)"
both "after the watchdog"
back_within "death: kill -9" 1000 KILL
both "after a death"
compare "death: restarts are counted" "$(unit NRestarts)" -ge 2

# ---- what a hijacked daemon could do: tried from inside the process, once it is ready
mkdir -p "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d"
cc -shared -fPIC -O1 -Wall -o "$LAB_DIR/root/usr/lib/hijack.so" "$lab_source/hijack.c" -ldl
printf '[Service]\nEnvironment=LD_PRELOAD=/usr/lib/hijack.so\nRestart=no\n' > "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d/hijack.conf"
echo secret > "$LAB_DIR/root/root/secret"
mkdir -p "$LAB_DIR/root/home/alice"
echo secret > "$LAB_DIR/root/home/alice/secret"
chmod -R a+rX "$LAB_DIR/root/root" "$LAB_DIR/root/home"
inside systemctl daemon-reload
inside systemctl restart ikefragd || true
sleep 0.5
tried=$(cat "$LAB_DIR/root/var/lib/ikefragd/hijack.log" 2>&1)
sed 's/^/    /' <<< "$tried"
tried_of() { sed -n "s@^$1: @@p" <<< "$tried"; }
equal "hijacked: writes its own state" yes "$(tried_of "write /var/lib/ikefragd/x")"
equal "hijacked: reads its configuration" yes "$(tried_of "read /etc/ikefragd/ikefragd.toml")"
for what in "read /root/secret" "read /home/alice/secret" "read /etc/passwd" "read /var/log/dpkg.log" "write /etc/ikefragd/x" "write /etc/x" \
    "write /usr/x" "write /tmp/x" "write /dev/shm/x" "write /var/x" "listen 4444" "connect 127.0.0.1:22" "raw socket"; do
    answer=$(tried_of "$what")
    if [[ $answer == no* ]]; then ok "hijacked: cannot $what"; else fail "hijacked: cannot $what" "got '$answer'"; fi
done
equal "hijacked: dies when it executes a program" "signal 31" "$(inside systemctl show -P ExecMainCode ikefragd | sed 's/^[23]$/signal/') $(unit ExecMainStatus)"
rm -r "$LAB_DIR/root/etc/systemd/system/ikefragd.service.d" "$LAB_DIR/root/usr/lib/hijack.so" "$LAB_DIR/root/home/alice" "$LAB_DIR/root/root/secret"
rm -f "$LAB_DIR/root/var/lib/ikefragd/"{hijack.log,x}
inside systemctl daemon-reload
check "hijacked: the next start is a good one" inside systemctl restart ikefragd

# ---- upgrade: a newer version with another default configuration
sed 's/^# After a change/# New in this version.\n&/' "$lab_project/daemon/ikefragd.toml" > "$LAB_DIR/new.toml"
dpkg-deb -R "$deb" "$LAB_DIR/newer"
cp "$LAB_DIR/new.toml" "$LAB_DIR/newer/etc/ikefragd/ikefragd.toml"
sed -i 's/^Version: .*/&+1/' "$LAB_DIR/newer/DEBIAN/control"
(cd "$LAB_DIR/newer" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum > DEBIAN/md5sums)
dpkg-deb --root-owner-group -b "$LAB_DIR/newer" "$LAB_DIR/root/root/newer.deb" > /dev/null
pid=$(unit MainPID)
check "upgrade: apt install" inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o Dpkg::Options::=--force-confold /root/newer.deb
rm "$LAB_DIR/root/root/newer.deb"
check "upgrade: the admin's configuration stays" grep -q 'edited by the admin' "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
equal "upgrade: the new program runs, in the admin's mode" "active guard" "$(unit ActiveState) $(mode_of)"
compare "upgrade: another process" "$(unit MainPID)" -ne "$pid"
both "after the upgrade"

# ---- stop, and the next boot
inside systemctl stop ikefragd
equal "stop: the table is gone" "" "$(inside nft list tables | grep ikefragd || true)"
both "stopped"
inside systemctl poweroff || true
lab_wait 20 bash -c "! kill -0 ${lab_pids["container"]}" || true
container_boot || fail "boot: the machine comes up again" "$(tail -n 3 "$LAB_DIR/boot.log")"
equal "boot: it runs, in the admin's mode" "active guard" "$(unit ActiveState) $(mode_of)"
both "after a boot"

# ---- remove after a death that left the table, purge
inside systemctl kill -s KILL ikefragd || true
check "remove: apt remove" inside apt-get remove -y -q ikefragd
equal "remove: no process" "" "$(inside pgrep -x ikefragd 2> /dev/null || true)"
equal "remove: no table" "" "$(inside nft list tables | grep ikefragd || true)"
check "remove: the configuration stays" test -e "$LAB_DIR/root/etc/ikefragd/ikefragd.toml"
both "after the removal"
check "purge: apt purge" inside apt-get purge -y -q ikefragd
equal "purge: no user, no group" "" "$(inside getent passwd ikefragd || true)$(inside getent group ikefragd || true)"
equal "purge: no unit" "" "$(inside systemctl list-units --all --no-legend 'ikefragd*')"
inside systemctl daemon-reload
files_of_root > "$LAB_DIR/files.after"
equal "purge: no file is left" "" "$(comm -13 "$LAB_DIR/files.before" "$LAB_DIR/files.after" | xargs)"
equal "purge: the rules are as before" "$rules_before" "$(inside nft list ruleset)"

# ---- autopkgtest, as Debian would run it: the package's own tests, on this machine, with these packages
mkdir -p "$LAB_DIR/root/root/tree" "$LAB_DIR/root/root/debs"
cp -a "$lab_project/daemon/packaging/debian" "$LAB_DIR/root/root/tree/"
dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/share/doc/ikefragd/changelog.Debian.gz | gunzip > "$LAB_DIR/root/root/tree/debian/changelog"
cp "$LAB_DIR"/deb/*.deb "$LAB_DIR/root/root/debs/"
# The container has no other host to itself, but is as good as one: it boots, and its network is its own.
inside bash -c 'cd /root && autopkgtest -B --ignore-restrictions=isolation-machine debs/*.deb tree// -- null' > "$LAB_DIR/autopkgtest.log" 2>&1 || true
for name in smoke library; do
    check "autopkgtest: $name" grep -qE "^$name +PASS" "$LAB_DIR/autopkgtest.log"
done
