#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds `ikefragctl replay --json --packets` against its contract, on every capture of a folder.

usage: replay_contract.py IKEFRAGCTL FOLDER...

For each capture: every key is there with its type, the sums add up, and what tshark counted (truth.jsonl of the folder)
is what we counted. One line a capture: `ok NAME` or `FAIL NAME — why`.
"""
import json
import pathlib
import re
import subprocess
import sys

TIME = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$')
SPI = re.compile(r'^[0-9a-f]{16}$')
REASONS = ('overlap inconsistent_last bad_length tiny_first tiny_nonlast too_many too_big timeout source_limit table_full '
           'evicted duplicate checksum udp_length header_chain ip_options ike_malformed unreadable poisoned policy').split()
WORDS = {
    'verdict': {'accept', 'drop', 'replace', 'merge'},
    'class': {'ike', 'esp_in_udp', 'keepalive', 'esp', 'other', None},
    'reason': set(REASONS) | {None},
    'outcome': {'established', 'failed', 'unknown'},
    'basis': {'esp', 'later_exchange', 'unanswered', 'refused', 'answered', 'half_view', 'mid_stream', 'redirected'},
    'fragmentation': {'ike', 'v1', 'cisco', 'none', 'unknown'},
    'transport': {'whole', 'ip', 'skf', 'v1', 'cisco', None},
    'transition': {'native', '6to4', 'teredo', 'isatap', 'nat64', 'v4mapped', 'ula', 'linklocal', 'iphttps'},
    'kind': {'failure', 'advice', 'fact'},
    'severity': {'critical', 'warning', 'info'},
    'confidence': {'low', 'medium', 'high'},
    'actor': {'client', 'client_network', 'server', 'server_network', 'this_firewall', 'unknown'},
}
BASIS_OF = {'established': {'esp', 'later_exchange'}, 'failed': {'unanswered', 'refused'},
            'unknown': {'answered', 'half_view', 'mid_stream', 'redirected'}}
V2_NAMES = {'IKE_SA_INIT', 'IKE_AUTH', 'CREATE_CHILD_SA', 'INFORMATIONAL', 'IKE_SESSION_RESUME', 'GSA_AUTH', 'GSA_REGISTRATION',
            'GSA_REKEY', 'IKE_INTERMEDIATE', 'IKE_FOLLOWUP_KE'}
V1_NAMES = {'BASE', 'MAIN_MODE', 'AUTH_ONLY', 'AGGRESSIVE', 'INFORMATIONAL_V1', 'TRANSACTION', 'QUICK_MODE', 'NEW_GROUP'}



class Broken(Exception):
    pass


def need(condition, words):
    if not condition:
        raise Broken(words)


def count(value, where):
    need(isinstance(value, int) and not isinstance(value, bool) and value >= 0, f'{where} is no count: {value!r}')
    return value


def keys(value, wanted, where):
    need(isinstance(value, dict), f'{where} is no object')
    missing = [key for key in wanted.split() if key not in value]
    need(not missing, f'{where} lacks {", ".join(missing)}')


def check_shape(r):
    keys(r, 'format mode capture verdicts packets datagrams messages handshakes peers diagnoses', 'the object')
    need(r['format'] == 1 and r['mode'] == 'exclusive', 'format or mode')
    c = r['capture']
    keys(c, 'packets bytes first_time last_time unreadable truncated', 'capture')
    for key in 'packets bytes unreadable'.split():
        count(c[key], key)
    for key in 'first_time last_time'.split():
        need(c[key] is None if c['packets'] == 0 else bool(TIME.match(c[key])), f'{key}: {c[key]}')
    v = r['verdicts']
    keys(v, 'accept drop replace merge drop_reasons', 'verdicts')
    need(set(REASONS) <= set(v['drop_reasons']), 'drop_reasons lacks ' + ', '.join(set(REASONS) - set(v['drop_reasons'])))
    d = r['datagrams']
    keys(d, 'fragments fragmented complete incomplete refused left', 'datagrams')
    m = r['messages']
    keys(m, 'total malformed by_exchange by_transport skf notify_16430', 'messages')
    keys(m['by_transport'], 'whole ip skf v1 cisco', 'by_transport')
    keys(m['skf'], 'fragments sets complete', 'skf')
    keys(m['notify_16430'], 'requests responses', 'notify_16430')
    for name, roles in m['by_exchange'].items():
        need(name in V1_NAMES | V2_NAMES or re.match(r'^EXCHANGE_\d+$', name), f'exchange {name}')
        need(set(roles) <= {'requests', 'responses'}, f'roles of {name}')
        need(name not in V1_NAMES or not roles.get('responses'), f'{name} has responses')


def check_sums(r):
    v, d, m = r['verdicts'], r['datagrams'], r['messages']
    need(v['accept'] + v['drop'] + v['replace'] + v['merge'] == r['capture']['packets'], 'verdicts do not add up to packets')
    need(sum(v['drop_reasons'].values()) == v['drop'], 'drop_reasons do not add up to drop')
    need(d['complete'] + d['incomplete'] + d['refused'] + d['left'] == d['fragmented'], 'datagrams do not add up')
    need(sum(m['by_transport'].values()) == m['total'], 'by_transport does not add up to total')
    exchanges = sum(sum(roles.values()) for roles in m['by_exchange'].values())
    need(exchanges <= m['total'] <= exchanges + m['malformed'], 'by_exchange does not add up to total')
    need(m['skf']['fragments'] == m['by_transport']['skf'], 'SKF fragments')
    need(m['skf']['complete'] <= m['skf']['sets'], 'SKF sets')


def check_packets(r):
    v, packets = r['verdicts'], r['packets']
    need([p['number'] for p in packets] == list(range(1, r['capture']['packets'] + 1)), 'packets are not numbered from 1')
    for p in packets:
        keys(p, 'number verdict reason rule class fragment', f'packet {p["number"]}')
        for key in 'verdict reason class'.split():
            need(p[key] in WORDS[key], f'packet {p["number"]}: {key} {p[key]!r}')
        need(isinstance(p['fragment'], bool), f'packet {p["number"]}: fragment')
        need(p['verdict'] != 'drop' or p['reason'], f'packet {p["number"]} dropped without a reason')
        need(p['fragment'] or p['verdict'] == 'accept', f'packet {p["number"]} is whole and was not accepted')
    for verdict in WORDS['verdict']:
        need(sum(p['verdict'] == verdict for p in packets) == v[verdict], f'packets with {verdict}')
    need(sum(p['fragment'] for p in packets) == r['datagrams']['fragments'], 'packets that are fragments')


def check_handshakes(r):
    times = [h['first_time'] for h in r['handshakes']]
    need(times == sorted(times), 'handshakes are not in order of time')
    names = [(h['initiator_spi'], h['version']) for h in r['handshakes']]
    need(len(names) == len(set(names)), 'an initiator SPI has two handshakes')
    for h in r['handshakes']:
        name = f'handshake {h.get("initiator_spi")}'
        keys(h, 'initiator_spi responder_spi version client server first_time last_time outcome basis retransmits '
                'client_fragmentation server_fragmentation auth_transport', name)
        need(SPI.match(h['initiator_spi']) and (h['responder_spi'] is None or SPI.match(h['responder_spi'])), name + ': SPIs')
        need(h['version'] in (1, 2) and TIME.match(h['first_time']) and TIME.match(h['last_time']), name)
        need(h['first_time'] <= h['last_time'], name + ': times')
        need(h['outcome'] in WORDS['outcome'] and h['basis'] in BASIS_OF[h['outcome']], f'{name}: {h["outcome"]} by {h["basis"]}')
        count(h['retransmits'], name)
        for side in 'client_fragmentation server_fragmentation'.split():
            need(h[side] in WORDS['fragmentation'], f'{name}: {h[side]}')
        keys(h['auth_transport'], 'request response', name)
        need(set(h['auth_transport'].values()) <= WORDS['transport'], name + ': auth_transport')


def check_findings(r):
    for p in r['peers']:
        keys(p, 'address role fragmentation vendor transition intermediate intermediate_changed', 'a peer')
        need(p['role'] in ('client', 'server') and p['fragmentation'] in WORDS['fragmentation'] and
             p['transition'] in WORDS['transition'] and p['intermediate'] in (True, False, None), f'peer {p}')
    for d in r['diagnoses']:
        keys(d, 'id slug kind severity confidence actor client server initiator_spi sentence remedy evidence', 'a diagnosis')
        for key in 'kind severity confidence actor'.split():
            need(d[key] in WORDS[key], f'{d["id"]}: {key} {d[key]!r}')
        need(re.match(r'^D\d\d$', d['id']) and d['sentence'] and isinstance(d['evidence'], list), f'diagnosis {d["id"]}')
    healthy = {h['initiator_spi'] for h in r['handshakes'] if h['outcome'] == 'established'}
    blamed = [d['id'] for d in r['diagnoses'] if d['kind'] == 'failure' and d['initiator_spi'] in healthy]
    need(not blamed, f'an established handshake has failures: {", ".join(blamed)}')


def tshark_name(text):
    """('IKE_AUTH', 'requests') for tshark's 'v2 IKE_AUTH req' and 'v1 MAIN_MODE'."""
    words = text.split()
    if words[0] == 'v1':
        name = {'INFORMATIONAL': 'INFORMATIONAL_V1', 'TRANSACTION': 'TRANSACTION'}.get(words[1], words[1])
        return name, 'requests'
    return words[1], {'req': 'requests', 'resp': 'responses'}[words[2]]


