#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends known packets through the kernel table and compares its named counters with what must happen.

    table_cases.py MODE MAC [NAME...]    run in the client's namespace; FW names the firewall's, which has the table

Nobody listens to the queue: what is queued passes by `bypass`, so that only the table is under test. Every case uses an address
pair of its own unless it says otherwise, so that no handshake is open for it. Prints a FAIL line for each difference and one ok
line; names only show single cases.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import time

import packets as p

FW = os.environ["FW"]
MORE = {"ike_head", "ike_tail", "maybe_tail", "late_head"}
SHORT = {"dns": (53, 5353), "ike": (500, 500), "nat-t": (4500, 4500), "floating": (33333, 4500), "back": (4500, 33333)}


def esp(size=300):
    return b"\x11\x22\x33\x44" + os.urandom(size - 4)


class Pair:
    """Addresses of a client of its own and the server, and how packets between them are made."""

    last = 9

    def __init__(self, family, server=True):
        Pair.last += 1
        self.v6 = family == 6
        self.source = "fd99:1::1:%x" % Pair.last if self.v6 else "10.99.1.%d" % Pair.last
        self.destination = (p.SRV6 if self.v6 else p.SRV4) if server else ("fd99:2::77" if self.v6 else "10.99.2.77")
        self.identification = 50 * Pair.last

    def datagram(self, kind, payload):
        return p.udp(self.source, self.destination, *SHORT[kind], payload)

    def whole(self, kind, payload, **options):
        return self.packet(self.datagram(kind, payload), **options)

    def packet(self, body, protocol=17, **options):
        if self.v6:
            return p.ipv6(self.source, self.destination, body, protocol)
        return p.ipv4(self.source, self.destination, body, 7, protocol=protocol, **options)

    def cut(self, kind, payload, step=1200):
        return self.cut_body(self.datagram(kind, payload), step)

    def cut_body(self, body, step=1200, **options):
        self.identification += 1
        return p.fragments(self.source, self.destination, body, self.identification, step, **options)

    def opening(self):
        return self.whole("ike", p.sa_init(Pair.last))

    def quote(self, inner, kind, code, checksum_matters=True):
        """An ICMP error of `kind` that quotes `inner`."""
        message = struct.pack("!BBHI", kind, code, 0, 1400) + inner
        if self.v6:
            ends = p.packed(self.source) + p.packed(self.destination) + struct.pack("!IHBB", len(message), 0, 0, 58)
            value = p.checksum(ends + message)
        else:
            value = p.checksum(message)
        return self.packet(message[:2] + struct.pack("!H", value) + message[4:], 58 if self.v6 else 1)


def cases(mode):
    """(name, packets and seconds between them, counters that must rise by how much). Left out where it follows: copied_out
    of each whole message and each first fragment of IKE, and `queued` (observe: copied_tail) of all that is for the queue."""
    closed = mode == "exclusive"
    head, tail, proto = ("dropped_head", "dropped_tail", "dropped_proto") if closed else ("kept_head", "kept_tail", "kept_proto")
    for family in (4, 6):
        v = "IPv%d " % family
        yield from ((v + name, *rest) for name, *rest in whole_cases(family))
        yield from ((v + name, *rest) for name, *rest in fragment_cases(family, head, tail))
        yield from ((v + name, *rest) for name, *rest in known_twice_cases(family, head))
        yield from ((v + name, *rest) for name, *rest in mixed_port_cases(family, head, tail))
        yield from ((v + name, *rest) for name, *rest in icmp_cases(family))
        yield from ((v + name, *rest) for name, *rest in esp_cases(family))
        yield from ((v + name, *rest) for name, *rest in tcp_cases(family))
    yield from ipv4_cases(head, tail, proto)
    yield from ipv6_cases(head, tail, proto)


