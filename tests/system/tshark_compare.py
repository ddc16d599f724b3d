#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second opinion on the parser: every IKE message of every capture, as tshark and as we read it.

tests/system/tshark_compare.py IKE_DUMP [--all] [CAPTURE…]      default: tests/captures, and the folder
of public captures if it is here (IKEFRAG_PUBLIC_CAPTURES, or ../shared/captures/public); --all: the
captures of tests/scenarios besides, a minute more

Compared for each message: both SPIs, version, exchange, flags, message id, Length, the payload
chain, the notify types, the bytes of the vendor IDs, SKF number and total, the transforms of its SA
payload (IKEv1: those attributes we know) and the group of its KE payload (IKEv2). Differences that are justified are listed here by
file with the reason; any other fails the test. Exit codes: 0 equal, 1 different, 77 skipped.
"""
import collections
import glob
import json
import os
import shutil
import subprocess
import sys

# Where we differ, and why.
JUSTIFIED = {
    "the-tcpdump-group__tcpdump__ISAKMP_sa_setup.pcap":
        "payload 15 is NAT-D of an old draft; tshark takes it for a group key and calls it malformed",
    "corelight__zeek-spicy-ipsec__ipsec-ikev1-payload-bad-length.pcap":
        "a payload ends past the message: we stop before it, tshark shows it",
    "healthy_racoon":
        "racoon sets the encryption flag on its fragments: we read them, tshark takes them for encrypted",
}

COMPARED = ("ispi", "rspi", "version", "exchange", "flags", "id", "length", "payloads", "notifies", "vendor_ids", "skf",
            "transforms", "group")
ENCRYPTED_V1 = 1
SK, SKF, FRAGMENT = 46, 53, 132
# IKEv1's attribute classes (RFC 2409 Appendix A) as our transform types; others we do not read.
V1_ATTRIBUTES = {1: 1, 2: 200, 3: 201, 4: 4, 14: 202}
MOST_TRANSFORMS = 32  # distinct ones we keep of a message


def tshark(capture):
    """The ISAKMP layer of every frame that tshark gives one, as parsed fields and raw bytes."""
    run = subprocess.run(
        ["tshark", "-n", "-r", capture, "-Y", "isakmp && !icmp && !icmpv6", "-T", "json", "-x",
         "--no-duplicate-keys", "-J", "isakmp"],
        capture_output=True, text=True, check=True)
    return json.loads(run.stdout or "[]")


def find_all(node, key):
    """Every value of a key, wherever in the tree, in order."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield from value if isinstance(value, list) else [value]
            else:
                yield from find_all(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from find_all(item, key)


def first(layer, key, base=10):
    values = list(find_all(layer, key))
    return int(values[0], base) if values else None


def raw_of(layers):
    raw = layers["isakmp_raw"]
    raw = raw[0] if isinstance(raw[0], list) else raw
    return raw[0]


def payload_chain(layer):
    """Payloads of the message itself; proposals and transforms lie a level deeper."""
    types = layer.get("isakmp.typepayload", [])
    return [int(value) for value in (types if isinstance(types, list) else [types])]


def find_dicts(node, key):
    """Every dictionary that has a key, wherever in the tree, in order."""
    if isinstance(node, dict):
        if key in node:
            yield node
        for value in node.values():
            yield from find_dicts(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from find_dicts(item, key)


def transforms(layer, version):
    """Distinct ones as [type, id, key bits], in order."""
    if version == 1:
        short = (item for item in find_dicts(layer, "isakmp.ike.attr.type")
                 if item["isakmp.ike.attr.format"] == "1")
        found = [[V1_ATTRIBUTES.get(int(item["isakmp.ike.attr.type"]), 0),
                  int(item["isakmp.ike.attr.value"].replace(":", ""), 16), 0] for item in short]
        found = [item for item in found if item[0]]
    else:
        found = []
        for item in find_dicts(layer, "isakmp.tf.type"):
            ids = [item[name] for name in item
                   if name.startswith("isakmp.tf.id") and not name.endswith("_raw")]
            bits = list(find_all(item, "isakmp.ike2.attr.key_length"))
            found.append([int(item["isakmp.tf.type"]), int(ids[0]), int(bits[-1]) if bits else 0])
    return [item for at, item in enumerate(found) if item not in found[:at]][:MOST_TRANSFORMS]


def theirs(layers):
    layer = layers["isakmp"]
    layer = layer[0] if isinstance(layer, list) else layer  # then what was reassembled
    flags = layer.get("isakmp.flags", "0x0")
    version = layer.get("isakmp.version", "0x20")
    return {
        "ispi": layer["isakmp.ispi"].replace(":", ""),
        "rspi": layer["isakmp.rspi"].replace(":", ""),
        "version": int(version, 16) >> 4,
        "exchange": int(layer["isakmp.exchangetype"]),
        "flags": int(flags, 16),
        "id": int(layer["isakmp.messageid"], 16),
        "length": int(layer["isakmp.length"]),
        "payloads": payload_chain(layer),
        "notifies": [int(value) for value in find_all(layer, "isakmp.notify.msgtype")],
        "vendor_ids": [value.replace(":", "") for value in find_all(layer, "isakmp.vid_bytes")],
        "transforms": transforms(layer, int(version, 16) >> 4),
        "group": int((list(find_all(layer, "isakmp.key_exchange.dh_group")) or [0])[-1]),
        "skf": [first(layer, "isakmp.frag.number") or 0, first(layer, "isakmp.frag.total") or 0],
    }


def in_the_clear(message):
    """tshark goes on into what it cannot read; the chain ends where encryption begins."""
    chain = message["payloads"]
    if message["version"] == 1 and message["flags"] & ENCRYPTED_V1:
        return []
    for end, payload in enumerate(chain):
        if payload == FRAGMENT or message["version"] == 2 and payload in (SK, SKF):
            return chain[:end + 1]
    return chain


def compare(capture, dump, seen):
    frames = [frame["_source"]["layers"] for frame in tshark(capture)]
    frames = [layers for layers in frames if "isakmp_raw" in layers]
    if not frames:
        return 0, []
    lines = "".join(raw_of(layers) + "\n" for layers in frames)
    ours = [json.loads(line) for line in
            subprocess.run([dump], input=lines, capture_output=True, text=True,
                           check=True).stdout.splitlines()]
    differences = []
    for number, (layers, mine) in enumerate(zip(frames, ours, strict=True), 1):
        other = theirs(layers)
        if not mine["header"]:
            differences.append((number, "header", None, other))
            continue
        other["payloads"] = in_the_clear(other)
        for key in COMPARED:
            if key == "skf" and SKF not in mine["payloads"]:
                continue
            # We look into the first piece; tshark puts pieces together.
            if key in ("transforms", "group", "vendor_ids") and FRAGMENT in mine["payloads"]:
                continue
            seen[key] += bool(mine[key])
            if mine[key] != other[key]:
                differences.append((number, key, mine[key], other[key]))
    return len(frames), differences


def name_of(capture):
    """The file's name; of a scenario, its folder's."""
    name = os.path.basename(capture)
    return os.path.basename(os.path.dirname(capture)) if name == "input.pcap" else name


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    if shutil.which("tshark") is None:
        print("skipped: tshark is not installed")
        return 77
    dump = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    public = os.environ.get("IKEFRAG_PUBLIC_CAPTURES",
                            os.path.join(here, "..", "..", "..", "shared", "captures", "public"))
    everything = "--all" in sys.argv
    captures_asked = [argument for argument in sys.argv[2:] if argument != "--all"]
    captures = captures_asked or sorted(
        glob.glob(os.path.join(here, "..", "captures", "*.pcap")) +
        glob.glob(os.path.join(public, "*cap")) +
        (glob.glob(os.path.join(here, "..", "scenarios", "*", "input.pcap")) if everything else []))
    failed = messages = 0
    seen = collections.Counter()
    for capture in captures:
        name = name_of(capture)
        count, differences = compare(capture, dump, seen)
        messages += count
        reason = JUSTIFIED.get(name)
        if reason and differences:
            print(f"{name}: {len(differences)} differences, justified: {reason}")
            continue
        for number, key, mine, other in differences:
            failed += 1
            print(f"{name}: message {number}: {key}: we say {mine}, tshark {other}")
    print(f"{messages} messages of {len(captures)} captures compared, {failed} differences; "
          f"{seen['transforms']} with transforms, {seen['group']} with a KE group, {seen['vendor_ids']} with vendor IDs")
    # A comparison of nothing proves nothing.
    missing = [key for key in COMPARED if not seen[key]]
    if not captures_asked and missing:
        print(f"no message had any of: {' '.join(missing)}")
        return 1
    return 1 if failed or not messages else 0


sys.exit(main())