def check_truth(r, t):
    d, m, ike = r['datagrams'], r['messages'], t['ike']
    need(r['capture']['packets'] == t['packets'], f'{r["capture"]["packets"]} packets, tshark has {t["packets"]}')
    fragments = t['ipv4_fragments'].get('total', 0) + t['ipv6_fragments'].get('total', 0)
    need(d['fragments'] == fragments, f'{d["fragments"]} fragments, tshark has {fragments}')
    total = t['fragmented_datagrams']
    if not total['overlap'] and not total['error'] and not total['too_long']:
        need(d['fragmented'] == total['total'], f'{d["fragmented"]} fragmented datagrams, tshark has {total["total"]}')
    if t['malformed']['isakmp_frames']:
        return                                  # tshark gives up on a message where we still count its header
    wanted = {}
    for text, number in ike['by_exchange'].items():
        name, role = tshark_name(text)
        wanted[name, role] = wanted.get((name, role), 0) + number
    got = {(name, role): n for name, roles in m['by_exchange'].items() for role, n in roles.items() if n}
    need(got == wanted, f'messages {got}, tshark has {wanted}')
    need(m['skf']['fragments'] == ike['skf']['messages'], 'SKF fragments differ from tshark')
    need(m['skf']['sets'] == len(ike['skf']['sets']), f'{m["skf"]["sets"]} SKF sets, tshark has {len(ike["skf"]["sets"])}')
    need(m['skf']['complete'] == sum(s['complete'] for s in ike['skf']['sets']), 'complete SKF sets differ from tshark')
    notify = ike['notify_16430']
    need(m['notify_16430'] == {'requests': notify['sa_init_request'], 'responses': notify['sa_init_response']}, '16430 differs')
    spis = {(h['initiator_spi'], h['version']) for h in r['handshakes']}
    theirs = {(h['ispi'], h['version']) for h in ike['handshakes']}
    need(spis == theirs, f'handshakes {sorted(spis)}, tshark has {sorted(theirs)}')


def examine(program, path, truth):
    run = subprocess.run([program, 'replay', '--json', '--packets', str(path)], capture_output=True, timeout=120, check=False)
    need(run.returncode == 0, f'exit code {run.returncode}: {run.stderr.decode(errors="replace").strip()}')
    r = json.loads(run.stdout)
    for check in (check_shape, check_sums, check_packets, check_handshakes, check_findings):
        check(r)
    if truth:
        check_truth(r, truth)


def main():
    program, failed = sys.argv[1], 0
    for folder in map(pathlib.Path, sys.argv[2:]):
        truth_file = folder / 'truth.jsonl'
        truth = {t['file']: t for t in map(json.loads, truth_file.read_text().splitlines())} if truth_file.exists() else {}
        for path in sorted([*folder.glob('*.pcap'), *folder.glob('*.cap'), *folder.glob('*.pcapng')]):
            try:
                examine(program, path, truth.get(path.name))
                print(f'ok replay contract: {path.name}')
            except (Broken, ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as why:
                failed += 1
                print(f'FAIL replay contract: {path.name} — {type(why).__name__ if not isinstance(why, Broken) else ""}{why}')
    sys.exit(failed != 0)


main()
