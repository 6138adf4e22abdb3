"""The event files of --tensorboard, read by TensorBoard's own reader.

    python3 test_tensorboard.py FALIGN_BINARY DATA_FOLDER

Trains, compares, interrupts, cuts and resumes, and compares every scalar that TensorBoard
finds with metrics.jsonl. Prints `ok NAME` for each check.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

EVENTS = "events.out.tfevents.falign"
ALL = {event_accumulator.SCALARS: 0}

failures = 0


def check(name, passed, why=""):
    global failures
    failures += not passed
    print(f"ok {name}" if passed else f"FAILED {name}: {why}", flush=True)


def run(falign, *words):
    done = subprocess.run([falign, *words, "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"FAILED {' '.join(words)}: exit {done.returncode}\n{done.stderr}")


def read_lines(folder):
    with open(os.path.join(folder, "metrics.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def wanted(lines):
    """{tag: [(step, value), …]} of the lines."""
    scalars = {}
    for line in lines:
        for field, value in line.items():
            if field in ("type", "step", "epoch"):
                continue
            if isinstance(value, dict):
                found = {f"{field}/{layer}": v for layer, v in value.items()}
            else:
                found = {f"{line['type']}/{field}": value}
            for tag, number in found.items():
                if number is not None:
                    scalars.setdefault(tag, []).append(
                        (line["step"], float(np.float32(number))))
    return scalars


def found(accumulator):
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]}


def read_events(folder):
    accumulator = event_accumulator.EventAccumulator(folder, size_guidance=ALL)
    accumulator.Reload()
    return accumulator


def untimed(scalars):
    return {tag: values for tag, values in scalars.items()
            if not tag.endswith(("/seconds", "/samples_per_second"))}


def difference(one, other):
    return {tag: (one.get(tag), other.get(tag)) for tag in one.keys() | other.keys()
            if one.get(tag) != other.get(tag)}


def check_same(name, folder, accumulator=None):
    accumulator = accumulator or read_events(folder)
    lines = wanted(read_lines(folder))
    scalars = found(accumulator)
    check(f"{name}: scalars are those of metrics.jsonl", lines and scalars == lines,
          str(difference(scalars, lines))[:500])


def check_train(falign, data, folder):
    before = time.time()
    run(falign, "train", "--data", data, "--net", "mlp-2x16", "--rule", "fa",
        "--epochs", "2", "--log", "5", "--measure", "4", "--validation", "0.2",
        "--tensorboard", "--out", folder)
    check_same("train", folder)
    accumulator = read_events(folder)
    tags = set(accumulator.Tags()["scalars"])
    for tag in ("step/train_loss", "step/train_accuracy", "epoch/train_loss",
                "epoch/test_loss", "epoch/test_accuracy", "epoch/validation_loss",
                "epoch/samples_per_second", "gradient_alignment/dense1",
                "gradient_alignment/total", "weight_alignment/dense2"):
        check(f"train: {tag}", tag in tags, tags)
    times = [event.wall_time for event in accumulator.Scalars("step/train_loss")]
    good = times == sorted(times) and before <= times[0] <= times[-1] <= time.time()
    check("train: times", good, (before, times))


def check_compare(falign, data, folder):
    """TensorBoard, pointed at a comparison, shows its runs by their names."""
    run(falign, "compare", "--data", data, "--net", "mlp-1x8", "--rules", "bp,dfa",
        "--seeds", "2", "--epochs", "1", "--tensorboard", "--out", folder)
    multiplexer = EventMultiplexer(size_guidance=ALL).AddRunsFromDirectory(folder)
    multiplexer.Reload()
    names = set(multiplexer.Runs())
    check("compare: runs", names == {"bp-1", "bp-2", "dfa-1", "dfa-2"}, names)
    for name in sorted(names):
        check_same(f"compare {name}", os.path.join(folder, name),
                   multiplexer.GetAccumulator(name))


def check_repeat(falign, folder, again):
    """config.yaml has the option; --force leaves one file with one run's scalars."""
    for _ in range(2):
        run(falign, "train", os.path.join(folder, "config.yaml"), "--out", again,
            "--force")
    check_same("repeated", again)
    first, second = (untimed(found(read_events(one))) for one in (folder, again))
    check("repeated: the same, times apart", first == second,
          str(difference(first, second))[:500])
    names = [name for name in os.listdir(again) if "tfevents" in name]
    check("repeated: one event file", names == [EVENTS], names)


def start_endless(falign, data, folder):
    """Ctrl-C reaches it also where these tests run in the background of a script."""
    process = subprocess.Popen(
        [falign, "train", "--data", data, "--net", "mlp-1x8", "--epochs", "1000000",
         "--log", "1", "--tensorboard", "--quiet", "--out", folder],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    model = os.path.join(folder, "model.safetensors")
    while not os.path.exists(model) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.1)
    return process


def check_interrupted(falign, data, folder):
    process = start_endless(falign, data, folder)
    process.send_signal(signal.SIGINT)
    check("interrupted: exit", process.wait(timeout=60) == 130, process.returncode)
    check_same("interrupted", folder)


def check_resumed(falign, data, folder):
    """Killed, its event file cut or lost, and resumed: as a run never stopped."""
    words = ("train", "--data", data, "--net", "mlp-1x8", "--steps", "400", "--log",
             "3", "--measure", "50", "--checkpoint", "20", "--tensorboard", "--quiet")
    whole = os.path.join(folder, "whole")
    run(falign, *words, "--out", whole)
    first = untimed(found(read_events(whole)))
    for name, change in (
        ("killed", lambda path: None),
        ("killed and cut", lambda path: os.truncate(path, os.path.getsize(path) - 7)),
        ("killed and lost", os.remove),
    ):
        out = os.path.join(folder, name)
        process = subprocess.Popen([falign, *words, "--out", out])
        while (not os.path.exists(os.path.join(out, "checkpoint.safetensors"))
               and process.poll() is None):
            time.sleep(0.005)
        process.kill()
        process.wait()
        change(os.path.join(out, EVENTS))
        run(falign, "train", "--resume", out)
        check_same(f"{name}, resumed", out)
        check(f"{name}, resumed: as if never stopped",
              untimed(found(read_events(out))) == first)


def check_cut(folder):
    """Wherever a file ends, what is whole before is read."""
    path = os.path.join(folder, EVENTS)
    with open(path, "rb") as file:
        whole = file.read()
    everything = found(read_events(folder))
    for size in range(len(whole) - 1, 0, -len(whole) // 20):
        with open(path, "wb") as file:
            file.write(whole[:size])
        part = found(read_events(folder))
        check(f"cut to {size} bytes", all(values == everything[tag][:len(values)]
                                          for tag, values in part.items()), part)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, data = (os.path.abspath(path) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        one, again, all_, cut = (os.path.join(folder, name)
                                 for name in ("one", "again", "all", "cut"))
        check_train(falign, data, one)
        check_repeat(falign, one, again)
        check_compare(falign, data, all_)
        check_interrupted(falign, data, cut)
        check_cut(cut)
        check_resumed(falign, data, folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
