"""metrics.jsonl as pandas reads it.

    python3 test_pandas.py FALIGN_BINARY DATA_FOLDER

Trains with a few options and compares the table that pandas makes with the lines.
Prints `ok NAME` for each check.
"""

import json
import os
import subprocess
import sys
import tempfile

import pandas as pd

failures = 0


def check(name, passed, why=""):
    global failures
    failures += not passed
    print(f"ok {name}" if passed else f"FAILED {name}: {why}", flush=True)


def train(falign, data, out, *words):
    done = subprocess.run([falign, "train", "--data", data, "--net", "mlp-2x16",
                           "--quiet", "--out", out, *words],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"FAILED {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return os.path.join(out, "metrics.jsonl")


def flat(line):
    """As json_normalize names what is nested."""
    fields = {}
    for name, value in line.items():
        if isinstance(value, dict):
            fields.update({f"{name}.{layer}": v for layer, v in value.items()})
        else:
            fields[name] = value
    return fields


def same(cell, value):
    """A cell that the line does not have, or as null, is none."""
    return pd.isna(cell) if value is None else cell == value


def check_table(name, table, lines):
    columns = set().union(*lines)
    check(f"{name}: columns", set(table.columns) == columns,
          set(table.columns) ^ columns)
    check(f"{name}: rows", len(table) == len(lines) > 0, (len(table), len(lines)))
    wrong = [(row, column, table[column][row], line.get(column))
             for row, line in enumerate(lines) for column in columns
             if not same(table[column][row], line.get(column))]
    check(f"{name}: values", not wrong, wrong[:3])
    texts = [column for column in columns - {"type"}
             if table[column].notna().any()
             and not pd.api.types.is_numeric_dtype(table[column])]
    check(f"{name}: all but the type are numbers", not texts, texts)
    for column in ("step", "epoch"):
        check(f"{name}: {column} is whole", table[column].dtype.kind == "i",
              table[column].dtype)


def check_run(falign, data, out, *words):
    name = " ".join(words)
    path = train(falign, data, out, *words)
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    check(f"{name}: rows of read_json",
          len(pd.read_json(path, lines=True)) == len(lines), lines)
    check_table(name, pd.json_normalize(lines), [flat(line) for line in lines])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, data = (os.path.abspath(path) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for number, words in enumerate((
            ("--epochs", "2", "--log", "5"),
            ("--epochs", "1", "--log", "epoch", "--rule", "fa", "--measure", "epoch"),
            ("--steps", "3", "--log", "1", "--rule", "dfa", "--measure", "2",
             "--validation", "0.1"),
            ("--epochs", "1", "--rule", "shallow", "--measure", "3"),
        )):
            check_run(falign, data, os.path.join(folder, str(number)), *words)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
