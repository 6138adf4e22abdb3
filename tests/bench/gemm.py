#!/usr/bin/env python3
"""falign's products beside OpenBLAS's, in turn: gemm.py [FALIGN [ROUNDS]].

FALIGN (default build/falign) runs as `FALIGN bench gemm --m … --n … --k … --json`.
Prints a markdown table: medians over the rounds, the ratio as the median of the
rounds' ratios, and the geometric mean of the ratios."""
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

SHAPES = [(128, 512, 784), (128, 1024, 1024), (512, 512, 512)]
HERE = os.path.dirname(os.path.abspath(__file__))


def build_peer(folder):
    program = os.path.join(folder, "openblas_gemm")
    source = os.path.join(HERE, "peers", "openblas_gemm.c")
    subprocess.run(["cc", "-O2", "-std=gnu11", source, "-o", program, "-lopenblas"],
                   check=True)
    return program


def measure(command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["gflops"]


def compare(falign, peer, shape, rounds):
    ours, theirs = [], []
    m, n, k = (str(size) for size in shape)
    for _ in range(rounds):
        ours.append(measure([falign, "bench", "gemm", "--m", m, "--n", n, "--k", k,
                             "--json"]))
        theirs.append(measure([peer, m, n, k]))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    return statistics.median(ours), statistics.median(theirs), ratio


def main():
    falign = sys.argv[1] if len(sys.argv) > 1 else "build/falign"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        peer = build_peer(folder)
        print("| M × N × K | falign GFLOP/s | OpenBLAS GFLOP/s | ratio |")
        print("| --- | --- | --- | --- |")
        for shape in SHAPES:
            ours, theirs, ratio = compare(falign, peer, shape, rounds)
            ratios.append(ratio)
            print(f"| {' × '.join(map(str, shape))} | {ours:.0f} | {theirs:.0f} "
                  f"| {ratio:.2f} |", flush=True)
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    print(f"| geometric mean | | | {mean:.2f} |")


if __name__ == "__main__":
    main()