def whole_cases(family):
    copied = {"copied_whole": 1}
    one = Pair(family)
    for kind, payload in (("ike", p.ike(300)), ("nat-t", p.ike(300, marker=True)), ("floating", p.ike(300, marker=True)),
                          ("back", p.ike(300, marker=True)), ("ike", b"abc"), ("nat-t", b"\0\0\0\0"), ("ike", b"\0" * 4 + p.ike(300))):
        yield "whole, %s, %d octets" % (kind, len(payload)), [one.whole(kind, payload)], copied
    for name, payload in (("ESP", esp()), ("keepalive", b"\xff"), ("empty", b""), ("3 zero octets", b"\0\0\0")):
        other = Pair(family)
        yield "whole on 4500, %s" % name, [other.whole("nat-t", payload)], {}
    yield "whole, DNS", [one.whole("dns", b"x" * 100)], {}


def fragment_cases(family, head, tail):
    def fresh(kind="ike"):
        pair = Pair(family)
        return pair, pair.cut(kind, p.ike(3000, marker=kind != "ike"))

    for kind in ("ike", "nat-t", "back"):
        yield "IKE, %s, in order" % kind, fresh(kind)[1], {"ike_head": 1, "ike_tail": 2}
    yield "IKE, last first, nothing before", fresh()[1][::-1], {"ike_head": 1, tail: 2}
    pair, parts = fresh()
    yield "IKE, last first, after IKE_SA_INIT", [pair.opening()] + parts[::-1], {"copied_whole": 1, "ike_head": 1, "maybe_tail": 2}
    pair, parts = fresh()
    yield "IKE, last first, after INFORMATIONAL", [pair.whole("ike", p.ike(80, exchange=37))] + parts[::-1], \
        {"copied_whole": 1, "ike_head": 1, tail: 2}
    pair, parts = fresh()
    yield "IKE, middle first, after IKE_SA_INIT", [pair.opening(), parts[1], parts[0], parts[2]], \
        {"copied_whole": 1, "ike_head": 1, "maybe_tail": 1, "ike_tail": 1}
    pair, parts = fresh()
    yield "IKE, the second attempt heals the order", parts[::-1] + pair.cut("ike", p.ike(3000))[::-1], \
        {"ike_head": 2, tail: 2, "maybe_tail": 2}
    pair = Pair(family)
    yield "IKE, first fragment of 8 octets", pair.cut("nat-t", p.ike(64, marker=True), 8)[:2], {"ike_head": 1, "ike_tail": 1, "copied_out": 0}
    pair = Pair(family)
    yield "DNS, in order", pair.cut("dns", b"x" * 3000), {head: 1, tail: 2}
    pair = Pair(family)
    yield "DNS, in order, within a handshake", [pair.opening()] + pair.cut("dns", b"x" * 3000), {"copied_whole": 1, head: 1, tail: 2}
    pair = Pair(family)
    yield "DNS, first fragment of 8 octets", pair.cut("dns", b"x" * 64, 8)[:2], {head: 1, tail: 1}
    pair = Pair(family)
    parts = pair.cut("dns", b"x" * 3000)
    yield "DNS, middle first, within a handshake", [pair.opening(), parts[1], parts[0], parts[2]], \
        {"copied_whole": 1, late_head(head): 1, **({"maybe_tail": 1, tail: 1} if head == "kept_head" else {"maybe_tail": 2})}
    pair = Pair(family, server=False)
    stranger = {"ike_head": 1, "ike_tail": 2} if head == "kept_head" else {head: 1, tail: 2}
    yield "IKE to a stranger, in order", pair.cut("ike", p.ike(3000)), stranger
    pair = Pair(family, server=False)
    yield "IKE to a stranger, last first, after IKE_SA_INIT", [pair.opening()] + pair.cut("ike", p.ike(3000))[::-1], \
        {"copied_whole": 1, **({"ike_head": 1, "maybe_tail": 2} if head == "kept_head" else stranger)}


def late_head(head):
    """Another's first fragment of which the daemon may hold something is its to judge, unless the table drops it."""
    return "late_head" if head == "kept_head" else head


def mixed_port_cases(family, head, tail):
    """One port of each kind: the server's own decides."""
    for name, ports, payload, ike in (("to its 500", (4500, 500), p.ike(3000), True), ("to its 4500", (500, 4500), esp(3000), False)):
        pair = Pair(family)
        datagram = p.udp(pair.source, pair.destination, *ports, payload)
        yield "a server's ports decide, %s from the other" % name, pair.cut_body(datagram), \
            {"ike_head": 1, "ike_tail": 2, "copied_out": 0} if ike else {"kept_head": 1, "kept_tail": 2}


