#!/usr/bin/env python3
"""Claims and verdicts as a table in Markdown: table.py RESULTS.json…"""
import json
import sys


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def rows(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    for claim in results["claims"]:
        holds = {True: "yes", False: "**no**", None: "not run"}[claim["holds"]]
        measured = claim["measured"] or claim["not_run"]
        yield [results["experiment"], claim["claim"],
               f"{claim['published']} ({claim['source']})", measured, holds]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("| experiment | claim | published (source) | measured | holds |")
    print("| --- | --- | --- | --- | --- |")
    for path in sys.argv[1:]:
        for row in rows(path):
            print("| " + " | ".join(map(cell, row)) + " |")


if __name__ == "__main__":
    main()
