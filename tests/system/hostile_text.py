#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same nasty text as vendor ID, notify data and file name goes through every output of ikefragctl that needs no daemon; none
lets it act. An unknown vendor ID is shown in hex digits, so the same bytes get a name that is nasty, too, as somebody's list of
vendor IDs may give it to them. The daemon's own outputs: tests/unit/daemon/hostile_text.cpp."""
import html as markup
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

NASTY = b"\x1b[2J\x07</script><script>alert(1)</script>'; DROP TABLE peer;--\n=cmd|' /C calc'!A0\x00%n%s\xff\xfe"
NAME = b"=cmd</script><script>alert(1)</script>'; DROP TABLE peer; --%n\""  # at most 64, printable
CLIENT, SERVER = '198.51.100.7', '203.0.113.5'
SPI_I, SPI_R = bytes.fromhex('1122334455667788'), bytes.fromhex('99aabbccddeeff00')


def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, payload):
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    udp = struct.pack('!HHHH', 500, 500, 8 + len(payload), 0) + payload
    pseudo = ends + struct.pack('!BBH', 0, 17, len(udp))
    udp = udp[:6] + struct.pack('!H', checksum(pseudo + udp) or 0xffff) + udp[8:]
    head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(udp), 7, 0x4000, 64, 17, 0) + ends
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + udp


def payloads(*parts):
    """(type, body)… as a chain: the first type, and the bytes."""
    out = b''
    for number, (_, body) in enumerate(parts):
        following = parts[number + 1][0] if number + 1 < len(parts) else 0
        out += struct.pack('!BBH', following, 0, 4 + len(body)) + body
    return parts[0][0], out


def ike(exchange, flags, message_id, chain, responder=SPI_R):
    first, body = chain
    return SPI_I + responder + struct.pack('!BBBBII', first, 0x20, exchange, flags, message_id, 28 + len(body)) + body


def hello():
    """The payloads of an IKE_SA_INIT."""
    sa = (33, struct.pack('!BBHBBBB', 0, 0, 40, 1, 1, 0, 4) + b'\0' * 32)
    return payloads(sa, (34, struct.pack('!HH', 31, 0) + b'k' * 32), (40, b'n' * 32), (43, NASTY),
                     (41, struct.pack('!BBH', 0, 0, 40960) + NASTY), (43, bytes.fromhex('1e2b516905991c7d7c96fcbfb587e46100000009')))


