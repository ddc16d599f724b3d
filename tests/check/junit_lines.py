#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""junit_lines.py REPORT.xml: one result line for each test case of a ctest report."""
import sys
import xml.etree.ElementTree as ElementTree

for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    name = case.get("name")
    if case.find("failure") is not None or case.get("status") == "fail":
        output = (case.findtext("system-out") or "").strip().splitlines()
        reason = next((line.strip() for line in output if "FAILED" in line or "ERROR:" in line), "failed")
        print(f"FAIL {name} — {reason}")
    elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        print(f"skip {name} — ctest did not run it")
    else:
        print(f"ok {name}")
