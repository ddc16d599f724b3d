#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seeds that are made (those found by the fuzzer are kept as they are), each named by what it shows."""
import json
import pathlib
import struct

here = pathlib.Path(__file__).resolve().parent
captures = here.parent / "captures"


def seed(target, name, data):
    folder = here / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def records(path):
    """IP packets of a pcap file (Ethernet or raw)."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0]
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        frame = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        yield frame[{1: 14, 113: 16, 276: 20}.get(link, 0) :]


def ike_of(packet):
    """The IKE message of a whole UDP packet, or nothing."""
    if packet[0] >> 4 == 4:
        if packet[9] != 17 or struct.unpack(">H", packet[6:8])[0] & 0x3FFF:
            return b""
        udp = packet[(packet[0] & 15) * 4 :]
    else:
        if packet[6] != 17:
            return b""
        udp = packet[40:]
    body = udp[8:]
    if 4500 in struct.unpack(">HH", udp[:4]):
        body = body[4:] if body[:4] == b"\0\0\0\0" else b""
    return body


# What a packet, and an IKE message, of a real handshake look like.
for name, file in {
    "sa-init-and-auth": "v2-skf-ip4", "ipv6-fragments": "v2-ipfrag-ip6", "invalid-ke": "v2-invalidke-ip4",
    "cookie": "v2-cookie-ip4", "ikev1-fragments": "v1-ikefrag-ip4", "rekey": "v2-rekey-ip4",
}.items():
    packets = list(records(captures / f"{file}.pcap"))
    for number, packet in enumerate(packets[:4]):
        seed("ip_packet", f"{name}-packet-{number + 1}", packet)
    messages = [m for m in map(ike_of, packets) if len(m) >= 28]
    for number, message in enumerate(messages[:3]):
        seed("ike_message", f"{name}-message-{number + 1}", message)
        seed("message_facts", f"{name}-message-{number + 1}", message)

# SKF and payload 132 whose numbers make no sense, and an SKF inside a payload 132.
SPIS = bytes.fromhex("00112233445566778899aabbccddeeff")
skf = SPIS + bytes.fromhex("3520230800000001000000260000000a00030002ffff")
for name, data in {
    "skf-number-above-total": skf,
    "skf-too-short-for-its-numbers": SPIS + bytes.fromhex("35202308000000010000002200000006") + b"\0\1",
    "cisco-fragment-number-zero": SPIS + bytes.fromhex("8420230800000001000000240000000800010000"),
    "cisco-fragment-whole-with-skf-inside": SPIS + bytes.fromhex("84202308000000010000004a0000002e00010101") + skf,
}.items():
    seed("message_facts", name, data)
    seed("ike_message", name, data)

# A sequence for the tracker: pause (× 100 µs; from 200 on seconds), what and whose way, ports and whether a stranger's, kind of
# message, SPI, detail (fragmentation offered; notify; or exchange - 35 + 10 × …, message ID × 16).
TO_SERVER, TO_CLIENT, STRANGER, TAIL, ICMP = 4, 0x84, 0x40, 0, 1
REQUEST, RESPONSE, REFUSAL, ASKS, ANSWERS = 0, 1, 2, 0x83, 0x43
AUTH, AUTH_ANSWER, CHILD = 20, 30, 41
OPENING = [(1, TO_SERVER, 0, REQUEST, 0, 1), (10, TO_CLIENT, 0, RESPONSE, 0, 1)]
GOES_ON = [(50, TO_SERVER, 0, ASKS, 0, AUTH), (20, TO_CLIENT, 0, ANSWERS, 0, AUTH_ANSWER), (90, TO_SERVER, 0, ASKS, 0, CHILD)]


def of_stranger(steps, spi=0):
    return [(pause, what, ports | STRANGER, kind, spi, detail & ~1 if kind < 2 else detail)
            for pause, what, ports, kind, _, detail in steps]


for name, steps in {
    "handshake": OPENING + GOES_ON,
    "invalid-ke-then-another-key": [OPENING[0], (10, TO_CLIENT, 0, REFUSAL, 0, 17), (9, TO_SERVER, 0, REQUEST, 0, 0), OPENING[1]] + GOES_ON,
    "stranger-goes-on-with-a-refused-opening": [OPENING[0], (10, TO_CLIENT, 0, REFUSAL, 0, 17)] + of_stranger(OPENING + GOES_ON),
    "stranger-opens-with-the-clients-bytes": [OPENING[0], (200, TO_SERVER, STRANGER, REQUEST, 0, 1), OPENING[1]] + GOES_ON,
    "stranger-opens-before-the-answer": [OPENING[0]] + of_stranger(OPENING[:1]) + [OPENING[1]] + GOES_ON,
    "stranger-with-spis-of-his-own": OPENING + of_stranger(OPENING, 0x80) + GOES_ON + of_stranger(GOES_ON, 0x80),
    "answer-given-to-both": [*OPENING, (200, TO_SERVER, STRANGER, REQUEST, 0, 1), (10, TO_CLIENT, STRANGER, RESPONSE, 0, 1)] + GOES_ON,
    "tail-lost-then-icmp": OPENING + [(90, TAIL, 0, ASKS, 0, AUTH), (20, ICMP, 4, ASKS, 0, AUTH)],
}.items():
    seed("tracker_sequence", name, bytes(byte for step in steps for byte in step))

# A sequence for the gate: family, and 2 if datagram 1 is a long one (its offset and length count 16 times); then what
# (datagram 0..7, id << 3, pause << 5), offset / 8, length.
SEQUENCES = {
    "in-order": [(0, 0, 104), (0, 13, 104)],
    "last-first": [(0, 13, 104), (0, 0, 104)],
    "exact-duplicate": [(0, 0, 104), (0, 0, 104), (0, 13, 104)],
    "teardrop-second-inside-first": [(0, 0, 104), (0, 3, 8)],
    "bonk-last-begins-before-the-end": [(0, 0, 200), (0, 24, 16)],
    "rose-first-and-far-last": [(0, 0, 48), (0, 25, 8), (0, 25, 8)],
    "sturges-novak-like": [(0, 0, 24), (0, 4, 16), (0, 6, 24), (0, 1, 32), (0, 6, 24), (0, 9, 24)],
    "id-reuse-after-completion": [(0, 0, 104), (0, 13, 104), (1, 0, 64), (1, 8, 64)],
    "two-ids-interleaved": [(0, 0, 104), (8, 0, 104), (0, 13, 104), (8, 13, 104)],
    "dns-then-ike-same-id": [(3, 0, 104), (0, 0, 104), (0, 13, 104)],
    "ike-then-dns-same-id": [(0, 0, 104), (3, 0, 104), (0, 13, 104)],
    "timer-not-refreshed": [(0, 0, 104), (0xE0, 13, 8), (0xE0, 14, 8), (0xE0, 15, 8), (0xE0, 16, 8)],
    "offset-one": [(0, 0, 104), (0, 1, 8)],
    "tiny-first": [(0, 0, 16), (0, 2, 200)],
    "udp-length-lies": [(5, 0, 104), (5, 13, 104)],
    "checksum-wrong": [(6, 0, 104), (6, 13, 104)],
    "checksum-zero": [(7, 0, 104), (7, 13, 104)],
    "marker-on-500": [(2, 0, 104), (2, 13, 112)],
}
for name, steps in SEQUENCES.items():
    for family, number in (("ipv4", 0), ("ipv6", 1)):
        seed("packet_sequence", f"{name}-{family}", bytes([number]) + b"".join(bytes(s) for s in steps))
# 6008 octets in three pieces, one of them up to the border of two 2 KiB windows, and pieces that cross it.
LONG = {
    "long-in-order": [(1, 0, 128), (1, 16, 128), (1, 32, 255)],
    "long-copy-across-the-border": [(1, 8, 128), (1, 8, 128), (1, 0, 64), (1, 24, 255)],
    "long-front-of-a-piece-to-the-border": [(1, 0, 64), (1, 8, 128), (1, 8, 64), (1, 24, 255)],
    "long-two-pieces-once-more-as-one": [(1, 8, 64), (1, 16, 64), (1, 8, 128), (1, 0, 64), (1, 24, 255)],
}
for name, steps in LONG.items():
    for family, number in (("ipv4", 2), ("ipv6", 3)):
        seed("packet_sequence", f"{name}-{family}", bytes([number]) + b"".join(bytes(s) for s in steps))

# An ICMP error: family and kind; then type, code and the quote, or how a true quote is made.
for family, number in (("ipv4", 0), ("ipv6", 1)):
    file = "v2-ipfrag-ip4" if number == 0 else "v2-ipfrag-ip6"
    packet = next(records(captures / f"{file}.pcap"))
    kind, code = ((3, 4) if number == 0 else (2, 0))
    seed("icmp_quote", f"{family}-too-big-quotes-all", bytes([number, kind, code]) + packet)
    seed("icmp_quote", f"{family}-eight-octets-of-udp", bytes([number, kind, code]) + packet[: 28 if number == 0 else 48])
    seed("icmp_quote", f"{family}-quotes-the-other-family", bytes([1 - number, 3, 4]) + packet)
    seed("icmp_quote", f"{family}-echo-is-no-error", bytes([number, 8, 0]) + packet)
    for how, name in enumerate(("plain", "marked", "other-port", "marked-other-port", "fragment", "marked-fragment")):
        seed("icmp_quote", f"{family}-true-{name}", bytes([number | 2, how | 8, 1, 0, 0x44, 0x55, 9, 0, 128]))


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind, body, lie=0):
    return struct.pack("=IHHII", 20 + len(body) + lie, kind, 0, 1, 0) + b"\x02\0\0\0" + body


packet = next(records(captures / "v2-ipfrag-ip4.pcap"))
queued = attribute(1, struct.pack(">IHB", 7, 0x0800, 0)) + attribute(5, struct.pack(">I", 3)) + attribute(10, packet)
QUEUE = 3 << 8
for name, data in {
    "one-packet": message(QUEUE, queued),
    "cut-copy": message(QUEUE, queued + attribute(13, struct.pack(">I", 9000))),
    "vlan": message(QUEUE, queued + attribute(19 | 0x8000, attribute(2, struct.pack(">H", 10)))),
    "no-header": message(QUEUE, attribute(10, packet)),
    "length-past-the-end": message(QUEUE, queued, lie=64),
    "length-negative-as-int": message(QUEUE, queued, lie=0x80000000 - 20 - len(queued)),
    "attribute-of-length-zero": message(QUEUE, queued + b"\0\0\0\0"),
    "refusal": struct.pack("=IHHII", 36, 2, 0, 1, 0) + struct.pack("=i", -2) + struct.pack("=IHHII", 16, QUEUE | 1, 0, 7, 0),
}.items():
    seed("netlink_queue", name, b"\0" + data)
seed("netlink_queue", "verdicts-of-all-kinds", b"\1\1\xf4" + b"".join(
    bytes([i, 0, 0, 0, i]) + (b"\x05\xdc" if i % 4 == 2 else b"") for i in range(24)))

LOG = 4 << 8
stamp = struct.pack(">QQ", 1795420800, 123456)
copy = attribute(1, b"\x08\0\0\0") + attribute(3, stamp) + attribute(4, struct.pack(">I", 3)) + attribute(9, packet)
copy += attribute(12, struct.pack(">I", 1))
for name, data in {
    "one-copy": message(LOG, copy),
    "three-copies": message(LOG, copy) * 3 + struct.pack("=IHHII", 16, 3, 0, 0, 0),
    "postrouting": message(LOG, attribute(1, b"\x08\0\4\0") + attribute(5, struct.pack(">I", 4)) + attribute(9, packet)),
    "a-hook-of-nobody": message(LOG, attribute(1, b"\x08\0\1\0") + attribute(9, packet)),
    "a-million-microseconds": message(LOG, attribute(1, b"\x08\0\0\0") + attribute(3, struct.pack(">QQ", 1, 1000000))),
    "second-message-negative-as-int": message(LOG, copy) + message(LOG, copy, lie=0x80000000 - 20 - len(copy)),
}.items():
    seed("netlink_log", name, b"\xff\xff" + data)
    seed("netlink_log", name + "-cut", struct.pack(">H", len(data) // 2) + data)


def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcap(magic, *frames, link=101, order="<"):
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, frame in enumerate(frames):
        data += struct.pack(order + "IIII", 1795420800 + number, 5, len(frame), len(frame)) + frame
    return data


section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
interface = block(1, struct.pack("<HHI", 101, 0, 0))
small = packet[:64]
enhanced = block(6, struct.pack("<IIIII", 0, 0, 5, len(small), 1500) + small)
for name, data in {
    "pcap-two-packets": pcap(0xA1B2C3D4, small, small),
    "pcap-nanoseconds": pcap(0xA1B23C4D, small),
    "pcap-other-byte-order": pcap(0xA1B2C3D4, small, order=">"),
    "pcap-cut-in-a-record": pcap(0xA1B2C3D4, small, small)[:-7],
    "pcap-record-of-4-GiB": pcap(0xA1B2C3D4) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
    "ethernet-vlan-qinq": pcap(0xA1B2C3D4, b"\0" * 12 + b"\x88\xa8\0\x0a\x81\0\0\x14\x08\0" + small, link=1),
    "cooked": pcap(0xA1B2C3D4, b"\0\0\0\1\0\6" + b"\0" * 8 + b"\x08\0" + small, link=113),
    "pcapng-two-packets": section + interface + enhanced * 2,
    "pcapng-second-section": (section + interface + enhanced) * 2,
    "pcapng-packet-of-no-interface": section + enhanced,
    "pcapng-simple-packet": section + interface + block(3, struct.pack("<I", len(small)) + small),
    "pcapng-length-zero": section + interface + struct.pack("<II", 6, 0),
    "pcapng-time-in-powers-of-two": section + block(
        1, struct.pack("<HHI", 101, 0, 0) + struct.pack("<HHBxxx", 9, 1, 0x8A) + b"\0\0\0\0") + enhanced,
    "gzip": b"\x1f\x8b\x08\0" + b"\0" * 16,
    "empty": b"",
}.items():
    seed("capture_reader", name, data)

shipped = (here.parent.parent / "daemon" / "ikefragd.toml").read_text()
rules = (here.parent.parent / "rules" / "00-default.toml").read_text()
server = 'mode = "guard"\n[[server]]\nname = "vpn1"\naddresses = ["203.0.113.5", "2001:db8::5"]\n'
one = '[[rule]]\nname = "one"\nmatch = { class = "ike", server = ["vpn1"], peer = ["100.64.0.0/10"], family = "ipv4" }\n'
for name, text in {
    "shipped": shipped + "%%\n" + rules,
    "server-and-rule": server + "%%\n" + one + 'action = "pass"\nlimits = { max_fragments = 64, hold_seconds = 5 }\n',
    "unknown-key": 'moed = "guard"\n',
    "rule-that-never-matches": server + "%%\n" + one + 'action = "pass"\n' + one.replace('"one"', '"two"') + 'action = "drop"\n',
    "deep-nesting": "a" + ".a" * 70 + " = 1\n",
    "not-toml": "[=]\n",
    "name-twice": server + server[16:],
    "all-of-match": server + '%%\n[[rule]]\nname = "x"\nmatch = { direction = "to_server", protocol = 17, interface = ["wan0"], '
                    'transition = ["teredo"] }\naction = "leave"\ndry_run = true\n',
    "terminal-codes": 'mode = "\\u001b[2J"\n# \x1b[2J\n',
    "mark-and-queue": 'mark = { value = 0x10, mask = 0xf0 }\n[queue]\nfirst = 7\ncount = 4\nmax_length = 2048\n',
    "every-section": server + '[ports]\nplain = [500]\nmarked = [4500]\n[copy]\ngroup = 9\n[metrics]\nlisten = ["[::1]:9786"]\n'
                     '[transition]\niphttps = ["2001:db8:1::/48"]\n[privacy]\nmask = true\n[peers]\nkeep_days = 3\n'
                     '[events]\nfile = "/var/log/x"\nformat = "text"\n[control]\nsocket = "/run/x"\n[state]\ndirectory = "/x"\n',
}.items():
    seed("rules_config", name, text)

for name, value in {
    "peers": {"command": "peers", "limit": 3, "role": "client"},
    "explain": {"command": "explain", "target": "198.51.100.7", "form": "text"},
    "limit-of-nothing": {"command": "peers", "limit": 0},
    "limit-is-text": {"command": "peers", "limit": "many"},
    "address-of-nobody": {"command": "peers", "address": "no address", "target": "x"},
    "unknown-argument": {"command": "status", "\x1b[2J": 1},
    "no-command": {"limit": 3},
    "all-arguments": {"command": "handshakes", "address": "::1", "outcome": "failed", "open": True, "limit": 9,
                      "since_seconds": 60, "target": "::1"},
}.items():
    seed("control_request", name, json.dumps(value))
seed("control_request", "nested-too-deep", "[" * 40)
seed("control_request", "no-object", "[1]")
seed("control_request", "command-twice", '{"command":"a","command":"b"}')
seed("control_request", "lone-surrogate", '{"command":"\\ud800"}')
seed("control_request", "not-utf-8", b'{"command":"\xff"}')
