#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain UDP through the kernel's own sockets: what another service on the same machines does.

    udp.py sink ADDRESS PORT              prints size and SHA-1 of every datagram that arrives
    udp.py echo ADDRESS PORT              sends every datagram back
    udp.py send ADDRESS PORT SIZE...      sends one datagram of each size, prints size and SHA-1
    udp.py ask ADDRESS PORT SIZE...       sends and waits for the echo of each; status 1 if one does not come in 2 s
    --bind ADDRESS or ADDRESS@PORT        own address (and port) of `send` and `ask`
"""
import argparse
import hashlib
import random
import socket
import sys


def line(data):
    print(len(data), hashlib.sha1(data).hexdigest(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("sink", "echo", "send", "ask"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("sizes", type=int, nargs="*")
    parser.add_argument("--bind", default="")
    a = parser.parse_args()
    own = socket.socket(socket.AF_INET6 if ":" in a.address else socket.AF_INET, socket.SOCK_DGRAM)
    if a.command in ("sink", "echo"):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((a.address, a.port))
        print("listening", flush=True)
        while True:
            data, peer = own.recvfrom(65536)
            line(data)
            if a.command == "echo":
                own.sendto(data, peer)
    # Path MTU discovery off: the kernel cuts what is too long, as it does for most UDP services.
    own.setsockopt(socket.IPPROTO_IPV6 if ":" in a.address else socket.IPPROTO_IP, 23 if ":" in a.address else 10, 0)
    if a.bind:
        address, _, port = a.bind.rpartition("@")
        own.bind((address or a.bind, int(port) if address else 0))
    own.settimeout(2)
    for size in a.sizes:
        data = random.randbytes(size)
        own.sendto(data, (a.address, a.port))
        if a.command == "send":
            line(data)
            continue
        try:
            answer = own.recv(65536)
        except TimeoutError:
            sys.exit("no answer to %d octets" % size)
        if answer != data:
            sys.exit("a different answer to %d octets" % size)


main()