def known_twice_cases(family, head):
    """One id, first fragments of two kinds: once it is IKE's, all of it goes to the gate."""
    def both(kind, other):
        pair = Pair(family)
        parts = pair.cut(kind, p.ike(3000, marker=kind != "ike"))
        pair.identification -= 1
        return pair, parts, pair.cut(other, b"x" * 3000 if other == "dns" else esp(3000))

    pair, ike, dns = both("ike", "dns")
    yield "DNS's first fragment for an id that is IKE's", [ike[0], dns[0], dns[1], ike[1], ike[2]], \
        {"ike_head": 1, late_head(head): 1, "ike_tail": 3}
    pair, ike, dns = both("ike", "dns")
    yield "DNS's first fragment for an id that is IKE's, four seconds later", [ike[0], 4.0, dns[0], dns[1], ike[1], ike[2]], \
        {"ike_head": 1, late_head(head): 1, "ike_tail": 3}
    pair, ike, data = both("nat-t", "nat-t")
    yield "ESP in UDP's first fragment for an id that is IKE's", [ike[0], data[0], data[1], ike[1], ike[2]], \
        {"ike_head": 1, "copied_esp": 1, "late_head": 1, "ike_tail": 3}
    if family == 6:
        pair = Pair(family)
        proto = "late_head" if head == "kept_head" else "dropped_proto"
        parts = pair.cut_body(bytes([6, 0, 1, 4, 0, 0, 0, 0]) + b"x" * 3000, protocol=60)
        yield "TCP behind options, middle first, within a handshake", [pair.opening(), parts[1], parts[0]], \
            {"copied_whole": 1, "maybe_tail": 1, proto: 1}
        pair, ike, dns = both("ike", "dns")
        yield "TCP's first fragment for an id that is IKE's", \
            [ike[0], p.piece(pair.source, pair.destination, b"x" * 1200, pair.identification, 0, True, 6), *ike[1:]], \
            {"ike_head": 1, proto: 1, "ike_tail": 2}
        pair, ike, dns = both("ike", "dns")
        lies = [p.piece(pair.source, pair.destination, b"x" * 1200, pair.identification, 1200, True, said) for said in (6, 50, 58)]
        yield "a tail of IKE's that calls itself TCP, ESP, ICMPv6", [ike[0]] + lies, {"ike_head": 1, "ike_tail": 3}
    pair, ike, dns = both("ike", "dns")
    yield "IKE's first fragment for an id that is DNS's", [pair.opening(), dns[0]] + ike, \
        {"copied_whole": 1, head: 1, "ike_head": 1, "ike_tail": 2}


def esp_cases(family):
    pair = Pair(family)
    packet = pair.whole("nat-t", esp())
    yield "ESP in UDP within a handshake: one a minute", [pair.opening(), packet, packet, packet], {"copied_whole": 1, "copied_esp": 1}
    pair = Pair(family)
    plain = pair.packet(esp(), 50)
    yield "ESP, nothing before", [plain], {}
    yield "ESP within a handshake: one a minute", [pair.opening(), plain, plain], {"copied_whole": 1, "copied_esp": 1}
    yield "both ways, ESP in UDP and plain, are one pair's", [pair.whole("nat-t", esp())], {}
    pair = Pair(family)
    yield "ESP in UDP, fragments, nothing before", pair.cut("nat-t", esp(3000)), {"kept_head": 1, "kept_tail": 2}
    pair = Pair(family)
    yield "ESP in UDP, fragments, within a handshake", [pair.opening()] + pair.cut("nat-t", esp(3000)), \
        {"copied_whole": 1, "copied_esp": 1, "kept_head": 1, "kept_tail": 2}
    pair = Pair(family)
    parts = pair.cut("nat-t", esp(3000))
    yield "ESP in UDP, middle first, within a handshake", [pair.opening(), parts[1], parts[0], parts[2]], \
        {"copied_whole": 1, "copied_esp": 1, "maybe_tail": 1, "late_head": 1, "kept_tail": 1}


