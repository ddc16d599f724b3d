#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays every scenario and compares handshakes and diagnoses with its expected.json, which is reviewed text.

    run.py [--build DIR] [--accept] [NAME…]

--accept writes expected.json anew (read the difference before you commit it). Besides the comparison the name is held to:
dNN_… must have that id, dNN_not_when_… must not, healthy_… no failure; so must no capture of tests/captures, except those
whose handshake did fail.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# The captures of tests/captures in which a handshake fails, and what it failed of.
FAILING = {
    "ss-v2-no-answer.i-side": {"D09"}, "ss-v2-stall-ipfrag-dropped.i-side": {"D07"}, "ss-v2-stall-ipfrag-dropped.r-side": {"D04"},
    "v2-cookie-ip4": {"D07"}, "v2-ipfrag-dropped-ip4": {"D07"}, "v2-ipfrag-dropped-ip6": {"D07"},
}


def replay(tool, folder):
    command = [tool, "replay", "--json"]
    for option, file in (("--config", "config.toml"), ("--rules", "rules.toml")):
        if (folder / file).exists():
            command += [option, str(folder / file)]
    done = subprocess.run(command + [str(folder / "input.pcap")], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError("%s: exit code %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()[-2000:]))
    return json.loads(done.stdout)


def shortened(result):
    """What a scenario pins down: of handshakes the outcome, of findings all but the bookkeeping; the remedy (long, and the
    catalogue's) only where it was asked for."""
    handshakes = [{key: handshake[key] for key in ("initiator_spi", "client", "server", "outcome", "basis", "retransmits")}
                  for handshake in result["handshakes"]]
    diagnoses = [{key: finding[key] for key in
                  ("id", "slug", "kind", "severity", "confidence", "actor", "client", "server", "initiator_spi", "sentence",
                   "remedy", "evidence")} for finding in result["diagnoses"]]
    return {"handshakes": handshakes, "diagnoses": diagnoses}


def complaints(name, result):
    ids = [finding["id"] for finding in result["diagnoses"]]
    failures = sorted({finding["id"] for finding in result["diagnoses"] if finding["kind"] == "failure"})
    expected = name[:3].upper()
    if name.startswith("healthy"):
        if failures:
            yield "a healthy handshake has failures: %s" % " ".join(failures)
    elif "_not_when_" in name:
        if expected in ids:
            yield "must not be %s, and is" % expected
    elif expected not in ids:
        yield "must be %s, and is %s" % (expected, " ".join(ids) or "nothing")
    for handshake in result["handshakes"]:
        if handshake["outcome"] == "established":
            for finding in result["diagnoses"]:
                if finding["kind"] == "failure" and finding["initiator_spi"] == handshake["initiator_spi"]:
                    yield "an established handshake has failure %s" % finding["id"]


def run_scenario(tool, folder, accept):
    result = shortened(replay(tool, folder))
    text = json.dumps(result, indent=1, ensure_ascii=True) + "\n"
    wrong = list(complaints(folder.name, result))
    file = folder / "expected.json"
    if accept:
        file.write_text(text)
    elif not file.exists():
        wrong.append("no expected.json (run with --accept and review it)")
    elif file.read_text() != text:
        wrong.append("differs from expected.json:\n" + "".join(difflib.unified_diff(
            file.read_text().splitlines(True), text.splitlines(True), "expected", "got", n=1)))
    return wrong


def run_capture(tool, path):
    done = subprocess.run([tool, "replay", "--json", str(path)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        return ["exit code %d: %s" % (done.returncode, done.stderr.strip()[-500:])]
    found = {finding["id"] for finding in json.loads(done.stdout)["diagnoses"] if finding["kind"] == "failure"}
    expected = FAILING.get(path.stem, set())
    return [] if found == expected else ["failures are %s, not %s" % (sorted(found), sorted(expected))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("IKEFRAG_BUILD", HERE.parents[1] / "build" / "dev"))
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tool = str(pathlib.Path(arguments.build) / "ikefragctl")
    failed = 0
    generated = subprocess.run([sys.executable, str(HERE / "generate"), "--check"], capture_output=True, text=True)
    if generated.returncode != 0 and not arguments.names:
        print("FAIL scenarios are as generated — " + generated.stdout + generated.stderr)
        failed += 1
    folders = sorted(folder for folder in HERE.iterdir() if (folder / "input.pcap").exists())
    seen = set()
    for folder in folders:
        if arguments.names and folder.name not in arguments.names:
            continue
        try:
            wrong = run_scenario(tool, folder, arguments.accept)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            wrong = [str(error)]
        seen.add(folder.name)
        for line in wrong:
            print("FAIL scenario %s — %s" % (folder.name, line))
        if not wrong:
            print("ok scenario %s" % folder.name)
        failed += bool(wrong)
    captures = [] if arguments.names else sorted((HERE.parent / "captures").glob("*.pcap"))
    for path in captures:
        wrong = run_capture(tool, path)
        print("FAIL diagnoses of captures/%s — %s" % (path.name, wrong[0]) if wrong
              else "ok diagnoses of captures/%s" % path.name)
        failed += bool(wrong)
    if not arguments.names:
        for number in range(1, 36):
            for kind in ("d%02d_(?!not_when_)" % number, "d%02d_not_when_" % number):
                if not any(re.match(kind, name) for name in seen):
                    print("FAIL scenarios are complete — none is named %s" % kind)
                    failed += 1
    print("%d scenarios, %d captures, %d failed" % (len(seen), len(captures), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
