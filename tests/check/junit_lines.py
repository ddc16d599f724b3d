#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""junit_lines.py REPORT.xml: one result line for each test case of a report by Catch2 or ctest."""
import sys
import xml.etree.ElementTree as ElementTree

for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    name = case.get("name")
    faults = case.findall("failure") + case.findall("error")
    if faults or case.get("status") == "fail":
        # Catch2 tells in the fault itself, ctest in the output.
        told = "".join(fault.text or "" for fault in faults).split() or (case.findtext("system-out") or "").split()
        print(f"FAIL {name} — {' '.join(told)[:400] or 'failed'}")
    elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        print(f"skip {name} — it did not run")
    else:
        print(f"ok {name}")
