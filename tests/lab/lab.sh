# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lab: a client, a firewall and a server, each in a network namespace of its own, with what runs in them.
# Sourced by the system tests and by daemon/demo.sh; tests/README.md shows a test that uses it.
#
#   cli 10.99.1.2/24 fd99:1::2/64 ── lan fw wan ── 10.99.2.2/24 fd99:2::2/64 srv
#
# Addresses live only inside the namespaces. All that is started here is stopped, by pid, when the script ends.
#
# Environment, all optional:
#   IKEFRAG_BUILD     folder of ikefragd and ikefragctl (default: build/release, build/dev or build, the first that has them)
#   IKEFRAG_LAB_PKI   folder for keys and certificates, kept; several tests can share one (default: made anew)
#   IKEFRAG_LAB_LOGS  folder that gets the logs of all that ran (default: none)
#   LAB               prefix of the namespaces' names (default: random)
set -Eeuo pipefail

lab_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_project=$(cd "$lab_source/../.." && pwd)
lab_keep=no
declare -A lab_pids=() # name of a started program -> pid
lab_order=()           # names, in order of start

# ---------------------------------------------------------------- results

results_ok=0 results_failed=0 results_skipped=0
ok() { # NAME
    results_ok=$((results_ok + 1))
    echo "ok $1"
}
fail() { # NAME REASON
    results_failed=$((results_failed + 1))
    echo "FAIL $1 — ${2:-}"
}
skip() { # NAME REASON
    results_skipped=$((results_skipped + 1))
    echo "skip $1 — ${2:-}"
}
# check NAME COMMAND...: ok if the command succeeds; what it printed becomes the reason if not.
check() {
    local name=$1 status=0 out
    shift
    # Checks are also made by tests that begin no lab.
    out=${LAB_DIR:-$(mktemp -d)}/check.out
    # no subshell: the command may start or stop programs
    "$@" > "$out" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        ok "$name"
    else
        fail "$name" "$* gave status $status: $(tail -n 3 "$out" | tr '\n' ' ')"
    fi
}
# equal NAME WANTED GOT
equal() { if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "wanted '$2', got '$3'"; fi; }
# compare NAME GOT -ge WANTED (any operator of test)
compare() { if test "${2:-x}" "$3" "$4" 2> /dev/null; then ok "$1"; else fail "$1" "wanted $3 $4, got '${2:-}'"; fi; }

# ---------------------------------------------------------------- beginning and end

# lab_begin [PROGRAM...]: needs root, namespaces and the named programs besides those every test uses; ends the test where
# something is missing, as skipped (outside CI).
lab_begin() {
    local program absent=() lack=skip
    lab_test=$(basename "$0" .sh)
    if [ "${CI:-}" = true ]; then lack=fail; fi # there nothing may be skipped for want of these
    for program in ip nft iptables-legacy ip6tables-legacy ethtool curl jq python3 tcpdump "$@"; do
        command -v "$program" > /dev/null || absent+=("$program")
    done
    if [ "$(id -u)" != 0 ]; then
        $lack "$lab_test" "network namespaces need root"
    elif ! unshare -n true 2> /dev/null; then
        $lack "$lab_test" "this system does not allow network namespaces"
    elif [ "${#absent[@]}" != 0 ]; then
        $lack "$lab_test" "not installed: ${absent[*]} (daemon/install-deps.sh tests)"
    else
        LAB=${LAB:-ikf$(od -An -N3 -tx1 /dev/urandom | tr -d ' ')}
        LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/ikefrag-lab.XXXXXX")
        chmod 755 "$LAB_DIR"
        trap lab_end EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        trap 'exit 141' PIPE # a reader that went away, as in `test | head`: clean up all the same
        trap 'lab_error=$?; lab_error_line=$LINENO; lab_error_command=$BASH_COMMAND' ERR
        return
    fi
    exit "$((results_failed > 0))"
}

