#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hand-made packets for the lab: builders of headers, and a small tool that sends what they make.

    packets.py fragments [-6] [--port 500] [--size 3000] [--fragment 1480] [--order 0,2,1] [--skip 1] [--count 1] [--pause S]
                         [--source A] [--destination A] [--source-port N] [--id N] [--plain] [--spread S] [--opening]
        Sends datagrams as IP fragments, IKE_AUTH requests unless --plain (--opening: an IKE_SA_INIT
        before, as a real client sends); one line each: size and SHA-1 of the UDP payload.
    packets.py play FILE.pcap DEVICE [--pause S] [--rate N --seconds S]
        Sends the packets of a capture, in its order, at once (or with pauses; a negative pause: at the capture's own pace; with
        a rate: again and again for so long or until SIGTERM, so many a second). Prints how many.
    packets.py heads FILE.pcap NUMBER [SIZE=200]
        Writes a capture with so many first fragments of IKE_AUTH, each from a source of its own: their tails never come.
    packets.py flood FILE.pcap one|one6|many|net48|server|client NUMBER
        Writes a capture of first fragments whose tails never come: from one source (one6: ever other addresses of one IPv6 /64),
        from 10 000, from one IPv6 /48 (each from a /64 of its own), with the server's own address as source and ever other
        clients as destination, or (client) with one server's address as source and one client.
    packets.py openings FILE.pcap NUMBER
        Writes a capture of so many IKE_SA_INITs, each from a client of its own.
    packets.py strays FILE.pcap
        Writes a capture of fragments that `exclusive` lets nobody send: other ports, protocols and addresses, with and without a
        handshake of the same pair before (ids from 40000 on); and one of IKE with a header that hides it (id 41000).
    packets.py hostile FILE.pcap
        Writes a capture with every kind of bad fragment, IPv4 and IPv6 (fixed seed: always the same bytes).

