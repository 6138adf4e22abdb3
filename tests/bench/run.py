#!/usr/bin/env python3
"""falign beside its peers, in turn in one run: run.py [FALIGN] [--only WORDS] [--rounds N]

Measures everything tests/bench/README.md shows and rewrites its tables. Peers are
OpenBLAS and PyTorch, a process for each number of threads (1, half of the cores, all)
and, of PyTorch, each OMP_WAIT_POLICY; who is not being timed is stopped. The peer's
best setting and best form count. Ratios above 1 are in falign's favour. PyTorch is
installed once, into $XDG_CACHE_HOME/falign/torch (about 6 GB), and only for tables with
peers. The table teacher has NumPy for a peer, installed likewise with SciPy. The tables
rules, regenerated, measuring, checkpoint and augment set falign beside itself, each row
with a bound.

Refuses to go on while other processes use more than a tenth of a core."""
import argparse
import atexit
import datetime
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import maps

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "README.md")
CACHES = os.path.join(os.environ.get("XDG_CACHE_HOME")
                      or os.path.expanduser("~/.cache"), "falign")
CACHE = os.path.join(CACHES, "torch")
POLICIES = [None, "active", "passive"]
CORES = len(os.sched_getaffinity(0))
THREADS = sorted({1, max(1, CORES // 2), CORES})
# A setting so much slower than the best after so many rounds is dropped.
NEAR = {1: 1.5, 3: 1.1}


# ---- a quiet machine ------------------------------------------------------------

def busy_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK")


def insist_on_quiet():
    before = busy_seconds()
    time.sleep(2)
    load = (busy_seconds() - before) / 2
    if load > 0.1:
        sys.exit(f"other processes use {load:.2f} of a core; figures taken now would "
                 "not mean much: stop them and run this again")


# ---- peers ----------------------------------------------------------------------

class Peer:
    """A process that answers a line with the milliseconds of one repetition."""

    def __init__(self, label, command, threads, policy):
        self.label = f"{label}, {threads} thread{'s' if threads > 1 else ''}" + (
            f", {policy}" if policy else "")
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads),
                           OPENBLAS_NUM_THREADS=str(threads),
                           MKL_NUM_THREADS=str(threads))
        environment.pop("OMP_WAIT_POLICY", None)
        if policy:
            environment["OMP_WAIT_POLICY"] = policy
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env=environment)
        atexit.register(self.end)

    def greet(self):
        line = self.process.stdout.readline()
        self.stop()
        return line

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, line):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        self.stop()
        if not answer:
            sys.exit(f"{self.label} ended at: {line}")
        return json.loads(answer)

    def end(self):
        self.process.kill()
        self.process.wait()


def python_with(folder, *packages):
    """A Python of its own with these packages"""
    python = os.path.join(folder, "bin", "python")
    probe = [python, "-c", "import " + ", ".join(packages)]
    if not os.path.exists(python) or subprocess.run(probe, check=False).returncode:
        print(f"installing {' and '.join(packages)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages],
                       check=True)
    return python


def start_peers(folder):
    program = os.path.join(folder, "openblas_gemm")
    subprocess.run(["cc", "-O2", "-std=gnu11",
                    os.path.join(HERE, "peers", "openblas_gemm.c"), "-o", program,
                    "-lopenblas"], check=True)
    settings = [(t, p) for t in THREADS for p in POLICIES]
    python = python_with(CACHE, "torch", "numpy")
    torch = [Peer("PyTorch", [python, os.path.join(HERE, "peers", "torch_peer.py")], t, p)
             for t, p in settings]
    blas = [Peer("OpenBLAS", [program], t, None) for t in THREADS]
    versions = {}
    for peer in torch + blas:
        versions.update(json.loads(peer.greet()))
    return {"torch": torch, "openblas": blas}, versions


# ---- one row --------------------------------------------------------------------