lab_end() {
    local status=$? n
    trap - EXIT ERR
    trap '' PIPE INT TERM # nothing may interrupt the cleaning
    set +e
    if [ "$status" != 0 ] && [ "$results_failed" = 0 ]; then
        fail "$lab_test" "ended with status $status${lab_error_line:+ at line $lab_error_line: $lab_error_command}"
    fi
    if [ "$results_failed" -gt 0 ]; then lab_tell; fi
    if [ "$lab_keep" = no ]; then
        lab_stop_all
        lab_links_down
    fi
    if [ -n "${IKEFRAG_LAB_LOGS:-}" ]; then
        mkdir -p "$IKEFRAG_LAB_LOGS/$lab_test"
        cp "$LAB_DIR"/*.log "$LAB_DIR"/*.pcap "$LAB_DIR"/*.pcapng "$LAB_DIR"/*.toml "$LAB_DIR"/*.json "$IKEFRAG_LAB_LOGS/$lab_test/" 2> /dev/null
    fi
    if [ "$lab_keep" = no ]; then rm -rf "$LAB_DIR"; fi
    exit "$((results_failed > 0))"
}

# Shows the ends of the logs, for whoever has to find out why a test failed.
lab_tell() {
    local log
    for log in "$LAB_DIR"/*.log; do
        if [ -s "$log" ]; then
            echo "    ---- last lines of $(basename "$log")"
            tail -n 15 "$log" | cut -c 1-300 | sed 's/^/    /'
        fi
    done
}

# ---------------------------------------------------------------- programs

# in_ns cli|fw|srv|isp COMMAND...
in_ns() {
    local name=$LAB-$1
    shift
    ip netns exec "$name" "$@"
}

# lab_spawn NAME NAMESPACE COMMAND...: runs it in the background, output to NAME.log
lab_spawn() {
    local name=$1 namespace=$LAB-$2
    shift 2
    ip netns exec "$namespace" "$@" > "$LAB_DIR/$name.log" 2>&1 < /dev/null &
    lab_pids[$name]=$!
    lab_order+=("$name")
}

lab_alive() { [ -n "${lab_pids[$1]:-}" ] && kill -0 "${lab_pids[$1]}" 2> /dev/null; }

# lab_stop NAME [SIGNAL]: ends it and waits; kills it after 5 s. Gives its exit status.
lab_stop() {
    local name=$1 signal=${2:-TERM} pid=${lab_pids[$1]:-} n status=0
    [ -n "$pid" ] || return 0
    kill -CONT "$pid" 2> /dev/null || true
    kill -"$signal" "$pid" 2> /dev/null || true
    for ((n = 0; n < 100; n++)); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.05
    done
    kill -KILL "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || status=$?
    unset "lab_pids[$name]"
    return "$status"
}

lab_stop_all() {
    local n
    for ((n = ${#lab_order[@]} - 1; n >= 0; n--)); do lab_stop "${lab_order[n]}" || true; done
    lab_order=()
}

# lab_wait SECONDS COMMAND...: until the command succeeds; status 1 if it never does
lab_wait() {
    local until
    until=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" > /dev/null 2>&1; do
        if [ "$(date +%s%N)" -gt "$until" ]; then return 1; fi
        sleep 0.05
    done
}

# ---------------------------------------------------------------- links

lab_namespaces() { ip netns list | awk -v prefix="$LAB-" 'index($1, prefix) == 1 { print $1 }'; }

lab_new_namespace() {
    ip netns add "$LAB-$1"
    ip -n "$LAB-$1" link set lo up
    in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}

# lab_link NAMESPACE DEVICE ADDRESS4 ADDRESS6 NAMESPACE DEVICE ADDRESS4 ADDRESS6 MTU: a cable. Checksum offload is off,
# so that captures have true UDP checksums.
lab_link() {
    ip link add "$2" netns "$LAB-$1" mtu "$9" type veth peer name "$6" netns "$LAB-$5" mtu "$9"
    local end namespace device
    for end in "$1 $2 $3 $4" "$5 $6 $7 $8"; do
        read -r namespace device address4 address6 <<< "$end"
        ip -n "$LAB-$namespace" addr add "$address4" dev "$device"
        ip -n "$LAB-$namespace" addr add "$address6" dev "$device" nodad
        ip -n "$LAB-$namespace" link set "$device" up
        in_ns "$namespace" ethtool -K "$device" tx off gso off gro off tso off > /dev/null 2>&1 || true
    done
}

# lab_links_up [MTU=1500] [EGRESS_MTU=] [PATH_MTU=]: builds the three namespaces. EGRESS_MTU: of the link fw–srv. PATH_MTU: a
# router `isp` stands between cli and fw, and its link to fw has this MTU: it cuts fragments again.
lab_links_up() {
    local MTU=1500 EGRESS_MTU='' PATH_MTU='' namespace
    if [ $# -gt 0 ]; then local "$@"; fi
    for namespace in cli fw srv; do lab_new_namespace "$namespace"; done
    lab_link fw wan 10.99.2.1/24 fd99:2::1/64 srv eth0 10.99.2.2/24 fd99:2::2/64 "${EGRESS_MTU:-$MTU}"
    if [ -z "$PATH_MTU" ]; then
        lab_link fw lan 10.99.1.1/24 fd99:1::1/64 cli eth0 10.99.1.2/24 fd99:1::2/64 "$MTU"
    else
        lab_new_namespace isp
        in_ns isp sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        lab_link isp home 10.99.1.1/24 fd99:1::1/64 cli eth0 10.99.1.2/24 fd99:1::2/64 "$MTU"
        lab_link fw lan 10.99.3.1/24 fd99:3::1/64 isp net 10.99.3.2/24 fd99:3::2/64 "$PATH_MTU"
        ip -n "$LAB-isp" route add default via 10.99.3.1
        ip -n "$LAB-isp" -6 route add default via fd99:3::1
        ip -n "$LAB-fw" route add 10.99.1.0/24 via 10.99.3.2
        ip -n "$LAB-fw" -6 route add fd99:1::/64 via fd99:3::2
    fi
    ip -n "$LAB-cli" route add default via 10.99.1.1
    ip -n "$LAB-cli" -6 route add default via fd99:1::1
    ip -n "$LAB-srv" route add default via 10.99.2.1
    ip -n "$LAB-srv" -6 route add default via fd99:2::1
    in_ns fw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    # Neighbours get to know each other, so that no test waits for it.
    lab_wait 10 lab_reaches 10.99.2.2
    lab_wait 10 lab_reaches fd99:2::2
}
# Does a UDP datagram of the client get to ADDRESS of the server? "Connection refused" says that it did.
lab_reaches() {
    in_ns cli python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
s.connect((sys.argv[1], 9))
try:
    s.send(b"x"); s.recv(9)
except ConnectionRefusedError:
    sys.exit(0)
except OSError:
    pass
sys.exit(1)' "$1"
}

lab_links_down() {
    local namespace
    for namespace in $(lab_namespaces); do ip netns del "$namespace" || true; done
}

# ---------------------------------------------------------------- what the firewall does

# firewall conntrack on|off: on, the kernel puts fragments together before its other hooks (priority -400)
# firewall drop_fragments on|off: the careless rule of many firewalls, "drop all but first fragments"
# firewall nat on|off: hides the client behind the firewall, source ports change
# firewall dnat on|off: the server is reached under the firewall's client-side address
firewall() {
    local how=-A tool
    if [ "$2" = off ]; then how=-D; fi
    case "$1" in
    conntrack)
        for tool in iptables-legacy ip6tables-legacy; do
            in_ns fw $tool -w $how FORWARD -m conntrack --ctstate INVALID -j ACCEPT
        done ;;
    drop_fragments)
        if [ "$2" = on ]; then
            in_ns fw nft 'table inet firewall { chain early { type filter hook prerouting priority raw;
                ip frag-off & 0x1fff != 0 counter drop; frag frag-off != 0 counter drop; }; }'
        else
            in_ns fw nft flush chain inet firewall early # not deleted: that would drop what any queue holds
        fi ;;
    nat)
        in_ns fw iptables-legacy -w -t nat $how POSTROUTING -s 10.99.1.0/24 -o wan -p udp -j MASQUERADE --to-ports 20000-60000 ;;
    dnat)
        in_ns fw iptables-legacy -w -t nat $how PREROUTING -i lan -d 10.99.1.1 -p udp -m multiport --dports 500,4500 \
            -j DNAT --to-destination 10.99.2.2 ;;
    *) echo "firewall: unknown word '$1'" >&2; return 2 ;;
    esac
}

# ---------------------------------------------------------------- captures

# capture_start NAME NAMESPACE DEVICE [tcpdump options and filter]: writes NAME.pcap
capture_start() {
    local name=$1 namespace=$2 device=$3
    shift 3
    lab_spawn "capture-$name" "$namespace" tcpdump -n -U --immediate-mode -B 16384 -Z root -s 0 -i "$device" -w "$LAB_DIR/$name.pcap" "$@"
    lab_wait 10 grep -q 'listening on' "$LAB_DIR/capture-$name.log"
}
capture_stop() {
    sleep 0.3
    lab_stop "capture-$1" INT || true
}

# ---------------------------------------------------------------- ikefragd

# Prints the folder that has the two programs.
lab_build() {
    local folder
    for folder in ${IKEFRAG_BUILD:-"$lab_project/build/release" "$lab_project/build/dev" "$lab_project/build"}; do
        if [ -x "$folder/ikefragd" ]; then
            echo "$folder"
            return
        fi
    done
    echo "no ikefragd is built (cmake --workflow --preset release)" >&2
    return 1
}

# ikefragd_config MODE [KEY=VALUE...] writes ikefragd.toml. Keys: SERVERS (TOML of the [[server]] tables), QUEUES (how many),
# FIRST_QUEUE, QUEUE_LENGTH, EXTRA (more TOML at the end), TOP (TOML before the first table), RULES (text of rules.d/10-lab.toml)
ikefragd_config() {
    local MODE=$1 QUEUES=1 FIRST_QUEUE=500 QUEUE_LENGTH=8192 EXTRA='' TOP='' RULES=''
    local SERVERS='[[server]]
name = "vpn1"
addresses = ["10.99.2.2", "fd99:2::2"]'
    shift
    if [ $# -gt 0 ]; then local "$@"; fi
    mkdir -p "$LAB_DIR/state" "$LAB_DIR/rules.d"
    cp "$lab_project/rules/00-default.toml" "$LAB_DIR/rules.d/"
    if [ -n "$RULES" ]; then echo "$RULES" > "$LAB_DIR/rules.d/00-before.toml"; else rm -f "$LAB_DIR/rules.d/00-before.toml"; fi
    cat > "$LAB_DIR/ikefragd.toml" << X
mode = "$MODE"
$TOP
$SERVERS
[queue]
first = $FIRST_QUEUE
count = $QUEUES
max_length = $QUEUE_LENGTH
[metrics]
listen = "127.0.0.1:9786"
[control]
socket = "$LAB_DIR/control.sock"
[state]
directory = "$LAB_DIR/state"
$EXTRA
X
    chmod 644 "$LAB_DIR/ikefragd.toml" "$LAB_DIR"/rules.d/*
}

# ikefragd_run [NAME=ikefragd]: starts the daemon with that config and waits until it is ready
# shellcheck disable=SC2120 # the name is optional
ikefragd_run() {
    local build
    build=$(lab_build)
    lab_spawn "${1:-ikefragd}" fw "$build/ikefragd" --config "$LAB_DIR/ikefragd.toml"
    if ! lab_wait 15 http /-/ready || ! lab_alive "${1:-ikefragd}"; then
        echo "ikefragd is not ready after 15 s: $(tail -n 3 "$LAB_DIR/${1:-ikefragd}.log")" >&2
        return 1
    fi
}
ikefragd_start() { # MODE [KEY=VALUE...] as ikefragd_config
    ikefragd_config "$@"
    ikefragd_run
}
ikefragd_stop() { lab_stop ikefragd "${1:-TERM}"; }

# ctl COMMAND...: ikefragctl in the firewall's namespace
ctl() { in_ns fw "$(lab_build)/ikefragctl" --socket "$LAB_DIR/control.sock" "$@"; }

http() { in_ns fw curl -sf --max-time 5 "http://127.0.0.1:9786$1"; }

# metric NAME [LABEL=VALUE...]: sum over the samples that carry these labels
metric() {
    local name=$1 text
    shift
    text=$(http /metrics)
    awk -v name="$name" -v wanted="$*" '
        BEGIN { n = split(wanted, label, " "); for (i = 1; i <= n; i++) { sub("=", "=\"", label[i]); label[i] = label[i] "\"" } }
        $1 == name || index($1, name "{") == 1 || index($0, name "{") == 1 {
            for (i = 1; i <= n; i++) if (!index($0, "{" label[i]) && !index($0, "," label[i])) next
            sum += $NF; seen = 1 }
        END { if (!seen) print "none"; else printf "%.12g\n", sum }' <<< "$text"
}

# metric_reaches NAME LABELS... OP VALUE, for lab_wait
metric_reaches() {
    local arguments=("${@:1:$#-2}")
    test "$(metric "${arguments[@]}")" "${*: -2:1}" "${*: -1}"
}

# shellcheck source=tests/lab/peers.sh
. "$lab_source/peers.sh"