Run in a namespace of the lab; packets leave through a raw socket, headers as built here.
"""
import argparse
import hashlib
import random
import signal
import socket
import struct
import time

CLI4, SRV4, CLI6, SRV6 = "10.99.1.2", "10.99.2.2", "fd99:1::2", "fd99:2::2"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def udp(source, destination, source_port, destination_port, payload, length=None, wrong_checksum=False):
    """A UDP datagram with its true checksum (or a wrong one)."""
    length = 8 + len(payload) if length is None else length
    real = 8 + len(payload)
    header = struct.pack("!HHHH", source_port, destination_port, length, 0)
    ends = packed(source) + packed(destination)
    pseudo = ends + (struct.pack("!IHBB", real, 0, 0, 17) if ":" in source else struct.pack("!BBH", 0, 17, length))
    value = checksum(pseudo + header + payload) or 0xFFFF
    if wrong_checksum:
        value ^= 0x5555
    return header[:6] + struct.pack("!H", value) + payload


def ipv4(source, destination, body, identification=0, offset=0, more=False, protocol=17, options=b"", ttl=64, df=False):
    field = offset // 8 | (0x2000 if more else 0) | (0x4000 if df else 0)
    header = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), identification, field,
                         ttl, protocol, 0) + packed(source) + packed(destination) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def ipv6(source, destination, body, next_header=17):
    return struct.pack("!IHBB", 6 << 28, len(body), next_header, 64) + packed(source) + packed(destination) + body


def fragment_header(next_header, identification, offset=0, more=False):
    return struct.pack("!BBHI", next_header, 0, offset | int(more), identification)


def piece(source, destination, data, identification, offset, more, protocol=17, **options):
    """One fragment, either family."""
    if ":" in source:
        return ipv6(source, destination, fragment_header(protocol, identification, offset, more) + data, 44)
    return ipv4(source, destination, data, identification, offset, more, protocol, **options)


def fragments(source, destination, datagram, identification, step=1480, **options):
    step = min(step, 1448 if ":" in source else step) & ~7
    return [piece(source, destination, datagram[at:at + step], identification, at, at + step < len(datagram), **options)
            for at in range(0, len(datagram), step)]


def ike(size, seed=0, exchange=35, flags=0x08, marker=False, next_payload=46):
    """An IKEv2 message whose only payload is SK (encrypted), `size` octets with its header."""
    maker = random.Random(seed)
    spis = maker.randbytes(8) + (b"\0" * 8 if exchange == 34 else maker.randbytes(8))
    body = struct.pack("!BBH", 0, 0, size - 28) + maker.randbytes(size - 32)
    message = spis + struct.pack("!BBBBII", next_payload, 0x20, exchange, flags, int(exchange != 34), size) + body
    return (b"\0\0\0\0" if marker else b"") + message


def sa_init(seed=0, notify_16430=False):
    """An IKE_SA_INIT request with one SA payload, KE and nonce, enough to be well-formed."""
    maker = random.Random(seed)

    def payload(following, body):
        return struct.pack("!BBH", following, 0, 4 + len(body)) + body
    transforms = b"".join(struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(extra), kind, 0, number) + extra
                          for last, kind, number, extra in ((False, 1, 12, struct.pack("!HH", 0x800E, 128)),
                                                            (False, 2, 5, b""), (False, 3, 12, b""), (True, 4, 31, b"")))
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms
    nonce = payload(41 if notify_16430 else 0, maker.randbytes(32))
    rest = payload(34, proposal) + payload(40, struct.pack("!HH", 31, 0) + maker.randbytes(32)) + nonce
    if notify_16430:
        rest += payload(0, struct.pack("!BBH", 0, 0, 16430))
    return maker.randbytes(8) + b"\0" * 8 + struct.pack("!BBBBII", 33, 0x20, 34, 0x08, 0, 28 + len(rest)) + rest


def hostile():
    """(name, packets) for every kind of bad fragment; each kind from an address of its own, so that limits by source and
    poisoned keys of one do not touch another."""
    maker = random.Random(20261123)
    cases = []
    for family in (4, 6):
        for number, (name, make) in enumerate(hostile_kinds().items()):
            source = "10.99.1.%d" % (20 + number) if family == 4 else "fd99:1:0:%x::2" % (0x20 + number)
            destination = SRV4 if family == 4 else SRV6
            seed = family * 100 + number
            opening = udp(source, destination, 500, 500, sa_init(seed))
            whole = ipv4(source, destination, opening) if family == 4 else ipv6(source, destination, opening)
            made = make(source, destination, seed, maker)
            if made:
                cases.append(("ipv%d %s" % (family, name), [whole] + made))
    return cases


def hostile_kinds():
    def auth(source, destination, seed, size=4000, **more):
        return udp(source, destination, 500, 500, ike(size, seed), **more)

    def cut(source, destination, datagram, seed, **more):
        return fragments(source, destination, datagram, 0x1000 + seed, **more)

    def good(s, d, seed, _):
        return cut(s, d, auth(s, d, seed), seed)

    def disorder(s, d, seed, _):
        return cut(s, d, auth(s, d, seed), seed)[::-1]

    def duplicate(s, d, seed, _):
        parts = cut(s, d, auth(s, d, seed), seed)
        return [parts[0], parts[1], parts[1]] + parts[2:]

    def overlap(s, d, seed, maker):
        data = auth(s, d, seed)
        return [piece(s, d, data[:1400], 0x1000 + seed, 0, True),
                piece(s, d, maker.randbytes(1400), 0x1000 + seed, 1320, True),
                piece(s, d, data[2800:], 0x1000 + seed, 2800, False)]

    def second_end(s, d, seed, maker):
        data = auth(s, d, seed)
        return [piece(s, d, data[:1400], 0x1000 + seed, 0, True), piece(s, d, data[2800:], 0x1000 + seed, 2800, False),
                piece(s, d, maker.randbytes(80), 0x1000 + seed, 4800, False)]

    def odd_length(s, d, seed, _):
        data = auth(s, d, seed)
        return [piece(s, d, data[:1400], 0x1000 + seed, 0, True), piece(s, d, data[1400:2797], 0x1000 + seed, 1400, True)]

    def past_end(s, d, seed, maker):
        data = auth(s, d, seed)
        return [piece(s, d, data[:1400], 0x1000 + seed, 0, True), piece(s, d, maker.randbytes(800), 0x1000 + seed, 65528, False)]

    def tiny_first(s, d, seed, _):
        data = auth(s, d, seed)
        return [piece(s, d, data[:24], 0x1000 + seed, 0, True), piece(s, d, data[24:1400], 0x1000 + seed, 24, True)]

    def many(s, d, seed, _):
        return cut(s, d, auth(s, d, seed, 2000), seed, step=48)

    def big(s, d, seed, _):
        return cut(s, d, auth(s, d, seed, 20000), seed)

    def no_end(s, d, seed, _):
        return cut(s, d, auth(s, d, seed), seed)[:-1]

    def bad_checksum(s, d, seed, _):
        return cut(s, d, auth(s, d, seed, wrong_checksum=True), seed)

    def bad_udp_length(s, d, seed, _):
        return cut(s, d, auth(s, d, seed, length=2000), seed)

    def bad_ike(s, d, seed, _):
        message = bytearray(ike(4000, seed))
        message[24:28] = struct.pack("!I", 9000)
        return cut(s, d, udp(s, d, 500, 500, bytes(message)), seed)

    def two_headers(s, d, seed, _):
        if ":" not in s:
            return []
        data = auth(s, d, seed, 1000)
        return [ipv6(s, d, fragment_header(44, 0x1000 + seed, 0, True) + fragment_header(17, 5, 0, True) + data, 44)]

    def source_route(s, d, seed, _):
        if ":" in s:
            return []
        return cut(s, d, auth(s, d, seed), seed, step=1400, options=bytes([131, 7, 4]) + packed("10.99.9.9") + b"\0")
    return {"good": good, "last first": disorder, "duplicate": duplicate, "overlap": overlap, "second end": second_end,
            "odd length": odd_length, "past the end": past_end, "tiny first": tiny_first, "too many": many, "too big": big,
            "no end": no_end, "bad checksum": bad_checksum, "bad UDP length": bad_udp_length, "bad IKE length": bad_ike,
            "two fragment headers": two_headers, "source route": source_route}


def heads(number, size=200):
    for n in range(number):
        source = "172.%d.%d.%d" % (16 + n // 62500, n // 250 % 250, 1 + n % 250)
        yield fragments(source, SRV4, udp(source, SRV4, 500, 500, ike(3000, n)), 1 + n % 65535, size)[0]


def flood(kind, number):
    """First fragments of 600 octets, every datagram with an id of its own."""
    for n in range(number):
        source, destination = "192.0.2.66", SRV4
        if kind == "one6":
            source, destination = "2001:db8:bad::%x" % (1 + n % 65535), SRV6
        elif kind == "many":
            m = n * 7919 % 10000
            source = "172.%d.%d.%d" % (16 + m // 62500, m // 250 % 250, 1 + m % 250)
        elif kind == "net48":
            source, destination = "2001:db8:bad:%x::1" % (n % 65536), SRV6
        elif kind == "server":
            source, destination = SRV4, "172.%d.%d.%d" % (16 + n // 62500 % 16, n // 250 % 250, 1 + n % 250)
        elif kind == "client":
            source, destination = "10.99.2.3", "10.99.1.3"
        yield fragments(source, destination, udp(source, destination, 500, 500, ike(3000, n)), 1 + n % 65535, 600)[0]


def openings(number):
    for n in range(number):
        client = "172.%d.%d.%d" % (16 + n // 62500, n // 250 % 250, 1 + n % 250)
        yield ipv4(client, SRV4, udp(client, SRV4, 500, 500, sa_init(n)), 1 + n % 65535)


def forged(number):
    """Handshakes of which one sender writes both sides: a client's opening, its server's answer, the client's next request."""
    for n in range(number):
        client = "172.30.%d.%d" % (n // 250, 1 + n % 250)
        opening = sa_init(n, notify_16430=True)
        responder = struct.pack("!Q", n + 1)
        answer = opening[:8] + responder + opening[16:19] + b"\x20" + opening[20:]
        request = opening[:8] + responder + ike(300, n)[16:]
        for source, destination, message in ((client, SRV4, opening), (SRV4, client, answer), (client, SRV4, request)):
            yield ipv4(source, destination, udp(source, destination, 500, 500, message), 1 + n % 65535)


STRANGER4, STRANGER6 = "10.99.2.77", "fd99:2::77"


def strays():
    """What `exclusive` must never let through: all of ids 40000 to 40999, an IPv6 hop-by-hop header of length 0 with id 41000, and
    the first fragments from port 5353 of ids 42000 on, whose tails may look like a server's IKE."""
    identification = 40000
    for source, server, stranger in ((CLI4, SRV4, STRANGER4), (CLI6, SRV6, STRANGER6)):
        v6 = ":" in source

        def opening(destination):
            datagram = udp(source, destination, 500, 500, sa_init(7))
            return ipv6(source, destination, datagram) if v6 else ipv4(source, destination, datagram)
        sets = []
        for opened in (False, True):
            dns = udp(source, server, 5353, 53, random.Random(1).randbytes(3000))
            sets += [(opened, server, dns, 17, 1), (opened, stranger, udp(source, stranger, 500, 500, ike(3000, 5)), 17, 1),
                     (opened, stranger, udp(source, stranger, 4500, 4500, ike(3000, 6, marker=True)), 17, -1)]
            sets += [(opened, server, random.Random(2).randbytes(3000), protocol, 1) for protocol in (6, 47, 132, 58 if v6 else 1)]
        for opened, destination, datagram, protocol, order in sets:
            identification += 1
            if opened:
                yield opening(destination)
            yield from fragments(source, destination, datagram, identification, protocol=protocol)[::order]
        dns = udp(source, server, 5353, 53, random.Random(1).randbytes(3000))
        yield opening(server)
        yield from fragments(source, server, dns, 42000)[::-1]
        yield fragments(source, server, udp(source, server, 500, 500, ike(3000, 9)), 42001)[0]
        yield from fragments(source, server, dns, 42001)
        # Length 0 before a hop-by-hop header: Linux forwards it at its real length.
        if v6:
            data = udp(source, server, 500, 500, ike(3000, 8))
            made = ipv6(source, server, bytes([44, 0, 1, 4, 0, 0, 0, 0]) + fragment_header(17, 41000, 0, True) + data[:1200], 0)
            yield made[:4] + b"\0\0" + made[6:]


def write_pcap(path, packets, start=1_700_000_000.0, gap=0.001):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for number, packet in enumerate(packets):
            when = start + number * gap
            file.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(packet), len(packet)) + packet)


