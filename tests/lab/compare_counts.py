#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""compare_counts.py METRICS COUNTERS.json REPLAY.json: the counts of a live run against those of its replay.

METRICS is the daemon's /metrics, COUNTERS the named counters of its kernel table, REPLAY what `ikefragctl replay --json` says of
what tcpdump recorded. Prints one line for each count.
"""
import collections
import json
import re
import sys


def samples(text):
    for line in text.splitlines():
        match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
        if match:
            yield match[1], dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")), float(match[3])


def total(metrics, name, **labels):
    return int(sum(value for other, its, value in metrics if other == name and labels.items() <= its.items()))


def by(metrics, name, label, **labels):
    sums = collections.Counter()
    for other, its, value in metrics:
        if other == name and labels.items() <= its.items() and value:
            sums[its[label]] += int(value)
    return dict(sums)


def main():
    metrics = list(samples(open(sys.argv[1], encoding="utf-8").read()))
    kernel = {item["counter"]["name"]: item["counter"]["packets"]
              for item in json.load(open(sys.argv[2], encoding="utf-8"))["nftables"] if "counter" in item}
    replay = json.load(open(sys.argv[3], encoding="utf-8"))

    def equal(name, live, replayed):
        print("ok counts: %s: %s" % (name, live) if live == replayed else
              "FAIL counts: %s — live %s, replay %s" % (name, live, replayed))

    dropped_by_kernel = sum(count for name, count in kernel.items() if name.startswith("dropped_"))
    verdicts = {word: total(metrics, "ikefrag_verdicts_total", verdict=word) for word in ("accept", "drop", "replace", "merge")}
    equal("packets dropped", verdicts["drop"] + dropped_by_kernel, replay["verdicts"]["drop"])
    equal("datagrams rebuilt", verdicts["replace"], replay["verdicts"]["replace"])
    equal("fragments gone into them", verdicts["merge"], replay["verdicts"]["merge"])
    live = by(metrics, "ikefrag_ip_datagrams_total", "outcome")
    equal("datagrams complete", live.get("complete", 0), replay["datagrams"]["complete"])
    equal("datagrams incomplete", live.get("incomplete", 0), replay["datagrams"]["incomplete"])
    for role in ("request", "response"):
        live = by(metrics, "ikefrag_ike_messages_total", "exchange", role=role)
        replayed = {name: count[role + "s"] for name, count in replay["messages"]["by_exchange"].items() if count[role + "s"]}
        equal("messages by exchange, %ss" % role, dict(sorted(live.items())), dict(sorted(replayed.items())))
    live = by(metrics, "ikefrag_fragmented_messages_total", "method")
    replayed = {word: count for word, count in replay["messages"]["by_transport"].items() if word != "whole" and count}
    equal("messages in IP fragments", live.get("ip", 0), replayed.get("ip", 0))
    live = by(metrics, "ikefrag_refusals_total", "reason")
    replayed = {word: count for word, count in replay["verdicts"]["drop_reasons"].items() if count}
    live["policy"] = live.get("policy", 0) + dropped_by_kernel
    for reason in sorted(set(live) | set(replayed)):
        equal("refusals, %s" % reason, live.get(reason, 0), replayed.get(reason, 0))


main()
