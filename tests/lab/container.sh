# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A Debian 12 machine with systemd, booted as the lab's firewall: a container whose network is the namespace `fw`.
# Sourced after lab.sh by tests that install the package.

# container_root [PACKAGE...]: unpacks a fresh Debian 12 with these packages into $LAB_DIR/root; status 1 where no mirror can
# be reached
container_root() {
    local packages=systemd,systemd-sysv,dbus,iproute2,nftables name
    for name in "$@"; do packages+=,$name; done
    rm -rf "$LAB_DIR/root"
    mmdebstrap --variant=minbase --include="$packages" bookworm "$LAB_DIR/root" > "$LAB_DIR/mmdebstrap.log" 2>&1
}

# container_boot: boots it and waits until systemd has started everything. No login, nothing registered with the host. It may
# use bpf(), by which systemd carries out IPAddressDeny=, and Landlock, neither of which a container has by itself.
container_boot() {
    local n
    chmod 755 "$LAB_DIR/root"
    mkdir -p "$LAB_DIR/root/var/log/journal"
    trap container_end EXIT
    systemd-nspawn -q -D "$LAB_DIR/root" -b --network-namespace-path="/run/netns/$LAB-fw" --register=no --keep-unit \
        --machine="$LAB" --console=pipe --capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON \
        --system-call-filter='bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self' > "$LAB_DIR/boot.log" 2>&1 < /dev/null &
    lab_pids["container"]=$!
    lab_order+=(container)
    for ((n = 0; n < 300; n++)); do
        container_pid=$(pgrep -P "${lab_pids["container"]}" | head -n 1)
        if [ -n "$container_pid" ] && inside systemctl is-system-running 2> /dev/null | grep -qE 'running|degraded'; then
            return
        fi
        sleep 0.1
    done
    return 1
}

# The journal is kept with the other logs, however the test ends.
container_end() {
    local status=$?
    set +e
    journalctl -q --no-pager -D "$LAB_DIR/root/var/log/journal" -u ikefragd -o short-precise > "$LAB_DIR/journal.log" 2>&1
    (exit "$status")
    lab_end
}

# inside COMMAND...: runs it in the container, as root
inside() { nsenter -t "$container_pid" -m -u -i -n -p -C -- "$@"; }

# unit PROPERTY: of ikefragd.service
unit() { inside systemctl show -P "$1" ikefragd.service; }
journal() { inside journalctl -q --no-pager -u ikefragd.service "$@"; }

# files_of_root: every file of the container that is not a cache, a log or the package manager's own
files_of_root() {
    find "$LAB_DIR/root" -xdev \( -path '*/var/lib/dpkg' -o -path '*/var/log' -o -path '*/var/cache' -o -path '*/run' -o -path '*/tmp' \
        -o -path '*/var/lib/systemd' -o -path '*/var/lib/apt' \) -prune -o -printf '%P\n' | sort
}