def read_pcap(path):
    """(time, IP packet) of every record; Ethernet, raw IP, Linux cooked v1 and v2."""
    with open(path, "rb") as file:
        data = file.read()
    magic = struct.unpack("<I", data[:4])[0]
    fraction = 1e-9 if magic == 0xA1B23C4D else 1e-6
    link = struct.unpack("<I", data[20:24])[0]
    skip = {1: 14, 12: 0, 101: 0, 113: 16, 276: 20}[link]
    at = 24
    while at + 16 <= len(data):
        seconds, part, captured, _ = struct.unpack("<IIII", data[at:at + 16])
        yield seconds + part * fraction, data[at + 16 + skip:at + 16 + captured]
        at += 16 + captured


def play(path, device, pause, rate=0, seconds=0):
    """Sends through an Ethernet device to its gateway (whose address must be known already)."""
    with open("/sys/class/net/%s/address" % device) as file:
        own = bytes.fromhex(file.read().strip().replace(":", ""))
    import subprocess
    neighbours = subprocess.run(["ip", "neigh", "show", "dev", device], capture_output=True, text=True, check=True).stdout
    gateways = {line.split("lladdr ")[1].split()[0] for line in neighbours.splitlines() if "lladdr" in line}
    if len(gateways) != 1:
        raise SystemExit("play: one neighbour expected on %s, found %s" % (device, gateways or "none"))
    gateway = bytes.fromhex(gateways.pop().replace(":", ""))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    if rate:
        frames = [gateway + own + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet for _, packet in read_pcap(path)]
        begin, sent, over = time.monotonic(), 0, []
        signal.signal(signal.SIGTERM, lambda *_: over.append(True))
        while not over and time.monotonic() < begin + seconds:
            for _ in range(20):
                raw.send(frames[sent % len(frames)])
                sent += 1
            time.sleep(max(0.0, begin + sent / rate - time.monotonic()))
        print(sent)
        return
    before = None
    for when, packet in read_pcap(path):
        if pause < 0 and before is not None:
            time.sleep(max(0.0, when - before))
        elif pause > 0:
            time.sleep(pause)
        before = when
        raw.send(gateway + own + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet)