class Contender:
    """One setting of one peer at one form of the work, or falign itself."""

    def __init__(self, name, measure):
        self.name, self.measure, self.times = name, measure, []

    def time(self):
        ms = self.measure()
        if ms is not None:
            self.times.append(ms)
        return ms is not None

    def median(self):
        return statistics.median(self.times)

    def tenth(self):
        return sorted(self.times)[len(self.times) // 10]


def run_falign(falign, words):
    done = subprocess.run([falign, *words, "--json"], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def contenders(peers, row):
    found = []
    for form in row.get("torch", []):
        line = json.dumps(form)
        name = form.get("form") or form.get("type") or ""
        if form.get("format", name) != name:
            name = f"{form['format']}, {name}"
        found += [Contender(f"{p.label}{', ' + name if name else ''}",
                            lambda p=p, line=line: p.ask(line))
                  for p in peers["torch"]]
    if "openblas" in row:
        found += [Contender(p.label, lambda p=p: p.ask(row["openblas"]))
                  for p in peers["openblas"]]
    return found


def measure_row(falign, peers, row, rounds):
    """(falign's contender, the best peer, ratio of peer to falign)"""
    own = Contender("falign", lambda: run_falign(falign, row["falign"])["ms"])
    rivals = contenders(peers, row)
    for number in range(rounds):
        own.time()
        rivals = [rival for rival in rivals if rival.time()]
        best = min(rival.median() for rival in rivals)
        near = NEAR.get(number + 1, math.inf)
        rivals = [r for r in rivals if r.median() <= near * best]
    best = min(rivals, key=Contender.median)
    return own, best, best.median() / own.median()


# ---- what is measured -----------------------------------------------------------

SHAPES = [(128, 512, 784), (128, 1024, 1024), (256, 1024, 1024), (1024, 1024, 1024),
          (2048, 2048, 2048), (512, 512, 512), (64, 16384, 576)]
TURNED = [(128, 1024, 1024, "b"), (1024, 1024, 128, "a"), (784, 512, 128, "a")]


def gemm_row(m, n, k, turned="", epilogue="none"):
    words = ["bench", "gemm", "--m", str(m), "--n", str(n), "--k", str(k)]
    words += ["--ta"] * ("a" in turned) + ["--tb"] * ("b" in turned)
    form = {"work": "gemm", "m": m, "n": n, "k": k, "ta": int("a" in turned),
            "tb": int("b" in turned), "epilogue": epilogue}
    name = f"{m} × {n} × {k}" + {"": "", "a": ", Aᵀ", "b": ", Bᵀ"}[turned]
    forms = ["loop", "foreach", "fused"] if epilogue == "update" else [""]
    row = {"name": name, "falign": words, "torch": [{**form, "form": f} for f in forms]}
    if epilogue == "none":
        row["openblas"] = f"{m} {n} {k} {form['ta']} {form['tb']}"
    else:
        row["name"] += f", {epilogue}"
        row["falign"] = words + ["--epilogue", epilogue]
    return row


def step_row(net, batch, rule, optimizer, norm=None):
    layers, width = (int(x) for x in re.match(r"mlp-(\d+)x(\d+)", net).groups())
    words = ["bench", "step", "--net", net, "--batch", str(batch), "--rule", rule,
             "--optimizer", optimizer] + (["--norm", norm] if norm else [])
    forms = ["own", "bfloat16"] if optimizer == "muon" else ["loop", "foreach", "fused"]
    torch = [{"work": "step", "layers": layers, "width": width, "batch": batch,
              "rule": rule, "optimizer": optimizer, "norm": norm, "form": form}
             for form in forms]
    name = f"{net}, batch {batch}, {rule}, {optimizer}" + (f", {norm} norm" if norm
                                                           else "")
    return {"name": name, "falign": words, "torch": torch}


def newton_row(rows, columns):
    torch = [{"work": "newton_schulz", "rows": rows, "columns": columns,
              "type": "float32"}]
    return {"name": f"{rows} × {columns}", "torch": torch,
            "falign": ["bench", "muon", "--rows", str(rows), "--cols", str(columns)]}


TABLES = [
    ("gemm", "Products", [gemm_row(*s) for s in SHAPES] + [gemm_row(*s) for s in TURNED]),
    ("epilogue", "Products as a step calls them",
     [gemm_row(128, 512, 784, "", "forward"), gemm_row(128, 1024, 1024, "", "forward"),
      gemm_row(128, 1024, 1024, "b", "delta"), gemm_row(128, 512, 512, "b", "delta"),
      gemm_row(1024, 1024, 128, "a", "update"), gemm_row(784, 512, 128, "a", "update")]),
    ("step", "Training steps",
     [step_row("mlp-2x1024", 128, "bp", "sgd"), step_row("mlp-8x512", 128, "bp", "sgd"),
      step_row("mlp-8x512", 128, "dfa", "sgd"), step_row("mlp-2x64", 32, "bp", "sgd"),
      step_row("mlp-2x512", 128, "bp", "adam"),
      step_row("mlp-2x1024", 128, "bp", "muon", "batch")]),
    ("muon", "Newton–Schulz, five steps",
     [newton_row(512, 512), newton_row(1024, 1024), newton_row(512, 4608),
      newton_row(128, 1152)]),
    ("conv", "Convolutions", maps.CONVOLUTIONS),
    ("convdirect", "Convolutions without filtering", maps.DIRECT),
    ("convsteps", "Training steps of convolutional networks", maps.STEPS),
    ("convothers", "Training steps of the other presets", maps.OTHERS),
]


def mean_lines(rows, ratios):
    """Of all rows, or of each group of them"""
    lines = []
    for group in dict.fromkeys(row.get("group") for row in rows):
        logs = [math.log(ratio) for row, ratio in zip(rows, ratios)
                if row.get("group") == group]
        name = "geometric mean" + (f", {group}" if group else "")
        lines.append(f"| {name} | | | | {math.exp(statistics.fmean(logs)):.2f} |")
    return lines


def table(falign, peers, rows, rounds):
    lines = ["| work | falign ms (10th percentile) | best peer ms | which | ratio |",
             "| --- | --- | --- | --- | --- |"]
    ratios, figures = [], {}
    for row in rows:
        insist_on_quiet()
        own, best, ratio = measure_row(falign, peers, row, rounds)
        ratios.append(ratio)
        figures[row["name"]] = own.median()
        lines.append(f"| {row['name']} | {own.median():.4g} ({own.tenth():.4g}) | "
                     f"{best.median():.4g} | {best.name} | {ratio:.2f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines + mean_lines(rows, ratios), figures


def start_lines(falign):
    """Process start to the end of the first step."""
    dense = ["bench", "step", "--net", "mlp-2x512"]
    found = {name: [] for name in (
        "`bench step --net mlp-2x512`, empty kernel cache (at most 5000)",
        "the same, warm (at most 250)",
        "`train` on Fashion-MNIST, warm (at most 800)",
        "`bench step --net resnet18 --batch 1`, warm (at most 600)")}
    cold, warm, train, residual = found.values()
    with tempfile.TemporaryDirectory() as cache:
        for number in range(5):
            folder = os.path.join(cache, str(number))
            os.mkdir(folder)
            os.environ["POCL_CACHE_DIR"] = folder
            cold.append(run_falign(falign, dense)["start_ms"])
            warm.append(run_falign(falign, dense)["start_ms"])
            out = os.path.join(cache, "run")
            fit = ["train", "--data", "fashion-mnist", "--net", "mlp-2x512", "--steps",
                   "3", "--force", "--out", out]
            run_falign(falign, fit)
            train.append(run_falign(falign, fit)["start_ms"])
        run_falign(falign, maps.START)
        residual += [run_falign(falign, maps.START)["start_ms"] for _ in range(5)]
        del os.environ["POCL_CACHE_DIR"]
    return ["| from process start to the end of the first step | ms, median of 5 |",
            "| --- | --- |"] + [f"| {name} | {statistics.median(times):.0f} |"
                                for name, times in found.items()]


GPU_LIKE = [(128, 512, 784), (128, 1024, 1024), (512, 512, 512), (1024, 1024, 1024),
            (128, 10, 1024), (784, 512, 128, "a"), (128, 1024, 1024, "b")]


def gpu_like_lines(falign):
    """Kernels of the GPU-like family, and CLBlast; both made for other devices."""
    lines = ["| M × N × K | our kernel, GFLOP/s | CLBlast, GFLOP/s |",
             "| --- | --- | --- |"]
    os.environ["FALIGN_KERNELS"] = "gpu"
    for shape in GPU_LIKE:
        row, speeds = gemm_row(*shape), {"own": [], "clblast": []}
        for _ in range(3):
            for gemm, found in speeds.items():
                found.append(run_falign(falign, row["falign"] + ["--gemm", gemm])["gflops"])
        lines.append("| {} | {:.1f} | {:.1f} |".format(
            row["name"], *(statistics.median(found) for found in speeds.values())))
    del os.environ["FALIGN_KERNELS"]
    return lines


def peak_kilobytes(words):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss


def memory_lines(falign):
    words = ["train", "--data", "fashion-mnist", "--net", "mlp-8x2048", "--batch", "128"]
    plan = run_falign(falign, words + ["--dry-run"])
    device = sum(plan[key] for key in plan if key.endswith("_bytes"))
    data = 60000 * (784 + 4) + 4 * 60000
    units = 8 * 2048 + 10
    bound = 4 * (4 * plan["parameters"] + 128 * (784 + units + 2 * 2048)) + data
    empty = peak_kilobytes([falign, "bench", "gemm", "--m", "1", "--n", "1", "--k", "1"])
    with tempfile.TemporaryDirectory() as out:
        run = peak_kilobytes([falign, *words, "--steps", "5", "--quiet", "--out",
                              os.path.join(out, "run")])
    resident = 1024 * (run - empty)
    return ["| mlp-8x2048, adam, batch 128 | bytes | of the bound |", "| --- | --- | --- |",
            f"| bound: 4·(4·parameters + batch·(inputs + Σ units + 2·widest)) + data "
            f"| {bound} | 1 |",
            f"| on the device | {device + data} | {(device + data) / bound:.3f} |",
            f"| resident above an opened device | {resident} | {resident / bound:.3f} |"]


def conv_memory_lines(falign):
    """What a step needs above an opened device, and PyTorch above its import."""
    python = python_with(CACHE, "torch", "numpy")
    script = [python, os.path.join(HERE, "peers", "torch_peer.py"), "--memory"]
    run_falign(falign, maps.MEMORY["falign"])  # compiled kernels are in the cache now
    empty = peak_kilobytes([falign, "bench", "gemm", "--m", "1", "--n", "1", "--k", "1"])
    own = 1024 * (peak_kilobytes([falign, *maps.MEMORY["falign"]]) - empty)
    imported = peak_kilobytes([*script, "null"])
    peers = {f"{job['format']}, {job['form']}":
             1024 * (peak_kilobytes([*script, json.dumps(job)]) - imported)
             for job in maps.MEMORY["torch"]}
    best = min(peers, key=peers.get)
    return [f"| {maps.MEMORY['name']} | bytes | of PyTorch's | at most |",
            "| --- | --- | --- | --- |",
            f"| resident above an opened device | {own} | {own / peers[best]:.3f} | "
            f"{maps.MEMORY_BOUND} |",
            f"| PyTorch above its import, {best} | {peers[best]} | 1 | |"]


# ---- falign beside itself -------------------------------------------------------

def bench_step(net, rule, *words):
    return ["bench", "step", "--net", net, "--batch", "128", "--optimizer", "sgd",
            "--rule", rule, *words]


REGENERATED = ["--feedback", "regenerated"]
PRODUCT = ["bench", "gemm", "--m", "128", "--n", "1024", "--k", "1024"]
# What, its command, the command it is set beside, how many times its time at most.
RULES = [(f"{rule} beside bp, step of mlp-2x1024", bench_step("mlp-2x1024", rule),
          bench_step("mlp-2x1024", "bp"), bound)
         for rule, bound in [("usf", 1.1), ("frsf", 1.1), ("brsf", 1.25)]]
REGENERATION = [
    ("product 128 × 1024 × 1024", PRODUCT + ["--source", "regenerated"], PRODUCT, 2),
    ("step of mlp-2x1024, fa", bench_step("mlp-2x1024", "fa", *REGENERATED),
     bench_step("mlp-2x1024", "fa"), 1.3),
    ("step of mlp-8x512, dfa", bench_step("mlp-8x512", "dfa", *REGENERATED),
     bench_step("mlp-8x512", "dfa"), 1.05)]


def pair(measure, words, beside, rounds):
    """The two contenders, measured in turn."""
    insist_on_quiet()
    found = [Contender("", lambda w=w: measure(w)) for w in (beside, words)]
    for _ in range(rounds):
        for contender in found:
            contender.time()
    return found[1], found[0]


def pair_lines(falign, rows, rounds):
    lines = ["| what | ms | beside ms | times | at most |",
             "| --- | --- | --- | --- | --- |"]
    for name, words, beside, bound in rows:
        own, other = pair(lambda w: run_falign(falign, w)["ms"], words, beside, rounds)
        lines.append(f"| {name} | {own.median():.4g} | {other.median():.4g} | "
                     f"{own.median() / other.median():.3f} | {bound} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


class Training:
    """Runs of mlp-2x1024 on Fashion-MNIST with Adam: seconds of the whole process."""

    def __init__(self, falign, folder):
        self.falign, self.out, self.results = falign, os.path.join(folder, "run"), []

    def seconds(self, words):
        start = time.perf_counter()
        self.results.append(run_falign(self.falign, [
            "train", "--data", "fashion-mnist", "--net", "mlp-2x1024", "--force", "--out",
            self.out, *words]))
        return time.perf_counter() - start


def measuring_lines(falign, rounds):
    """By the run's own clock: whole processes differ by more than measuring takes."""
    lines = ["| mlp-2x1024, --measure 50 | training s | measuring s | of training | "
             "at most |", "| --- | --- | --- | --- | --- |"]
    for rule in ("bp", "fa", "dfa"):
        with tempfile.TemporaryDirectory() as folder:
            training = Training(falign, folder)
            for _ in range((rounds + 2) // 3):
                insist_on_quiet()
                training.seconds(["--rule", rule, "--measure", "50"])
        trained, measured = (statistics.median(r[key] for r in training.results)
                             for key in ("seconds", "measuring_seconds"))
        lines.append(f"| {rule} | {trained:.2f} | {measured:.3f} | "
                     f"{100 * measured / trained:.1f} % | 5 % |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def checkpoint_lines(falign, rounds):
    """Checkpoints after every fifth step but the last, whose two are there anyway."""
    steps, every = 100, 5
    words = ["--steps", str(steps), "--checkpoint"]
    with tempfile.TemporaryDirectory() as folder:
        training = Training(falign, folder)
        own, other = pair(training.seconds, words + [str(every)], words + [str(steps)],
                          rounds)
        size = os.path.getsize(os.path.join(training.out, "checkpoint.safetensors"))
    each = (own.median() - other.median()) / (steps / every - 1)
    return ["| mlp-2x1024, Adam | bytes | s each | at most |", "| --- | --- | --- | --- |",
            f"| {steps // every - 1} checkpoints within {steps} steps | {size} | "
            f"{each:.3f} | 0.2 |"]


TEACHER = {"inputs": 500, "students": 4, "teachers": 4}
ONLINE = [(1, 5), (16, 20)]  # runs side by side, how much faster at least


def teacher_lines(falign, rounds):
    """Time of a step of one run beside a loop in NumPy, which makes one run."""
    python = python_with(os.path.join(CACHES, "numpy"), "numpy", "scipy")
    script = os.path.join(HERE, "peers", "numpy_peer.py")
    rivals = []
    for threads in THREADS:
        peer = Peer("NumPy", [python, script], threads, None)
        version = json.loads(peer.greet())["numpy"]
        for erf in ("scipy", "math"):
            for kind in ("float64", "float32"):
                line = json.dumps({**TEACHER, "erf": erf, "type": kind})
                rivals.append(Contender(f"{peer.label}, {erf}, {kind}",
                                        lambda p=peer, line=line: p.ask(line)))
    words = ["bench", "teacher", "--rule", "dfa"]
    words += [w for key, value in TEACHER.items() for w in (f"--{key}", str(value))]
    lines = ["| N = 500, K = M = 4, dfa | falign µs a step and run | NumPy µs a step | "
             "which | times as fast | at least |", "| --- | --- | --- | --- | --- | --- |"]
    for runs, bound in ONLINE:
        insist_on_quiet()
        own = Contender("falign", lambda r=runs: run_falign(
            falign, words + ["--runs", str(r)])["ms"])
        for _ in range((rounds + 2) // 3):
            own.time()
            rivals = [rival for rival in rivals if rival.time()]
        best = min(rivals, key=Contender.median)
        lines.append(f"| {runs} run{'s' if runs > 1 else ''} | {1e3 * own.median():.3f} | "
                     f"{1e3 * best.median():.2f} | {best.name} | "
                     f"{best.median() / own.median():.1f} | {bound} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines + ["", f"NumPy {version}."]


# ---- writing --------------------------------------------------------------------

def versions(falign, peers):
    info = [d for d in run_falign(falign, ["devices"]) if d.get("usable")]
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), platform.machine())
    device = "{name}, {platform} {driver}".format(**info[0]) if info else "?"
    own = subprocess.run([falign, "--version"], capture_output=True, text=True, check=True)
    beside = ""
    if peers:
        blas = " ".join(peers["openblas"].split()[:2])
        beside = f"; PyTorch {peers['torch']}; {blas}"
    return (f"{datetime.date.today()}: {cpu}, {CORES} cores; {device}; "
            f"{own.stdout.strip()}{beside}.")


def write_section(name, lines):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    start, end = f"<!-- figures: {name} -->\n", "<!-- end -->"
    if start not in text:
        sys.exit(f"{README} has no place for the figures '{name}'")
    head, tail = text.split(start)
    tail = tail[tail.index(end):]
    with open(README, "w", encoding="utf-8") as file:
        file.write(head + start + "\n".join(lines) + "\n" + tail)


def peer_tables(falign, wanted, rounds):
    with tempfile.TemporaryDirectory() as folder:
        peers, found = start_peers(folder)
        note = versions(falign, found)
        for name, title, rows in TABLES:
            if name not in wanted:
                continue
            print(title, file=sys.stderr)
            lines, figures = table(falign, peers, rows, rounds)
            if name == "step":
                times = [v for k, v in figures.items() if k.startswith("mlp-8x512")]
                lines += ["", f"dfa takes {times[1] / times[0]:.2f} of bp's time on "
                              "mlp-8x512."]
            write_section(name, lines + ["", note])


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("falign", nargs="?", default="build/falign")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--rounds", type=int, default=9)
    given = options.parse_args()
    falign = shutil.which(given.falign) or sys.exit(f"no such program: {given.falign}")
    rounds = given.rounds
    alone = {"rules": lambda: pair_lines(falign, RULES, rounds),
             "regenerated": lambda: pair_lines(falign, REGENERATION, rounds),
             "augment": lambda: pair_lines(falign, maps.AUGMENTED, rounds),
             "measuring": lambda: measuring_lines(falign, rounds),
             "checkpoint": lambda: checkpoint_lines(falign, rounds),
             "teacher": lambda: teacher_lines(falign, rounds),
             "gpu_like": lambda: gpu_like_lines(falign),
             "start": lambda: start_lines(falign), "memory": lambda: memory_lines(falign),
             "convmemory": lambda: conv_memory_lines(falign)}
    wanted = given.only or [name for name, *_ in TABLES] + list(alone)
    unknown = set(wanted) - {name for name, *_ in TABLES} - set(alone)
    if unknown:
        sys.exit(f"no such table: {', '.join(sorted(unknown))}")
    insist_on_quiet()
    if any(name in wanted for name, *_ in TABLES):
        peer_tables(falign, wanted, rounds)
    for name, make in alone.items():
        if name in wanted:
            write_section(name, make() + ["", versions(falign, None)])


if __name__ == "__main__":
    main()
