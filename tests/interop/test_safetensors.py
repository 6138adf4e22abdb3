"""The model files of falign, as the safetensors and numpy packages see them.

    python3 test_safetensors.py FALIGN_BINARY DATA_FOLDER

Trains a small network for 3 steps, without a norm and with batch norm, evaluates it in
numpy from model.safetensors and compares with `falign evaluate`. Prints `ok NAME` for
each check.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open

WIDTH, LAYERS = 16, ("dense1", "dense2", "dense3")
WEIGHTS = {
    "dense1.weight": (16, 784),
    "dense1.bias": (16,),
    "dense2.weight": (16, 16),
    "dense2.bias": (16,),
    "dense3.weight": (10, 16),
    "dense3.bias": (10,),
}
# What torch.nn.BatchNorm1d calls them
NORMS = {
    f"norm{i}.{what}": (16,)
    for i in (1, 2)
    for what in ("weight", "bias", "running_mean", "running_var")
}
FEEDBACK = {"dense2.feedback": (16, 16), "dense3.feedback": (10, 16)}
METADATA = ("network", "input", "classes", "mean", "deviation", "falign")

failures = 0


def check(name, passed, why=""):
    global failures
    failures += not passed
    print(f"ok {name}" if passed else f"FAILED {name}: {why}", flush=True)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"FAILED {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def read_tensors(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def read_idx(folder, name):
    """An IDX file of bytes, gzipped or not."""
    path = os.path.join(folder, name)
    packed = os.path.exists(path + ".gz")
    with gzip.open(path + ".gz") if packed else open(path, "rb") as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, 4).astype(int)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def check_tensors(file, tensors, shapes):
    found = {name: value.shape for name, value in tensors.items()}
    check(f"{file}: names and shapes", found == shapes, f"{found}, not {shapes}")
    types = {str(value.dtype) for value in tensors.values()}
    check(f"{file}: float32", types == {"float32"}, types)
    finite = all(np.isfinite(value).all() for value in tensors.values())
    check(f"{file}: all values finite", finite)


def check_metadata(file, metadata):
    missing = [key for key in METADATA if key not in (metadata or {})]
    check(f"{file}: metadata", not missing, f"{missing} missing in {metadata}")


def evaluate(tensors, metadata, folder):
    """Loss, correct answers, and how many answers float32 may turn around."""
    mean = np.array(json.loads(metadata["mean"]), float)
    deviation = np.array(json.loads(metadata["deviation"]), float)
    images = read_idx(folder, "t10k-images-idx3-ubyte")
    labels = read_idx(folder, "t10k-labels-idx1-ubyte").astype(int)
    h = ((images[..., None] / 255.0 - mean) / deviation).reshape(len(images), -1)
    for layer in LAYERS:
        weight, bias = tensors[layer + ".weight"], tensors[layer + ".bias"]
        h = h @ weight.astype(float).T + bias.astype(float)
        norm = layer.replace("dense", "norm")
        if norm + ".weight" in tensors:
            gain, shift, mean, variance = (
                tensors[f"{norm}.{what}"].astype(float)
                for what in ("weight", "bias", "running_mean", "running_var")
            )
            h = gain * (h - mean) / np.sqrt(variance + 1e-5) + shift
        if layer != LAYERS[-1]:
            h = np.maximum(h, 0)
    top = np.sort(h, axis=1)
    close = np.count_nonzero(top[:, -1] - top[:, -2] < 1e-5)
    shifted = h - h.max(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    correct = np.count_nonzero(h.argmax(axis=1) == labels)
    return losses.mean(), correct, close, len(labels)


def check_evaluation(falign, out, folder, tensors, metadata):
    loss, correct, close, samples = evaluate(tensors, metadata, folder)
    text = run(falign, "evaluate", out, "--data", folder, "--json")
    result = json.loads(text)
    check("evaluate: samples", result["samples"] == samples, result)
    check("evaluate: loss", abs(result["loss"] - loss) <= 1e-5 * loss, (result, loss))
    difference = abs(result["correct"] - correct)
    check("evaluate: correct", difference <= close, (result, correct, close))
    accuracy = result["correct"] / samples
    relative = abs(result["accuracy"] - accuracy) <= 1e-5 * max(accuracy, 1 / samples)
    check("evaluate: accuracy", relative, (result, accuracy))


def check_run(falign, folder, out, norm):
    run(falign, "train", "--data", folder, "--net", f"mlp-2x{WIDTH}", "--norm", norm,
        "--rule", "fa", "--steps", "3", "--out", out, "--quiet")
    weights = {**WEIGHTS, **NORMS} if norm == "batch" else WEIGHTS
    start, start_metadata = read_tensors(os.path.join(out, "start.safetensors"))
    model, metadata = read_tensors(os.path.join(out, "model.safetensors"))
    check_tensors("start.safetensors", start, {**weights, **FEEDBACK})
    check_tensors("model.safetensors", model, weights)
    check_metadata("start.safetensors", start_metadata)
    check_metadata("model.safetensors", metadata)
    if failures:
        return
    check("metadata: classes", metadata["classes"] == "10", metadata["classes"])
    same_network = start_metadata["network"] == metadata["network"]
    check("metadata: one network", same_network, start_metadata)
    learned = all((start[name] != model[name]).any() for name in weights)
    check("training changes every tensor", learned)
    check_evaluation(falign, out, folder, model, metadata)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        for norm in "none", "batch":
            check_run(falign, folder, os.path.join(temporary, norm), norm)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
