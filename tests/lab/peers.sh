# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Real IKE peers for the lab: two strongSwan daemons (charon-systemd, which runs without systemd). Sourced by lab.sh.
#
# Both sides have one root, and each two intermediates of its own that the other lacks: each sends three certificates, with
# RSA 4096 about 4.9 kB of IKE_AUTH, hence four IP fragments at MTU 1500.

# lab_pki [rsa|ecdsa]: prints the folder of the keys; makes them first where they are missing
lab_pki() {
    local folder=${IKEFRAG_LAB_PKI:-$LAB_DIR/pki}/$1
    mkdir -p "$folder"
    (
        flock 9
        if [ -e "$folder/made" ]; then exit; fi
        cd "$folder" || exit
        for name in root cli-int1 cli-int2 cli; do lab_key "$1" $name; done &
        for name in srv-int1 srv-int2 srv; do lab_key "$1" $name; done
        wait
        strongswan_pki --self --ca --lifetime 3650 --in root.key --dn 'O=lab, CN=root' > root.crt
        for side in cli srv; do
            lab_certificate root $side-int1 --ca
            lab_certificate $side-int1 $side-int2 --ca
            lab_certificate $side-int2 $side --san $side.lab.invalid
        done
        touch made
    ) 9> "$folder/lock" >&2
    echo "$folder"
}
strongswan_pki() { pki "$@" --outform pem 2> >(grep -v -i tpm >&2); } # a missing TPM library is only noise
lab_key() {
    if [ "$1" = rsa ]; then strongswan_pki --gen --type rsa --size 4096 > "$2.key"; else strongswan_pki --gen --type ecdsa --size 256 > "$2.key"; fi
}
lab_certificate() { # ISSUER NAME [pki options]
    local issuer=$1 name=$2
    shift 2
    # the long OU stands for what real authorities write into their names
    strongswan_pki --pub --in "$name.key" | strongswan_pki --issue --lifetime 1825 --cacert "$issuer.crt" --cakey "$issuer.key" \
        --dn "C=ZZ, O=lab, OU=throw-away, CN=$name.lab.invalid" "$@" > "$name.crt"
}

