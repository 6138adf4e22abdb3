#!/usr/bin/env python3
"""The closing line of ./check: summary.py LOG…

A LOG is meson's testlog.json, whose tests are cmocka programs, or a text with lines
`ok NAME` and `[  FAILED  ]`. A program that failed without naming a test (a crash, a
time-out, a leak) counts as one failed."""
import json
import sys


def count(text):
    lines = text.splitlines()
    passed = sum(l.startswith("[       OK ]") or l.startswith("ok ") for l in lines)
    # cmocka names each failed test twice; the second time in its closing list.
    failed = {l for l in lines if l.startswith("[  FAILED  ]") and "test(s)" not in l}
    skipped = {l for l in lines if l.startswith("[  SKIPPED ]") and "test(s)" not in l}
    return passed, len({l.split(" (")[0] for l in failed}), len(skipped)


totals = [0, 0, 0]
for path in sys.argv[1:]:
    if path.endswith(".json"):
        for line in open(path, encoding="utf-8"):
            entry = json.loads(line)
            found = count(entry.get("stdout", "") + "\n" + entry.get("stderr", ""))
            crashed = entry["result"] not in ("OK", "SKIP") and found[1] == 0
            totals = [a + b for a, b in zip(totals, found)]
            totals[1] += crashed
            if crashed:
                print(f"{entry['name']}: {entry['result']}")
    else:
        found = count(open(path, encoding="utf-8").read())
        totals = [a + b for a, b in zip(totals, found)]
print("%d passed, %d failed, %d skipped" % tuple(totals))
sys.exit(totals[1] > 0 or totals[0] == 0)
