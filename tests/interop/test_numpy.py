"""Data sets that numpy wrote, as falign sees them.

    python3 test_numpy.py FALIGN_BINARY DATA_FOLDER

Saves the four files in the types a Python user has at hand, trains on them, and
compares with numpy what falign says of them. Prints `ok NAME` for each check.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

failures = 0
random = np.random.default_rng(1)


def check(name, passed, why=""):
    global failures
    failures += not passed
    print(f"ok {name}" if passed else f"FAILED {name}: {why}", flush=True)


def run(falign, *words):
    return subprocess.run([falign, *words], capture_output=True, text=True)


def save(folder, train, test):
    os.makedirs(folder)
    for split, (x, y) in ("train", train), ("test", test):
        np.save(os.path.join(folder, f"{split}-x.npy"), x)
        np.save(os.path.join(folder, f"{split}-y.npy"), y)


def train(falign, name, folder, *words):
    """The run's last line, read from --json; None if it failed."""
    out = os.path.join(folder, "run")
    done = run(falign, "train", "--data", folder, "--out", out, "--json", *words)
    check(f"{name}: trains", done.returncode == 0, done.stderr)
    return json.loads(done.stdout) if done.returncode == 0 else None


def pictures(count, centers, noise):
    kind = np.arange(count) % len(centers)
    spread = noise * random.normal(size=(count, *centers.shape[1:]))
    return centers[kind] + spread, kind


def check_images(falign, folder):
    """uint8 images with one, no and three channels, and labels of every type."""
    for shape, types in (
        ((6, 5), ("int64", "uint8", "bool")),
        ((6, 5, 1), ("int8", "uint16", "int16")),
        ((4, 4, 3), ("int32", "uint32", "uint64")),
    ):
        for kind in types:
            name = f"uint8 {'x'.join(map(str, shape))}, {kind} labels"
            classes = 2 if kind == "bool" else 3
            centers = random.uniform(0, 255, size=(classes, *shape))
            splits = []
            for count in (90, 30):
                x, y = pictures(count, centers, 10)
                splits.append((x.clip(0, 255).astype("uint8"), y.astype(kind)))
            path = os.path.join(folder, name.replace(" ", "_"))
            save(path, *splits)
            last = train(falign, name, path, "--net", "mlp-1x16", "--epochs", "20",
                         "--batch", "16")
            if last:
                accuracy = last["test_accuracy"]
                check(f"{name}: learns", accuracy > 0.9, accuracy)


def check_floats(falign, folder):
    """float32 vectors: the model's mean and deviation are numpy's."""
    centers = 5 * random.normal(size=(4, 7)) + 100
    x, y = pictures(200, centers, 0.5)
    other = pictures(40, centers, 0.5)
    save(folder, (x.astype("float32"), y), (other[0].astype("float32"), other[1]))
    last = train(falign, "float32", folder, "--net", "mlp-1x16", "--epochs", "20",
                 "--batch", "16")
    check("float32: learns", last and last["test_accuracy"] > 0.9, last)
    metadata = read_metadata(os.path.join(folder, "run", "model.safetensors"))
    mean = np.array(json.loads(metadata["mean"]))
    deviation = np.array(json.loads(metadata["deviation"]))
    x = x.astype("float32").astype(float)
    check("float32: mean", np.allclose(mean, x.mean(0), rtol=1e-6), mean)
    check("float32: deviation", np.allclose(deviation, x.std(0), rtol=1e-5), deviation)
    check("float32: classes", metadata["classes"] == "4", metadata["classes"])


def read_metadata(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]