def tcp_cases(family):
    def segment(pair, flags, port=4500):
        return pair.packet(struct.pack("!HHIIBBHHH", 40000, port, 1, 0 if flags == 2 else 9, 0x50, flags, 100, 0, 0), 6)
    pair = Pair(family)
    yield "TCP SYN to a server's 4500", [segment(pair, 2)], {"copied_tcp": 1}
    yield "TCP, other segments", [segment(pair, 16), segment(pair, 18), segment(pair, 4)], {}
    yield "TCP SYN to another port", [segment(pair, 2, 443)], {}
    yield "TCP on 4500 within a handshake is no ESP", [pair.opening(), segment(pair, 16)], {"copied_whole": 1}
    yield "TCP SYN to a stranger's 4500", [segment(Pair(family, server=False), 2)], {}


def icmp_cases(family):
    v6 = family == 6
    pair = Pair(family)
    too_big, unreachable, time_out = ((2, 0), (1, 4), (3, 1)) if v6 else ((3, 4), (3, 3), (11, 1))
    copied = {"copied_icmp": 1}
    ports = 48 if v6 else 28    # IP header and ports

    def quote(inner, kind=too_big):
        return [pair.quote(inner, *kind)]
    yield "too big, quotes IKE on 500", quote(pair.whole("ike", p.ike(300))[:ports]), copied
    yield "too big, quotes IKE on 4500", quote(pair.whole("back", p.ike(300, marker=True))), copied
    yield "too big, quotes 4500, ports only", quote(pair.whole("nat-t", esp())[:ports]), copied
    yield "too big, quotes ESP in UDP", quote(pair.whole("nat-t", esp())), {}
    yield "unreachable, quotes DNS", quote(pair.whole("dns", b"x" * 40), unreachable), {}
    yield "unreachable, quotes TCP on 500", quote(pair.packet(struct.pack("!HH", 500, 500) + b"x" * 60, 6), unreachable), {}
    yield "reassembly time-out, quotes a first fragment of IKE", quote(pair.cut("ike", p.ike(3000))[0][:548], time_out), copied
    yield "reassembly time-out, quotes a tail", quote(pair.cut("ike", p.ike(3000))[1][:548], time_out), {}
    echo = struct.pack("!BBH", 128 if v6 else 8, 0, 0) + struct.pack("!HH", 500, 500) * 20
    yield "echo request", [pair.packet(echo, 58 if v6 else 1)], {}


def ipv4_cases(head, tail, proto):
    route = b"\x94\x04\0\0"
    pair = Pair(4)
    yield "IPv4 options, whole", [pair.whole("ike", p.ike(300), options=route)], {"copied_whole": 1}
    yield "IPv4 options, whole on 4500", [pair.whole("nat-t", p.ike(300, marker=True), options=route * 10)], {"copied_whole": 1}
    yield "IPv4 options, ESP in UDP", [Pair(4).whole("nat-t", esp(), options=route)], {}
    pair = Pair(4)
    parts = pair.cut_body(pair.datagram("nat-t", p.ike(3000, marker=True)), options=route * 10)
    yield "IPv4 options, IKE in fragments", parts, {"ike_head": 1, "ike_tail": 2}
    for name, protocol, wanted in (("ICMP", 1, proto), ("TCP", 6, proto), ("ESP", 50, "kept_proto"), ("AH", 51, "kept_proto")):
        pair = Pair(4)
        body = (b"\x08\0\0\0" if protocol == 1 else b"\x77\x77\x77\x77") + b"x" * 3000
        # without a handshake tails are left before their protocol is looked at; what decides is the same
        tails = tail if wanted == "kept_proto" and tail == "kept_tail" else wanted
        tails = "kept_tail" if tail == "kept_tail" else tails
        first = wanted
        yield "IPv4 %s in fragments" % name, pair.cut_body(body, protocol=protocol), {first: 1, tails: 2} if first != tails else {first: 3}
    for port in (500, 4500):    # kernels before mid-2026 read ports out of tails too
        lie = struct.pack("!HHHH", port, port, 1208, 0) + b"\1" * 1192
        pair = Pair(4)
        lies = [p.piece(pair.source, pair.destination, lie, 7 + at, at, True) for at in (8, 1200, 2400)]
        yield "IPv4 tails that look like port %d" % port, lies, {tail: 3}
        yield "IPv4 a tail that looks like port %d, within a handshake" % port, [pair.opening(), lies[1]], {"copied_whole": 1, "maybe_tail": 1}