def capture():
    encrypted = (46, b'\0' * 200)
    packets = [(0.0, ipv4(CLIENT, SERVER, ike(34, 8, 0, hello(), b'\0' * 8))), (0.1, ipv4(SERVER, CLIENT, ike(34, 0x20, 0, hello())))]
    packets += [(t, ipv4(CLIENT, SERVER, ike(35, 8, 1, (46, payloads(encrypted)[1])))) for t in (0.2, 1.2, 3.2, 7.2)]
    out = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for time, data in packets:
        stamp = 1_795_000_000_000_000 + int(time * 1e6)
        out += struct.pack('<IIII', stamp // 1_000_000, stamp % 1_000_000, len(data), len(data)) + data
    return out


class Gateway(threading.Thread):
    """Answers every message on a port of 127.0.0.1 as an IKE_SA_INIT behind the non-ESP marker, with the nasty vendor ID."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        first, body = hello()
        while True:
            request, client = self.socket.recvfrom(65535)
            head = request[:12] + SPI_R + struct.pack('!BBBBII', first, 0x20, 34, 0x20, 0, 28 + len(body))
            self.socket.sendto(head + body, client)


def is_calm(text):
    return all(byte in b'\n\t' or 0x20 <= byte < 0x7f for byte in text)


def main():
    build = os.environ.get('IKEFRAG_BUILD', 'build/release')
    program = pathlib.Path(build).resolve() / 'ikefragctl'
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ikefrag-hostile.'))
    failed = 0

    def run(*arguments):
        return subprocess.run([str(program), *arguments], capture_output=True, timeout=60, check=False, cwd=folder)

    def check(name, passed, why=''):
        nonlocal failed
        failed += not passed
        print(f'ok hostile text: {name}' if passed else f'FAIL hostile text: {name} — {why}')

    try:
        # A file may be named so as well; a slash and NUL cannot be part of a name.
        name = b'evil \x1b[2J<script>=cmd%n.pcap'
        (folder / os.fsdecode(name)).write_bytes(capture())
        shutil.copy(folder / os.fsdecode(name), folder / 'plain.pcap')
        for words in (['replay'], ['replay', '--packets'], ['rules', 'test']):
            got = run(*words, os.fsdecode(name))
            check(' '.join(words) + ' for people', got.returncode in (0, 1) and got.stdout and is_calm(got.stdout + got.stderr),
                  f'{got.returncode} {(got.stdout + got.stderr)[:300]!r}')
        got = run('replay', '--json', os.fsdecode(name))
        found = json.loads(got.stdout.decode('utf-8'))
        check('replay --json is JSON and UTF-8', bool(found['handshakes']))
        check('replay --json has no bare control byte', is_calm(got.stdout), repr(got.stdout[:200]))
        got = run('explain', CLIENT, '--capture', 'plain.pcap', '--no-color')
        check('explain for people', got.returncode == 0 and is_calm(got.stdout), f'{got.returncode} {got.stdout[:300]!r} {got.stderr[:200]!r}')
        got = run('explain', CLIENT, '--capture', 'plain.pcap', '--json')
        check('explain --json', bool(json.loads(got.stdout.decode('utf-8'))) and is_calm(got.stdout), repr(got.stderr[:200]))
        got = run('report', '--capture', os.fsdecode(name), '-o', 'report.html')
        html = (folder / 'report.html').read_bytes() if (folder / 'report.html').exists() else b''
        check('report is written', got.returncode == 0 and len(html) > 1000, f'{got.returncode} {got.stderr[:300]!r}')
        check('report holds no foreign markup', b'<script' not in html.lower() and b'\x1b' not in html and b'\0' not in html)
        check('report forbids everything', b"default-src 'none'" in html)
        # Bytes that somebody's list of vendor IDs has a name for.
        (folder / 'ikefragd.toml').write_text('mode = "observe"\n')
        ids = folder / 'vendor-ids.txt'
        ids.write_bytes(NAME + b'\t' + NASTY[:16].hex().encode() + b'\t-cmd\n')
        named = ['--config', 'ikefragd.toml']
        got = run('explain', CLIENT, '--capture', 'plain.pcap', *named, '--json')
        check('a named vendor ID is in explain --json', NAME.decode() in json.dumps(json.loads(got.stdout)).replace('\\"', '"'), repr(got.stdout[:300]))
        got = run('report', '--capture', 'plain.pcap', *named, '-o', 'named.html')
        page = (folder / 'named.html').read_bytes() if got.returncode == 0 else b''
        check('a named vendor ID is text in the report', markup.escape(NAME.decode()).replace('&#x27;', '&#39;').encode() in page and b'script>' not in page.lower(),
              f'{got.returncode} {got.stderr[:300]!r}')
        ids.write_bytes(b'\x1b[2Jname\t' + NASTY[:16].hex().encode() + b'\n')
        got = run('replay', 'plain.pcap', *named)
        check('a name with control bytes is refused, calmly', got.returncode == 4 and b'vendor-ids.txt:1:' in got.stderr and is_calm(got.stdout + got.stderr),
              f'{got.returncode} {got.stderr[:300]!r}')
        gateway = Gateway()
        gateway.start()
        for words in ([], ['--json']):
            got = run('probe', '127.0.0.1', '--ports', str(gateway.port), '--no-color', *words)
            check(' '.join(['probe', *words]), got.returncode in (0, 1) and NASTY[:16].hex().encode() in got.stdout and is_calm(got.stdout + got.stderr),
                  f'{got.returncode} {(got.stdout + got.stderr)[:300]!r}')
        for words in (['replay', 'no such\x1b[2J'], ['explain', '\x1b[2J', '--capture', 'plain.pcap'], ['\x1b[2J'], ['replay', '--\x1b[2J']):
            got = run(*words)
            check(f'a wrong argument is told calmly: {words!r}', got.returncode in (1, 2) and got.stderr and is_calm(got.stderr),
                  f'{got.returncode} {got.stderr[:200]!r}')
    finally:
        shutil.rmtree(folder)
    sys.exit(failed != 0)


main()