def check_regression(falign, folder, kind, outputs):
    """Real targets: numpy's loss is falign's, and no accuracy is anywhere."""
    name = f"{kind} targets {outputs}"
    weight = random.normal(size=(3, outputs or 1))
    splits = []
    for count in (300, 60):
        x = random.uniform(-2, 2, size=(count, 3)).astype("float32")
        y = (np.tanh(x) @ weight).astype(kind)
        splits.append((x, y if outputs else y[:, 0]))
    save(folder, *splits)
    net = f"dense 16, tanh, dense {outputs or 1}"
    last = train(falign, name, folder, "--net", net, "--loss", "mse", "--epochs", "40",
                 "--batch", "16", "--lr", "0.01")
    if not last:
        return
    out = os.path.join(folder, "run")
    check(f"{name}: learns", last["test_loss"] < 0.05 * splits[1][1].var(), last)
    check(f"{name}: no accuracy", not any("accuracy" in key for key in last), last)
    with open(os.path.join(out, "metrics.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    keys = set().union(*lines)
    check(f"{name}: no accuracy in metrics.jsonl",
          "test_loss" in keys and not any("accuracy" in key for key in keys), keys)
    loss = numpy_loss(os.path.join(out, "model.safetensors"), *splits[1])
    check(f"{name}: loss", abs(last["test_loss"] - loss) < 1e-5 * loss,
          (last["test_loss"], loss))


def check_no_accuracy(falign, folder):
    """compare and evaluate on real targets, and what train prints."""
    out = os.path.join(folder, "rules")
    words = ("--data", folder, "--net", "dense 16, tanh, dense 1", "--loss", "mse")
    for name, command in (
        ("train", ("train", *words, "--steps", "2", "--out", folder + "/printed")),
        ("compare", ("compare", *words, "--rules", "bp,fa", "--steps", "2",
                     "--seeds", "2", "--out", out)),
        ("evaluate", ("evaluate", out + "/bp-1", "--data", folder)),
        ("evaluate --json", ("evaluate", out + "/bp-1", "--data", folder, "--json")),
    ):
        done = run(falign, *command)
        said = done.stdout + done.stderr
        check(f"{name} of real targets", done.returncode == 0 and "loss" in said, said)
        check(f"{name} of real targets: no accuracy",
              "accuracy" not in said and "correct" not in said, said)
    with open(os.path.join(out, "compare.json")) as file:
        text = file.read()
    rules = json.loads(text)["rules"]
    check("compare.json: no accuracy", "accuracy" not in text, text)
    check("compare.json: loss", all(r["test_loss"]["mean"] > 0 for r in rules), rules)


def numpy_loss(path, x, y):
    tensors = {name: value.astype(float) for name, value in load_file(path).items()}
    metadata = read_metadata(path)
    mean = np.array(json.loads(metadata["mean"]))
    deviation = np.array(json.loads(metadata["deviation"]))
    h = (x.astype(float) - mean) / deviation
    h = np.tanh(h @ tensors["dense1.weight"].T + tensors["dense1.bias"])
    h = h @ tensors["dense2.weight"].T + tensors["dense2.bias"]
    difference = h - y.reshape(len(y), -1).astype("float32")
    return 0.5 * (difference**2).sum(1).mean()


def check_refusals(falign, folder):
    """What a Python user does first is answered with what to type."""
    x, y = random.normal(size=(20, 4)).astype("float32"), np.arange(20) % 3
    other = x.copy()
    other[7, 2] = np.nan
    cases = (
        ("float64 inputs", x.astype("float64"), y, 'x.astype("float32")'),
        ("int64 inputs", x.astype("int64"), y, 'x.astype("float32")'),
        ("big-endian inputs", x.astype(">f4"), y, 'x.astype("float32")'),
        ("Fortran order", np.asfortranarray(x), y, "numpy.ascontiguousarray"),
        ("a NaN", other, y, "sample 7, number 2"),
        ("one-hot labels", x, np.eye(3, dtype=int)[y], "y.argmax(1)"),
        ("negative labels", x, y - 1, "the label of sample 0 is -1"),
        ("objects", x, np.array([{}] * 20), "holds Python objects"),
        ("texts", x, np.array(["cat"] * 20), "holds texts"),
        ("records", np.zeros(20, [("a", "f4"), ("b", "f4")]), y, "structured"),
        ("too few labels", x, y[:-1], "19 labels"),
        ("no samples", x[:0], y[:0], "dimension 1 is 0"),
        ("real targets", x, y.astype("float32"), "--loss mse"),
    )
    for name, inputs, answers, part in cases:
        path = os.path.join(folder, name.replace(" ", "-"))
        save(path, (inputs, answers), (inputs, answers))
        done = run(falign, "train", "--data", path, "--net", "mlp-1x4", "--out",
                   os.path.join(path, "run"))
        said = " ".join(done.stderr.split())
        check(f"{name}: refused", done.returncode in (1, 2), done.returncode)
        check(f"{name}: says why", part in said, said)
        check(f"{name}: leaves nothing", len(os.listdir(path)) == 4, os.listdir(path))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        check_images(falign, folder)
        check_floats(falign, os.path.join(folder, "floats"))
        for kind, outputs in (("float64", 0), ("float32", 1), ("float32", 3)):
            check_regression(falign, os.path.join(folder, f"{kind}-{outputs}"), kind,
                             outputs)
        check_no_accuracy(falign, os.path.join(folder, "float64-0"))
        check_refusals(falign, os.path.join(folder, "refused"))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
