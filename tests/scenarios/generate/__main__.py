#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the scenarios' captures and READMEs: python3 tests/scenarios/generate [NAME…]. With --check: says what differs."""
import inspect
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scenarios import SCENARIOS  # noqa: E402
from story import write  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parents[1]


def readme(name, function):
    text = " ".join(inspect.getdoc(function).split())
    kind = ("No finding of kind failure may be given." if name.startswith("healthy")
            else "Looks like %s and must not be called so." % name[:3].upper() if "_not_when_" in name
            else "Must be diagnosed as %s." % name[:3].upper())
    return "# %s\n\n%s\n\n%s\n\nThe capture is made by `tests/scenarios/generate` (function `%s`).\n" % (name, text, kind, name)


def main():
    check = "--check" in sys.argv
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")] or list(SCENARIOS)
    wrong = 0
    for name in wanted:
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        target = folder / ("input.pcap.new" if check else "input.pcap")
        write(target, SCENARIOS[name]())
        if check:
            same = (folder / "input.pcap").exists() and target.read_bytes() == (folder / "input.pcap").read_bytes()
            same = same and (folder / "README.md").read_text() == readme(name, SCENARIOS[name])
            target.unlink()
            if not same:
                print("not as generated: %s" % name)
                wrong += 1
        else:
            (folder / "README.md").write_text(readme(name, SCENARIOS[name]))
    return 1 if wrong else 0


sys.exit(main())
