#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiving kernel as the judge: the same fragments, in the same order, with the daemon on their way and without.

    differential.py send SEED SETS OUT.json   sends so many sets of fragments of IKE_AUTHs, IPv4 and IPv6 in turn, several at once,
                                              within handshakes of their sources; writes what each set was
    differential.py receive PORT              prints size and SHA-1 of every datagram that a socket gets (UDP, both families)
    differential.py judge SENT.json RECEIVED  says in result lines what should have come and did, and the other way round
    differential.py giant                     sends a message whose first fragment has 65 532 octets, more than a queue shows

Kinds of sets: `whole` (every order, up to 45 pieces, sometimes one piece twice), `hole` (one piece missing), `overlap` (one piece
more that covers others in part, or one with other bytes in the same place).
"""
import collections
import hashlib
import json
import random
import select
import socket
import sys
import time

from packets import CLI4, SRV4, SRV6, fragments, ike, ipv4, ipv6, piece, sa_init, udp

SOURCES = 150
AT_ONCE = 12 # sets whose fragments come mingled


def source(v6, number):
    return "fd99:1:0:%x::2" % (0x100 + number) if v6 else "10.99.1.%d" % (20 + number)


def cuts(maker, size):
    """Bounds of the pieces of a datagram: few or many, of even or of any sizes, the first one large enough."""
    if maker.random() < 0.3:
        step = maker.choice((56, 576, 1232, 1448, 8952))
        step = max(min(step, size // 2 & ~7), (size // 45 + 8) & ~7) # 2 to 45 pieces
        bounds = list(range(0, size, step))
    else:
        places = range(48, size - 1, 8)
        bounds = [0] + sorted(maker.sample(places, min(maker.choice((1, 2, 3, 4, 5, 5, 20, 44)), len(places))))
    return list(zip(bounds, bounds[1:] + [size]))


def make_set(maker, v6, client, identification):
    destination = SRV6 if v6 else SRV4
    size = maker.choice((200, 700, 1500, 3000, 5000, 15000))
    message = ike(size + maker.randrange(64), identification)
    data = udp(client, destination, 500, 500, message)
    pieces = cuts(maker, len(data))
    kind = maker.choices(("whole", "hole", "overlap"), (8, 1, 2))[0]

    def packet(begin, content, more):
        return piece(client, destination, content, identification, begin, more)
    made = [packet(begin, data[begin:end], end < len(data)) for begin, end in pieces]
    maker.shuffle(made) if maker.random() < 0.7 else None
    if kind == "hole":
        del made[maker.randrange(len(made))]
    elif kind == "overlap":
        begin, end = maker.choice(pieces)
        if maker.random() < 0.5 or end - begin < 24: # its place, other bytes
            content, more = bytearray(data[begin:end]), end < len(data)
            content[-1] ^= 1
        else: # part of it, or some of its neighbours too
            from_here, to_there = maker.choice(((0, -8), (8, 0), (8, 8), (8, -8)))
            begin, end = begin + from_here, min(len(data), end + to_there)
            end -= (end - begin) % 8
            content, more = data[begin:end], True
        # Before the last piece: behind it, the datagram has been delivered already, here and there.
        made.insert(maker.randrange(len(made)), packet(begin, bytes(content), more))
    elif maker.random() < 0.5:
        made.insert(maker.randrange(len(made) + 1), maker.choice(made))
    return kind, message, made


def send(seed, sets, path):
    maker = random.Random(seed)
    raw = {v6: socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) for v6 in (False, True)}
    target = {False: (SRV4, 0), True: (SRV6, 0, 0, 0)}
    told, opened = [], {}

    def open_handshake(v6, client):
        # The kernel table looks at a pair's tails for a minute after its last whole message.
        if time.monotonic() - opened.get(client, -99) < 15:
            return
        opening = sa_init(seed * 100000 + len(told))
        datagram = udp(client, target[v6][0], 500, 500, opening)
        raw[v6].sendto((ipv6 if v6 else ipv4)(client, target[v6][0], datagram), target[v6])
        told.append(("whole", hashlib.sha1(opening).hexdigest()))
        opened[client] = time.monotonic()

    open_sets, number = [], 0
    while number < sets or open_sets:
        while number < sets and len(open_sets) < AT_ONCE:
            v6 = number % 2 == 1
            client = source(v6, number // 2 % SOURCES)
            open_handshake(v6, client)
            kind, message, made = make_set(maker, v6, client, 1000 + number)
            told.append((kind, hashlib.sha1(message).hexdigest()))
            open_sets.append((v6, collections.deque(made)))
            number += 1
        mine = maker.randrange(len(open_sets))
        v6, left = open_sets[mine]
        raw[v6].sendto(left.popleft(), target[v6])
        if not left:
            open_sets.pop(mine)
        time.sleep(0.0002)
    with open(path, "w", encoding="ascii") as file:
        json.dump(told, file)
    print(*("%d %s" % (count, kind) for kind, count in sorted(collections.Counter(kind for kind, _ in told).items())), sep=", ")


def receive(port):
    ends = []
    for family, address in ((socket.AF_INET, SRV4), (socket.AF_INET6, SRV6)):
        end = socket.socket(family, socket.SOCK_DGRAM)
        end.setsockopt(socket.SOL_SOCKET, 33, 1 << 26) # SO_RCVBUFFORCE
        end.bind((address, port))
        ends.append(end)
    print("listening", flush=True)
    while True:
        for end in select.select(ends, [], [])[0]:
            data = end.recv(65536)
            print(len(data), hashlib.sha1(data).hexdigest(), flush=True)


def judge(sent, received):
    with open(sent, encoding="ascii") as file:
        told = json.load(file)
    with open(received, encoding="ascii") as file:
        came = collections.Counter(line.split()[1] for line in file if line[0].isdigit())
    wanted = collections.Counter(digest for kind, digest in told if kind == "whole")
    names = {digest: kind for kind, digest in told}
    wrong = collections.Counter(names.get(digest, "bytes that nobody sent") for digest in (came - wanted).elements())
    print("whole sets that did not come: %d of %d" % (sum((wanted - came).values()), sum(wanted.values())))
    print("what should not have come: %s" % (", ".join("%d %s" % (n, kind) for kind, n in sorted(wrong.items())) or "nothing"))


def giant():
    message = ike(65515 - 8, 1)
    data = udp(CLI4, SRV4, 500, 500, message)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for packet in fragments(CLI4, SRV4, data, 77, 65512):
        raw.sendto(packet, (SRV4, 0))


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "send":
        send(int(words[0]), int(words[1]), words[2])
    elif command == "receive":
        receive(int(words[0]))
    elif command == "judge":
        judge(*words)
    else:
        giant()