# peers_start [KEY=VALUE...]: configures and starts both. Keys:
#   CERT=rsa|ecdsa        big or small certificates
#   VER=2|1|1a            IKE version; 1a: aggressive mode (with AUTH=psk)
#   FRAG=no|yes|force|accept   RFC 7383 or IKEv1 fragmentation; CLI_FRAG, SRV_FRAG for one side
#   FRAGSIZE=1280         octets of such a fragment
#   AUTH=cert|psk|eap     how the client proves who it is
#   PSK=right|wrong       wrong: the client's key differs
#   MOBIKE=no|yes  DPD=0  KEEPALIVE=20  COOKIE=30 (half-open SAs before COOKIE)  HALF_OPEN=10 (seconds they live)  RETRANSMIT=1.0 (first time-out)  TRIES=2
#   KE=curve25519  CLI_KE=$KE   groups; CLI_KE=modp2048-curve25519 gives INVALID_KE_PAYLOAD
#   ESP=no|userland       a tunnel in user space, ESP in UDP over TUN (always on port 4500)
#   CHILD=no|yes          ask for a CHILD_SA without a kernel that has ESP: NO_PROPOSAL_CHOSEN for it, the IKE SA stays
#   SERVER_NAMESPACE=srv  SERVER4=10.99.2.2 SERVER6=fd99:2::2   where it runs; the address it is reached at
# Connections of the client: v4 v6 (port 500), v4-natt v6-natt (forced to 4500).
peers_start() {
    local CERT=rsa VER=2 FRAG=no CLI_FRAG='' SRV_FRAG='' FRAGSIZE=1280 AUTH=cert PSK=right MOBIKE=no DPD=0 KEEPALIVE=20
    local COOKIE=30 HALF_OPEN=10 RETRANSMIT=1.0 TRIES=2 KE=curve25519 CLI_KE='' ESP=no CHILD=no SERVER_NAMESPACE=srv SERVER4=10.99.2.2
    local SERVER6=fd99:2::2
    if [ $# -gt 0 ]; then local "$@"; fi
    local keys side namespace
    keys=$(lab_pki "$CERT")
    peers_child=no
    if [ "$ESP" = userland ] || [ "$CHILD" = yes ]; then peers_child=yes; fi
    peers_server_namespace=$SERVER_NAMESPACE
    for side in cli srv; do
        namespace=$side
        if [ $side = srv ]; then namespace=$SERVER_NAMESPACE; fi
        peer_files $side
        lab_spawn "strongswan-$side" "$namespace" env STRONGSWAN_CONF="$LAB_DIR/$side/strongswan.conf" \
            SWANCTL_DIR="$LAB_DIR/$side/swanctl" charon-systemd
    done
    for side in cli srv; do
        lab_wait 10 peer $side --stats # its socket is there before it listens
        peer $side --load-all >> "$LAB_DIR/$side/load" 2>&1
    done
    if [ "$ESP" = userland ]; then peers_tunnel; fi
}

peer_files() { # SIDE; everything else from peers_start
    local side=$1 folder=$LAB_DIR/$1 kernel=kernel-netlink frag=$FRAG ke=$KE
    rm -rf "$folder"
    mkdir -p "$folder"/swanctl/{x509,x509ca,x509ocsp,x509aa,x509ac,x509crl,pubkey,private,rsa,ecdsa,bliss,pkcs8,pkcs12}
    cp "$keys/$side.crt" "$folder/swanctl/x509/"
    cp "$keys/$side.key" "$folder/swanctl/private/"
    cp "$keys"/{root,"$side"-int1,"$side"-int2}.crt "$folder/swanctl/x509ca/"
    if [ "$ESP" = userland ]; then kernel='kernel-libipsec kernel-netlink'; fi
    if [ "$side" = cli ]; then frag=${CLI_FRAG:-$FRAG} ke=${CLI_KE:-$KE}; else frag=${SRV_FRAG:-$FRAG}; fi
    cat > "$folder/strongswan.conf" << X
charon-systemd {
  load = random nonce openssl kdf x509 revocation constraints pubkey pkcs1 pkcs8 pem md5 $kernel socket-default vici updown eap-identity eap-mschapv2
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  fragment_size = $FRAGSIZE
  retransmit_tries = $TRIES
  retransmit_timeout = $RETRANSMIT
  half_open_timeout = $HALF_OPEN
  cookie_threshold_ip = $COOKIE
  keep_alive = ${KEEPALIVE}s
  install_routes = no
  install_virtual_ip = no
  plugins { vici { socket = unix://$folder/vici } }
  journal { default = -1 }
  filelog { lab { path = $LAB_DIR/$side.log
                  time_format = %H:%M:%S
                  default = 1
                  enc = 1
                  flush_line = yes } }
}
swanctl { load = pem pkcs1 pkcs8 x509 openssl pubkey random nonce
          plugins { vici { socket = unix://$folder/vici } } }
X
    {
        echo 'connections {'
        if [ "$side" = cli ]; then
            peer_connection v4 10.99.1.2 "$SERVER4" no
            peer_connection v6 fd99:1::2 "$SERVER6" no
            peer_connection v4-natt 10.99.1.2 "$SERVER4" yes
            peer_connection v6-natt fd99:1::2 "$SERVER6" yes
        else
            peer_connection any %any %any no
        fi
        echo '}'
        peer_secrets
    } > "$folder/swanctl/swanctl.conf"
}

peer_connection() { # NAME LOCAL REMOTE ENCAP
    local childless=force other=srv own_auth peer_auth version=$VER aggressive=no local_ts=10.98.1.1/32 remote_ts=10.98.2.1/32
    if [ $peers_child = yes ]; then childless=allow; fi
    if [ "$VER" = 1a ]; then version=1 aggressive=yes; fi
    if [ "$side" = srv ]; then other=cli local_ts=10.98.2.1/32 remote_ts=10.98.1.1/32; fi
    own_auth="auth = pubkey
    certs = $side.crt" peer_auth='auth = pubkey'
    case "$AUTH:$side" in
    psk:*) own_auth='auth = psk' peer_auth='auth = psk' ;;
    eap:cli) own_auth='auth = eap-mschapv2' ;;
    eap:srv) peer_auth='auth = eap-mschapv2' ;;
    esac
    cat << X
$1 {
  version = $version
  aggressive = $aggressive
  local_addrs = $2
  remote_addrs = $3
  proposals = aes128-sha256-$ke
  fragmentation = $frag
  encap = $4
  mobike = $MOBIKE
  dpd_delay = ${DPD}s
  childless = $childless
  send_cert = always
  unique = never
  local { id = $side.lab.invalid
    $own_auth }
  remote { id = $other.lab.invalid
    $peer_auth }
  children { net { local_ts = $local_ts
                   remote_ts = $remote_ts
                   esp_proposals = aes128-sha256 } }
}
X
}

peer_secrets() {
    local secret=lab-secret
    if [ "$AUTH" = cert ]; then return; fi
    if [ "$PSK" = wrong ] && [ "$side" = cli ]; then secret=another-secret; fi
    if [ "$AUTH" = psk ]; then
        printf 'secrets { ike-lab { secret = "%s" } }\n' "$secret"
    else
        printf 'secrets { eap-lab { id = cli.lab.invalid\n secret = "%s" } }\n' "$secret"
    fi
}

# Routes of the tunnel in user space: 10.98.1.1 at the client, 10.98.2.1 at the server.
peers_tunnel() {
    local side namespace own other
    for side in cli srv; do
        namespace=$side own=10.98.1.1 other=10.98.2.1
        if [ $side = srv ]; then namespace=$peers_server_namespace own=10.98.2.1 other=10.98.1.1; fi
        ip -n "$LAB-$namespace" addr replace $own/32 dev lo
        ip -n "$LAB-$namespace" route replace $other dev ipsec0 src $own
    done
}

# peer cli|srv SWANCTL-ARGUMENT...
peer() {
    local side=$1 namespace=$1
    shift
    if [ "$side" = srv ]; then namespace=$peers_server_namespace; fi
    in_ns "$namespace" env STRONGSWAN_CONF="$LAB_DIR/$side/strongswan.conf" SWANCTL_DIR="$LAB_DIR/$side/swanctl" \
        swanctl "$@" --uri "unix://$LAB_DIR/$side/vici"
}

# handshake CONNECTION [SECONDS=12]: the client asks; status 0 when the IKE SA (with peers_child: its CHILD_SA) is up
handshake() {
    if [ "$peers_child" = yes ]; then
        peer cli --initiate --child net --ike "$1" --timeout "${2:-12}" >> "$LAB_DIR/initiate.log" 2>&1
    else
        peer cli --initiate --ike "$1" --timeout "${2:-12}" >> "$LAB_DIR/initiate.log" 2>&1
    fi
}
handshake_ends() { peer cli --terminate --ike "$1" --timeout 5 >> "$LAB_DIR/initiate.log" 2>&1 || true; }
established() { peer "${1:-cli}" --list-sas | grep -c ESTABLISHED || true; }
peers_stop() {
    lab_stop strongswan-cli || true
    lab_stop strongswan-srv || true
}