def ipv6_cases(head, tail, proto):
    def extension(following, words=0):
        return struct.pack("!BBBB", following, words, 1, 4 + 8 * words) + b"\0" * (4 + 8 * words)

    def behind(pair, body, before, first, step=1200, protocol=17):
        """Fragments whose Fragment header stands behind another header."""
        return [p.ipv6(pair.source, pair.destination, before + p.fragment_header(protocol, 77 + Pair.last, at, at + step < len(body)) +
                       body[at:at + step], first) for at in range(0, len(body), step)]

    for name, protocol, wanted, tails in (("ICMPv6", 58, proto, tail), ("ESP", 50, "kept_proto", "kept_tail")):
        pair = Pair(6)
        parts = pair.cut_body(b"\x80\0\0\0" + b"x" * 3000, protocol=protocol)
        yield "IPv6 %s in fragments" % name, parts, {wanted: 1, tails: 2}
        # A tail that has come before its head says only of itself what it is.
        pair = Pair(6)
        parts = pair.cut_body(b"\x80\0\0\0" + b"x" * 3000, protocol=protocol)
        yield "IPv6 %s, last first, nothing before" % name, parts[::-1], {tail: 2, wanted: 1}
        pair = Pair(6)
        parts = pair.cut_body(b"\x80\0\0\0" + b"x" * 3000, protocol=protocol)
        goes_on = tail == "kept_tail" or protocol == 50
        yield "IPv6 %s, middle first, within a handshake" % name, [pair.opening(), parts[1], parts[0], parts[2]], \
            {"copied_whole": 1, **({"maybe_tail": 1, "late_head": 1, "kept_tail": 1} if goes_on else {wanted: 1, "maybe_tail": 2})}
        pair = Pair(6)
        said = p.piece(pair.source, pair.destination, b"x" * 1200, 7, 1200, False, protocol)
        yield "IPv6 a tail that calls itself %s, before IKE's first fragment" % name, \
            [pair.opening(), said] + p.fragments(pair.source, pair.destination, pair.datagram("ike", p.ike(2392)), 7, 1200), \
            {"copied_whole": 1, "maybe_tail": 1, "ike_head": 1, "ike_tail": 1}
    pair = Pair(6)
    for name, body, protocol, wanted in (("IKE", pair.datagram("ike", p.ike(300)), 17, {"copied_whole": 1}),
                                         ("DNS", pair.datagram("dns", b"x"), 17, {}), ("TCP", os.urandom(40), 6, {})):
        yield "IPv6 atomic fragment, %s" % name, [p.piece(pair.source, pair.destination, body, 7, 0, False, protocol)], wanted
    other = Pair(6)
    yield "IPv6 atomic fragment, ESP in UDP", \
        [p.piece(other.source, other.destination, other.datagram("nat-t", esp()), 7, 0, False)], {}
    yield "IPv6 hop-by-hop, whole", [pair.packet(extension(17) + pair.datagram("ike", p.ike(300)), 0)], {"copied_whole": 1}
    yield "IPv6 destination options, whole on 4500", \
        [pair.packet(extension(17, 1) + pair.datagram("nat-t", p.ike(300, marker=True)), 60)], {"copied_whole": 1}
    pair = Pair(6)
    yield "IPv6 hop-by-hop before the Fragment header, IKE", behind(pair, pair.datagram("ike", p.ike(3000)), extension(44), 0), \
        {"ike_head": 1, "ike_tail": 2}
    pair = Pair(6)
    yield "IPv6 hop-by-hop before the Fragment header, ESP in UDP", behind(pair, pair.datagram("nat-t", esp(3000)), extension(44), 0), \
        {"kept_head": 1, "kept_tail": 2}
    pair = Pair(6)
    body = extension(17) + pair.datagram("ike", p.ike(3000))
    yield "IPv6 destination options behind the Fragment header, IKE", pair.cut_body(body, protocol=60), {"ike_head": 1, "ike_tail": 2}
    pair = Pair(6)
    body = extension(17, 3) + pair.datagram("ike", p.ike(3000))
    cut = {"ike_head": 1, "ike_tail": 1, "copied_out": 0} if tail == "kept_tail" else {head: 1, tail: 1}
    yield "IPv6 header chain cut in the first fragment", pair.cut_body(body, 16, protocol=60)[:2], cut
    pair = Pair(6, server=False)
    body = extension(17, 3) + pair.datagram("ike", p.ike(3000))
    yield "IPv6 header chain cut in the first fragment, to a stranger", pair.cut_body(body, 16, protocol=60)[:2], cut
    for name, words in (("at once", ()), ("behind options", (1,))):
        pair = Pair(6)
        inner = p.fragment_header(17, 88, 0, True) + pair.datagram("dns", b"x" * 1192)
        first = 60 if words else 44
        hidden = p.piece(pair.source, pair.destination, (extension(44, 1) if words else b"") + inner, 89, 0, False, first)
        yield "IPv6 atomic fragment, a real one in it %s" % name, [hidden], \
            {"maybe_tail": 1} if words or tail == "kept_tail" else {"dropped_proto": 1}
    # Where IPv4 has its fragment bits, IPv6 has its next header and hop limit: 0 and 0 here.
    for name, ports, payload, wanted in (("IKE from 4500", (4500, 500), p.ike(3000), {"ike_head": 1, "copied_out": 0}),
                                         ("ESP in UDP", (4500, 4500), esp(3000), {"kept_head": 1})):
        pair = Pair(6)
        first = behind(pair, p.udp(pair.source, pair.destination, *ports, payload), extension(44), 0)[0]
        yield "IPv6 hop limit 0, hop-by-hop, first fragment of %s" % name, [first[:7] + b"\0" + first[8:]], wanted
    for port in (500, 4500):    # kernels before mid-2026 read the flow label there
        pair = Pair(6)
        lie = p.piece(pair.source, pair.destination, struct.pack("!HH", port, port) + b"\1" * 1196, 7, 1200, True)
        lie = lie[:2] + struct.pack("!H", port) + lie[4:]
        yield "IPv6 a tail whose flow label is %d" % port, [lie], {tail: 1}
        yield "IPv6 a tail whose flow label is %d, within a handshake" % port, [pair.opening(), lie], {"copied_whole": 1, "maybe_tail": 1}


