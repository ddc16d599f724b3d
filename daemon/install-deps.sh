#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# install-deps.sh [build|package|demo|tests|all]: installs the Debian 12 packages that ikefrag needs (default: build).
#
#   build   what makes ikefragd and ikefragctl
#   package build, and what makes the Debian package
#   demo    build, and two strongSwan daemons with the tools of daemon/demo.sh
#   tests   demo, and what tests/run.sh uses
#   all     tests, and what tests/run.sh --all uses (packaging, containers, browser)
#
# Run as root. Nothing happens when all of them are there; without root it names what is missing (exit code 1).
# No service is started or enabled by it. libboost1.81-dev replaces libboost1.74-dev: Debian has room for one.
set -euo pipefail

build='g++ make cmake ninja-build ccache pkg-config libboost1.81-dev prometheus-cpp-dev libspdlog-dev libcli11-dev
  libtomlplusplus-dev libmnl-dev libnetfilter-queue-dev libnftables-dev libpcap-dev libsqlite3-dev libsystemd-dev
  libseccomp-dev catch2'
demo='iproute2 iptables nftables ethtool procps util-linux python3 tcpdump curl jq openssl charon-systemd
  strongswan-swanctl strongswan-pki libstrongswan-standard-plugins libstrongswan-extra-plugins libcharon-extra-plugins
  libcharon-extauth-plugins'
tests='git clang libclang-rt-14-dev clang-format clang-tidy tshark prometheus ike-scan sqlite3 shellcheck libtins-dev binutils file
  systemd man-db bash-completion'
package='build-essential debhelper fakeroot dpkg-dev lintian git'
all='valgrind gcovr chromium mmdebstrap systemd-container'

case "${1:-build}" in
build) wanted="$build" ;;
package) wanted="$build $package" ;;
demo) wanted="$build $demo" ;;
tests) wanted="$build $demo $tests" ;;
all) wanted="$build $demo $tests $package $all" ;;
*)
    sed -n '3,12p' "$0" | cut -c 3-
    exit 2
    ;;
esac
read -r -d '' -a wanted <<< "$wanted" || true

# Prints those of the wanted packages that are not installed.
missing_packages() {
    local name
    local -A installed=()
    while read -r name; do installed[$name]=1; done < <(
        dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2> /dev/null | sed -n 's/^installed //p'
    )
    for name in "${wanted[@]}"; do
        if [ -z "${installed[$name]:-}" ]; then echo "$name"; fi
    done
}

mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" = 0 ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
    echo "install-deps.sh: these packages are missing; run it as root to install them: ${missing[*]}" >&2
    exit 1
fi
if ! command -v apt-get > /dev/null; then
    echo "install-deps.sh: no apt-get here; on Debian 12 these packages would be installed: ${missing[*]}" >&2
    exit 1
fi

echo "installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
made_policy=no
remove_policy() { if [ "$made_policy" = yes ]; then rm -f "$policy"; fi; }
trap remove_policy EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then # 101: "action forbidden by policy", for every service, while we install
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq)
"${apt[@]}" update || echo "install-deps.sh: apt-get update failed; trying with the lists at hand" >&2
log=$(mktemp)
if ! "${apt[@]}" -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}" > "$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"

# Packages that bring a service also switch it on for the next boot; nobody asked for that.
if [ -d /run/systemd/system ]; then
    for pair in charon-systemd:strongswan.service prometheus:prometheus.service; do
        if [[ " ${missing[*]} " == *" ${pair%%:*} "* ]]; then systemctl -q disable "${pair#*:}" || true; fi
    done
fi
mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" != 0 ]; then
    echo "install-deps.sh: still missing after installation: ${missing[*]}" >&2
    exit 1
fi
