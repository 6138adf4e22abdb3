"""The model files of falign, as the safetensors and numpy packages see them.

    python3 test_safetensors.py FALIGN_BINARY DATA_FOLDER

Trains small networks for 3 steps, dense ones without a norm and with batch norm and a
residual one, evaluates them in numpy from model.safetensors and compares with `falign
evaluate`; and compares resnet18's tensors with torchvision's. Prints `ok NAME` for each
check.
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

# A pool that leaves nothing out, a projection with stride 2, means of maps
RESIDUAL = ("conv 6 3 nobias, norm, relu, pool max 2, block(conv 8 3 stride 2 nobias, "
            "norm, relu, conv 8 3 nobias, norm; shortcut=projection), relu, "
            "pool global, dense 10")
RESIDUAL_WEIGHTS = {
    "conv1.weight": (6, 1, 3, 3),
    "block1.conv1.weight": (8, 6, 3, 3),
    "block1.conv2.weight": (8, 8, 3, 3),
    "block1.downsample.0.weight": (8, 6, 1, 1),
    "dense1.weight": (10, 8),
    "dense1.bias": (10,),
    **{
        f"{name}.{what}": (width,)
        for name, width in (("norm1", 6), ("block1.norm1", 8), ("block1.norm2", 8),
                            ("block1.downsample.1", 8))
        for what in ("weight", "bias", "running_mean", "running_var")
    },
}
RESIDUAL_FEEDBACK = {
    name.replace(".weight", ".feedback"): shape
    for name, shape in RESIDUAL_WEIGHTS.items()
    if len(shape) > 1 and name != "conv1.weight"
}
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


def normalized(tensors, name, h):
    """Of rows, or of maps with the channels last."""
    gain, shift, mean, variance = (
        tensors[f"{name}.{what}"].astype(float)
        for what in ("weight", "bias", "running_mean", "running_var")
    )
    return gain * (h - mean) / np.sqrt(variance + 1e-5) + shift


def convolved(tensors, name, h, stride=1):
    weight = tensors[name + ".weight"].astype(float)
    pad = weight.shape[2] // 2
    h = np.pad(h, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(h, weight.shape[2:], (1, 2))
    return np.einsum("nyxckl,ockl->nyxo", windows[:, ::stride, ::stride], weight,
                     optimize=True)


def residual_outputs(tensors, h):
    h = np.maximum(normalized(tensors, "norm1", convolved(tensors, "conv1", h)), 0)
    h = np.lib.stride_tricks.sliding_window_view(h, (2, 2), (1, 2))[:, ::2, ::2]
    x = h.max(axis=(4, 5))
    h = convolved(tensors, "block1.conv1", x, 2)
    h = np.maximum(normalized(tensors, "block1.norm1", h), 0)
    h = normalized(tensors, "block1.norm2", convolved(tensors, "block1.conv2", h))
    beside = convolved(tensors, "block1.downsample.0", x, 2)
    h = np.maximum(h + normalized(tensors, "block1.downsample.1", beside), 0)
    weight, bias = tensors["dense1.weight"], tensors["dense1.bias"]
    return h.mean(axis=(1, 2)) @ weight.astype(float).T + bias.astype(float)


def dense_outputs(tensors, h):
    h = h.reshape(len(h), -1)
    for layer in LAYERS:
        weight, bias = tensors[layer + ".weight"], tensors[layer + ".bias"]
        h = h @ weight.astype(float).T + bias.astype(float)
        norm = layer.replace("dense", "norm")
        if norm + ".weight" in tensors:
            h = normalized(tensors, norm, h)
        if layer != LAYERS[-1]:
            h = np.maximum(h, 0)
    return h


def evaluate(tensors, metadata, folder):
    """Loss, correct answers, and how many answers float32 may turn around."""
    mean = np.array(json.loads(metadata["mean"]), float)
    deviation = np.array(json.loads(metadata["deviation"]), float)
    images = read_idx(folder, "t10k-images-idx3-ubyte")
    labels = read_idx(folder, "t10k-labels-idx1-ubyte").astype(int)
    outputs = residual_outputs if "conv1.weight" in tensors else dense_outputs
    h = outputs(tensors, (images[..., None] / 255.0 - mean) / deviation)
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


def check_run(falign, folder, out, network, weights, feedback):
    run(falign, "train", "--data", folder, "--net", *network, "--rule", "fa",
        "--steps", "3", "--out", out, "--quiet")
    start, start_metadata = read_tensors(os.path.join(out, "start.safetensors"))
    model, metadata = read_tensors(os.path.join(out, "model.safetensors"))
    check_tensors("start.safetensors", start, {**weights, **feedback})
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


def torchvisions_resnet18(channels, classes):
    """Names and shapes of its state_dict, but the counts of batches, which PyTorch does
    without; the first kernel is 3 wide, not 7."""
    shapes = {"conv1.weight": (64, channels, 3, 3), "fc.weight": (classes, 512),
              "fc.bias": (classes,)}
    norms = {"bn1": 64}
    for stage in range(1, 5):
        width = 32 * 2**stage
        for block in range(2):
            name = f"layer{stage}.{block}"
            narrow = width // 2 if stage > 1 and block == 0 else width
            shapes[f"{name}.conv1.weight"] = (width, narrow, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norms[f"{name}.bn1"] = norms[f"{name}.bn2"] = width
            if narrow < width:
                shapes[f"{name}.downsample.0.weight"] = (width, narrow, 1, 1)
                norms[f"{name}.downsample.1"] = width
    for name, width in norms.items():
        for what in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{what}"] = (width,)
    return shapes


def check_resnet18(falign, folder, out):
    run(falign, "train", "--data", folder, "--net", "resnet18", "--resize", "8x8",
        "--epochs", "0", "--batch", "2", "--out", out, "--quiet")
    start, _ = read_tensors(os.path.join(out, "start.safetensors"))
    check_tensors("resnet18", start, torchvisions_resnet18(1, 10))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        mlp = f"mlp-2x{WIDTH}"
        for network, weights, feedback in (
            ([mlp], WEIGHTS, FEEDBACK),
            ([mlp, "--norm", "batch"], {**WEIGHTS, **NORMS}, FEEDBACK),
            ([RESIDUAL], RESIDUAL_WEIGHTS, RESIDUAL_FEEDBACK),
        ):
            out = os.path.join(temporary, str(len(weights)))
            check_run(falign, folder, out, network, weights, feedback)
        check_resnet18(falign, folder, os.path.join(temporary, "resnet18"))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
