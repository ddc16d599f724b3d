# SPDX-License-Identifier: GPL-2.0-or-later
"""A story of one client and one server, told message by message, as packets of a capture.

Everything is derived from names by SHA-256: the same story always gives the same bytes. IKE messages are well-formed where
they are in the clear; what would be encrypted is noise.
"""
import hashlib
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
import packets  # noqa: E402

SA_INIT, AUTH, CREATE_CHILD_SA, INFORMATIONAL, INTERMEDIATE, FOLLOWUP_KE = 34, 35, 36, 37, 43, 44
SA, KE, NONCE, NOTIFY, VENDOR, SK, SKF = 33, 34, 40, 41, 43, 46, 53
COOKIE, FRAGMENTATION, INTERMEDIATE_SUPPORTED = 16390, 16430, 16438
NO_PROPOSAL, INVALID_KE, INVALID_SPI, AUTHENTICATION_FAILED = 14, 17, 4, 24
WINDOWS = bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461") + struct.pack("!I", 9)
V1_FRAGMENTATION = bytes.fromhex("4048b7d56ebce88525e7de7f00d6c2d3")
KEY_BYTES = {14: 256, 19: 64, 31: 32}

EPOCH = 1_795_000_000.0


def noise(name, size):
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(("%s/%d" % (name, counter)).encode()).digest()
        counter += 1
    return out[:size]


def payloads(items):
    """(first payload type, bytes) of a chain of (type, body)."""
    out = b""
    for at, (_, body) in enumerate(items):
        following = items[at + 1][0] if at + 1 < len(items) else 0
        out += struct.pack("!BBH", following, 0, 4 + len(body)) + body
    return (items[0][0] if items else 0), out


def notify(kind, data=b""):
    return NOTIFY, struct.pack("!BBH", 0, 0, kind) + data


def sa_payload(group=19, additional=None):
    """One proposal: AES-CBC-256, HMAC-SHA2-256, SHA2-256-128 and a group; with an additional key exchange: AES-GCM-256 and that
    as ADDKE1 (transform type 6, RFC 9370)."""
    transforms = [(1, 12, struct.pack("!HH", 0x800E, 256)), (2, 5, b""), (3, 12, b""), (4, group, b"")]
    if additional:
        transforms = [(1, 20, struct.pack("!HH", 0x800E, 256)), (2, 5, b""), (4, group, b""), (6, additional, b"")]
    body = b""
    for at, (kind, number, attributes) in enumerate(transforms):
        body += struct.pack("!BBHBBH", 3 if at + 1 < len(transforms) else 0, 0, 8 + len(attributes), kind, 0, number) + attributes
    return SA, struct.pack("!BBHBBBB", 0, 0, 8 + len(body), 1, 1, 0, len(transforms)) + body


def header(initiator, responder, first, version, exchange, flags, message_id, body):
    return initiator + responder + struct.pack("!BBBBII", first, version, exchange, flags, message_id, 28 + len(body)) + body