def send_fragments(a):
    source = a.source or (CLI6 if a.v6 else CLI4)
    destination = a.destination or (SRV6 if a.v6 else SRV4)
    family = socket.AF_INET6 if a.v6 else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    skip = [int(n) for n in a.skip.split(",")] if a.skip else []
    if a.opening:
        opening = udp(source, destination, 500, 500, sa_init(a.id))
        whole = ipv6(source, destination, opening) if a.v6 else ipv4(source, destination, opening)
        raw.sendto(whole, (destination, 0, 0, 0) if a.v6 else (destination, 0))
        time.sleep(0.002)
    for number in range(a.count):
        identification = (a.id or random.randrange(1, 0xFFFF)) + number
        seed = identification
        content = random.Random(seed).randbytes(a.size) if a.plain else ike(a.size, seed, marker=a.port == 4500)
        parts = fragments(source, destination, udp(source, destination, a.source_port or a.port, a.port, content),
                          identification & 0xFFFF, a.fragment)
        for index in [int(n) for n in a.order.split(",")] if a.order else range(len(parts)):
            if index not in skip:
                raw.sendto(parts[index], (destination, 0, 0, 0) if a.v6 else (destination, 0))
                time.sleep(a.spread)
        print(len(content), hashlib.sha1(content).hexdigest(), flush=True)
        time.sleep(a.pause)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("fragments")
    one.add_argument("-6", dest="v6", action="store_true")
    one.add_argument("--plain", action="store_true")
    one.add_argument("--opening", action="store_true")
    for name, kind, default in (("port", int, 500), ("size", int, 3000), ("fragment", int, 1480), ("count", int, 1),
                                ("id", int, 0), ("source-port", int, 0), ("pause", float, 0), ("spread", float, 0),
                                ("order", str, ""), ("skip", str, ""), ("source", str, ""), ("destination", str, "")):
        one.add_argument("--" + name, type=kind, default=default)
    two = commands.add_parser("play")
    two.add_argument("file")
    two.add_argument("device")
    for name in ("pause", "rate", "seconds"):
        two.add_argument("--" + name, type=float, default=0)
    three = commands.add_parser("hostile")
    three.add_argument("file")
    four = commands.add_parser("heads")
    four.add_argument("file")
    four.add_argument("number", type=int)
    four.add_argument("size", type=int, nargs="?", default=200)
    seven = commands.add_parser("openings")
    seven.add_argument("file")
    seven.add_argument("number", type=int)
    eight = commands.add_parser("forged")
    eight.add_argument("file")
    eight.add_argument("number", type=int)
    six = commands.add_parser("strays")
    six.add_argument("file")
    five = commands.add_parser("flood")
    five.add_argument("file")
    five.add_argument("kind", choices=["one", "one6", "many", "net48", "server", "client"])
    five.add_argument("number", type=int)
    a = parser.parse_args()
    if a.command == "fragments":
        send_fragments(a)
    elif a.command == "play":
        play(a.file, a.device, a.pause, a.rate, a.seconds)
    elif a.command == "strays":
        write_pcap(a.file, list(strays()))
    elif a.command == "openings":
        write_pcap(a.file, list(openings(a.number)))
    elif a.command == "forged":
        write_pcap(a.file, list(forged(a.number)))
    elif a.command == "flood":
        write_pcap(a.file, list(flood(a.kind, a.number)))
    elif a.command == "heads":
        write_pcap(a.file, list(heads(a.number, a.size)))
    else:
        write_pcap(a.file, [packet for _, packets in hostile() for packet in packets])


if __name__ == "__main__":
    main()