def counters():
    listed = subprocess.run(["ip", "netns", "exec", FW, "nft", "-j", "list", "counters", "table", "inet", "ikefragd"],
                            capture_output=True, check=True)
    return {one["counter"]["name"]: one["counter"]["packets"] for one in json.loads(listed.stdout)["nftables"] if "counter" in one}


def completed(wanted, mode):
    """The counters that follow from the others."""
    wanted = dict(wanted)
    out = wanted.get("copied_whole", 0) + wanted.get("ike_head", 0)
    taken = sum(wanted.get(name, 0) for name in MORE)
    wanted = {"copied_out": out, "copied_tail" if mode == "observe" else "queued": taken, **wanted}
    return {name: count for name, count in wanted.items() if count}


def main():
    mode, mac, names = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), sys.argv[3:]
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind(("eth0", 0))
    own = sender.getsockname()[4]
    failed = total = 0
    before = counters()
    for name, sent, wanted in cases(mode):
        if names and not any(part in name for part in names):
            continue
        total += 1
        wanted = completed(wanted, mode)
        for packet in sent:
            if isinstance(packet, float):
                time.sleep(packet)
                continue
            sender.send(mac + own + (b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet)
        time.sleep(0.005)
        after = counters()
        got = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        before = after
        if got != wanted:
            failed += 1
            print("FAIL table, %s, %s — counted %s, wanted %s" % (mode, name, got, wanted))
        elif names:
            print("   %s: %s" % (name, got))
    if failed == 0:
        print("ok table, %s: %d cases" % (mode, total))
    sys.exit(failed != 0)


main()