class Story:
    """Messages are appended to `records` as (seconds, packet); several stories make one capture."""

    next_id = 1

    def __init__(self, name, client="203.0.113.7", server="198.51.100.5", port=500, nat_port=None, mtu=1500, marked=True):
        self.name, self.client, self.server, self.mtu = name, client, server, mtu
        self.port = port
        self.nat_port = nat_port if nat_port is not None else (4500 if port == 500 else port)
        self.marked = marked
        self.now = 0.0
        self.records = []
        self.initiator = noise(name + "/spi-i", 8)
        self.responder = noise(name + "/spi-r", 8)
        self.identification = int.from_bytes(noise(name + "/id", 2), "big") % 60000 + 1

    def at(self, seconds):
        self.now = seconds
        return self

    # --- packets

    def packet(self, packet, delay=0.0):
        self.records.append((self.now + delay, packet))
        return self

    def ends(self, to_server, floated):
        client_port = self.nat_port if floated else self.port
        server_port = 4500 if floated else 500
        if to_server:
            return self.client, self.server, client_port, server_port
        return self.server, self.client, server_port, client_port

    def send(self, message, to_server=True, floated=False, lose=(), order=None, mtu=None, twist=None):
        """One message; larger than the MTU, it is cut into IP fragments, of which `lose` (indexes; -1 is the last) are lost."""
        source, destination, source_port, destination_port = self.ends(to_server, floated)
        body = (b"\0\0\0\0" if floated and self.marked else b"") + message
        datagram = packets.udp(source, destination, source_port, destination_port, body)
        overhead = 40 if ":" in source else 20
        mtu = mtu or self.mtu
        self.identification = self.identification % 65535 + 1
        if overhead + len(datagram) <= mtu:
            whole = packets.ipv6(source, destination, datagram) if ":" in source else \
                packets.ipv4(source, destination, datagram, self.identification)
            if 0 not in lose:
                self.packet(whole)
            return self
        step = (mtu - overhead - (8 if ":" in source else 0)) & ~7
        pieces = packets.fragments(source, destination, datagram, self.identification, step)
        if twist:
            pieces = twist(pieces, source, destination, datagram, self.identification)
        gone = {index % len(pieces) for index in lose}
        for index in order or range(len(pieces)):
            if index not in gone:
                self.packet(pieces[index], 0.0001 * len(self.records) % 0.001)
        return self

    # --- IKE_SA_INIT

    def nat_detection(self, to_server, responder):
        source, destination, source_port, destination_port = self.ends(to_server, False)

        def digest(address, port):
            return hashlib.sha1(self.initiator + responder + packets.packed(address) + struct.pack("!H", port)).digest()

        return [notify(16388, digest(source, source_port)), notify(16389, digest(destination, destination_port))]

    def init(self, offer=True, vendor=WINDOWS, group=19, cookie=None, nat=True, intermediate=False, pad=0,
             additional=None, **way):
        items = [notify(COOKIE, cookie)] if cookie else []
        items += [sa_payload(group, additional), (KE, struct.pack("!HH", group, 0) + noise(self.name + "/ke-i%d" % group, KEY_BYTES[group])),
                  (NONCE, noise(self.name + "/nonce-i", 32))]
        if nat:
            items += self.nat_detection(True, b"\0" * 8)
        if offer:
            items.append(notify(FRAGMENTATION))
        if intermediate:
            items.append(notify(INTERMEDIATE_SUPPORTED))
        if vendor:
            items.append((VENDOR, vendor))
        if pad:
            items.append((VENDOR, noise(self.name + "/pad", pad)))
        first, body = payloads(items)
        return self.send(header(self.initiator, b"\0" * 8, first, 0x20, SA_INIT, 0x08, 0, body), **way)

    def init_answer(self, offer=True, group=19, nat=True, intermediate=False, vendor=None, additional=None, **way):
        items = [sa_payload(group, additional), (KE, struct.pack("!HH", group, 0) + noise(self.name + "/ke-r", KEY_BYTES[group])),
                 (NONCE, noise(self.name + "/nonce-r", 32))]
        if nat:
            items += self.nat_detection(False, self.responder)
        if offer:
            items.append(notify(FRAGMENTATION))
        if intermediate:
            items.append(notify(INTERMEDIATE_SUPPORTED))
        if vendor:
            items.append((VENDOR, vendor))
        first, body = payloads(items)
        return self.send(header(self.initiator, self.responder, first, 0x20, SA_INIT, 0x20, 0, body), False, **way)

    def refuse(self, kind, data=b""):
        """An IKE_SA_INIT answer with one notify and nothing else."""
        first, body = payloads([notify(kind, data)])
        return self.send(header(self.initiator, b"\0" * 8, first, 0x20, SA_INIT, 0x20, 0, body), False)

    def agree(self, client=True, server=True, gap=0.05, **init):
        """IKE_SA_INIT both ways; client and server say whether each offers IKE fragmentation."""
        start = self.now
        self.init(offer=client, **init)
        self.at(start + gap).init_answer(offer=server, intermediate=init.get("intermediate", False),
                                         group=init.get("group", 19), additional=init.get("additional"))
        return self.at(start + 2 * gap)

    # --- what is encrypted

    def encrypted(self, size, exchange=AUTH, message_id=1, to_server=True, floated=True, from_initiator=None, response=None, **way):
        """A message of one SK payload, `size` octets with its header."""
        response = not to_server if response is None else response
        from_initiator = to_server if from_initiator is None else from_initiator
        body = noise("%s/%d/%d/%s/%d" % (self.name, exchange, message_id, to_server, size), size - 32)
        sk = struct.pack("!BBH", 35, 0, 4 + len(body)) + body
        flags = (0x08 if from_initiator else 0) | (0x20 if response else 0)
        return self.send(header(self.initiator, self.responder, SK, 0x20, exchange, flags, message_id, sk),
                         to_server, floated, **way)

    def auth(self, size=1300, **more):
        return self.encrypted(size, **more)

    def answer(self, size=1300, **more):
        return self.encrypted(size, to_server=False, **more)

    def skf(self, total, size=1236, to_server=True, exchange=AUTH, message_id=1, lose=(), order=None, pause=0.0, last=600, **way):
        """A message as `total` IKE fragments of `size` octets each (the last shorter); numbers in `lose` are lost."""
        start = self.now
        for place, number in enumerate(order or range(1, total + 1)):
            if number in lose:
                continue
            length = min(last, size) if number == total and total > 1 else size
            body = struct.pack("!HH", number, total) + noise(
                "%s/skf/%d/%d/%s/%d/%d/%d" % (self.name, exchange, message_id, to_server, number, total, size), length - 36)
            payload = struct.pack("!BBH", 35 if number == 1 else 0, 0, 4 + len(body)) + body
            flags = 0x08 if to_server else 0x20
            self.at(start + place * pause)
            self.send(header(self.initiator, self.responder, SKF, 0x20, exchange, flags, message_id, payload), to_server, True, **way)
        return self.at(start)

    def clear_error(self, kind, exchange=INFORMATIONAL, message_id=0):
        first, body = payloads([notify(kind)])
        return self.send(header(self.initiator, self.responder, first, 0x20, exchange, 0x20, message_id, body), False, True)

    def esp(self, count=3):
        """ESP in UDP, both ways."""
        for number in range(count):
            for to_server in (True, False):
                source, destination, source_port, destination_port = self.ends(to_server, True)
                body = struct.pack("!II", 0xC0DE0001 + to_server, number + 1) + noise(self.name + "/esp%d" % number, 96)
                datagram = packets.udp(source, destination, source_port, destination_port, body)
                self.packet(packets.ipv6(source, destination, datagram) if ":" in source else
                            packets.ipv4(source, destination, datagram, 0), 0.01 * number + (0.005 if not to_server else 0))
        return self

    def well(self, size=1300, answer=1300, gap=0.1):
        """IKE_AUTH both ways and ESP after it."""
        start = self.now
        self.auth(size).at(start + gap).answer(answer).at(start + gap + 0.2).esp()
        return self

    # --- ICMP

    def icmp(self, kind, code, reporter, quoted_to_server=True, mtu=0, floated=True, quote=None):
        """An ICMP error about the latest packet of the client (or server), from `reporter` to its sender."""
        sender = self.client if quoted_to_server else self.server
        quoted = quote
        if quoted is None:
            for _, packet in reversed(self.records):
                if packet[:1] != b"\x60" and packet[9] == 17 and packet[12:16] == packets.packed(sender) \
                        and not (packet[6] & 0x1F or packet[7]):
                    quoted = packet
                    break
        body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quoted[:128]
        body = body[:2] + struct.pack("!H", packets.checksum(body)) + body[4:]
        return self.packet(packets.ipv4(reporter, sender, body, 7, protocol=1))

    def udp_fragments(self, source_port, destination_port, size, lose=(), seed="other"):
        """Another service's datagram in IP fragments, client to server."""
        datagram = packets.udp(self.client, self.server, source_port, destination_port, noise(self.name + seed, size))
        self.identification += 1
        pieces = packets.fragments(self.client, self.server, datagram, self.identification, 1480)
        for index, piece in enumerate(pieces):
            if index not in {number % len(pieces) for number in lose}:
                self.packet(piece)
        return self

    # --- IKEv1 main mode

    def v1(self, items, flags=0, to_server=True, first=True, exchange=2, message_id=0, encrypted=None, floated=False, **way):
        kind, body = payloads(items) if encrypted is None else (5, noise("%s/v1/%s/%d" % (self.name, to_server, message_id), encrypted))
        responder = b"\0" * 8 if first else self.responder
        message = header(self.initiator, responder, kind, 0x10, exchange, flags | (1 if encrypted else 0), message_id, body)
        return self.send(message, to_server, floated, **way)

    def main_mode(self, client_vid=False, server_vid=False, size=2200, answer=2000, fragments=0, flags=0):
        """Main mode up to its last messages and a quick mode after it; `fragments`: by payload 132, each way, with these flags."""
        proposal = (1, struct.pack("!II", 1, 1) + struct.pack("!BBHBBBB", 0, 0, 36, 1, 1, 0, 1) +
                    struct.pack("!BBHBBH", 0, 0, 28, 1, 1, 0) +
                    struct.pack("!HHHHHHHHHH", 0x8001, 7, 0x800E, 256, 0x8002, 4, 0x8003, 3, 0x8004, 14))
        nat_t = (13, bytes.fromhex("4a131c81070358455c5728f20e95452f"))
        start = self.now
        self.v1([proposal, nat_t] + ([(13, V1_FRAGMENTATION)] if client_vid else []))
        self.at(start + 0.03).v1([proposal, nat_t] + ([(13, V1_FRAGMENTATION)] if server_vid else []), to_server=False, first=False)
        key = [(4, noise(self.name + "/v1ke", 256)), (10, noise(self.name + "/v1nonce", 32)),
               (20, noise(self.name + "/natd1", 32)), (20, noise(self.name + "/natd2", 32))]
        self.at(start + 0.06).v1(key, first=False)
        self.at(start + 0.09).v1(key, to_server=False, first=False)
        for to_server, length, when in ((True, size, 0.12), (False, answer, 0.15)):
            self.at(start + when)
            if not fragments:
                self.v1([], to_server=to_server, first=False, encrypted=length)
                continue
            whole = header(self.initiator, self.responder, 5, 0x10, 2, 1, 0, noise("%s/v1/%s" % (self.name, to_server), length))
            step = -(-len(whole) // fragments)
            for number in range(1, fragments + 1):
                part = whole[(number - 1) * step:number * step]
                body = struct.pack("!BBHHBB", 0, 0, 8 + len(part), 1, number, 1 if number == fragments else 0) + part
                self.send(header(self.initiator, self.responder, 132, 0x10, 2, flags, 0, body), to_server)
        self.at(start + 0.2).v1([], first=False, exchange=32, message_id=0x1234, encrypted=300)
        return self.at(start + 0.25).v1([], to_server=False, first=False, exchange=32, message_id=0x1234, encrypted=300)


def write(path, stories):
    records = sorted((record for story in stories for record in story.records), key=lambda record: record[0])
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for seconds, packet in records:
            time = EPOCH + seconds
            whole = int(time)
            file.write(struct.pack("<IIII", whole, int(round((time - whole) * 1e6)) % 1_000_000, len(packet), len(packet)) + packet)
