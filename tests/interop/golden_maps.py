"""Golden runs of convolutional and residual networks, by PyTorch in double precision.

    python3 golden_maps.py LIBFALIGN [FOLDER [NETWORK...]]

Writes those files of tests/golden (or of FOLDER, and of these networks only) against
which tests/test_golden_maps.c holds falign; tests/golden/README.md says what is in them.
Needs PyTorch and a built libfalign.so.

As in golden.py, whose optimizers and files these are, nothing of falign computes here but
the start: networks and rules are golden_network.py's."""
import ctypes
import math
import os
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

import golden
from golden_network import Network, check_gradients, forward

CLASSES, STEPS = 5, Network.steps
RULES = ("bp", "fa", "usf", "dfa", "kp", "wm")

# The presets' layers at sizes that no tile divides, few enough that the files stay
# small: presets have widths of their own. lenet's last convolution is as large as the
# map, all but a column, and of an even size; pools leave rows and columns out.
NETWORKS = {
    "lenet": "input 20x19x1, conv 5 5 pad 0, relu, pool max 2, conv 7 3 pad 0, relu, "
             "pool max 2, conv 11 2 pad 0, relu, dense 9, relu, dense 5",
    "cnn4": "input 17x18x3, conv 5 3, relu, pool max 2, conv 7 3, relu, pool max 2, "
            "conv 5 3, relu, pool max 2, conv 7 3, relu, pool global, dense 5",
    "residual": "input 11x9x3, conv 5 3 nobias, norm, relu, "
                "block(conv 5 3 nobias, norm, relu, conv 5 3 nobias, norm; "
                "shortcut=identity), relu, "
                "block(conv 7 3 stride 2 nobias, norm, relu, conv 7 3 nobias, norm; "
                "shortcut=projection), relu, pool global, dense 5",
    # What is left: option A's shortcut, overlapping averages, dropout on a map and on a
    # row, a dense layer on a map of several pixels
    "zeropad": "input 13x10x2, conv 5 3 nobias, norm, tanh, dropout .3, "
               "block(conv 8 3 stride 2 nobias, norm, tanh, conv 8 3 nobias, norm; "
               "shortcut=zeropad), tanh, pool average 3 stride 2, dense 9, tanh, "
               "dropout .5, dense 5",
    # Blocks that end in blocks; ways that part before a nonlinearity
    "nested": "input 8x9x2, conv 4 3, "
              "block(tanh, conv 4 3, block(conv 4 3; shortcut=identity); "
              "shortcut=identity), "
              "block(tanh, conv 5 3 stride 2 nobias, norm, block(conv 5 1, tanh, "
              "conv 5 3; shortcut=identity); shortcut=projection), "
              "pool global, dense 5",
    # What a target may pull: tanh bounds every layer
    "bounded": "input 10x9x2, conv 5 3 nobias, norm, tanh, pool max 2, "
               "block(conv 6 3 stride 2, tanh, conv 6 3; shortcut=projection), tanh, "
               "block(conv 6 3, tanh, conv 6 3; shortcut=identity), tanh, "
               "dense 9, tanh, dense 5",
    # Each layer by a rule of its own, or by the trainer's: direct ones at the ends of
    # blocks and within them, errors that go on from them down a shortcut and through
    # every carrier
    "mixed": "input 11x10x2, conv 4 3 nobias, norm, relu, "
             "block(conv 4 3 rule=dfa, tanh, conv 4 3 nobias rule=usf, norm; "
             "shortcut=identity), relu, pool max 2, "
             "block(conv 6 3 stride 2 nobias rule=kp, norm, tanh, "
             "conv 6 3 nobias rule=wm, norm; shortcut=projection rule=frsf), tanh, "
             "conv 6 3 rule=drtp, tanh, dense 9 rule=fa, relu, dense 7 rule=dfa, tanh, "
             "dense 5 rule=bp",
    # A direct signal at the end of a block, which goes down its projection; a frozen
    # convolution, whose statistics move; layers that hand down by their weights
    "handed": "input 9x9x3, conv 5 3 nobias rule=shallow, norm, relu, "
              "block(conv 6 3 stride 2 rule=fa, tanh, conv 6 3 rule=dfa; "
              "shortcut=projection rule=kp), pool average 2, "
              "block(conv 6 3 rule=frsf, relu, conv 6 3 rule=bp; shortcut=identity), "
              "relu, conv 7 2 rule=dfa, relu, pool global, dense 5 rule=usf",
    # Norms where ways part and behind a pool, which no direct signal passes
    "preact": "input 9x8x2, conv 4 3 nobias, block(norm, relu, conv 4 3 nobias, norm, "
              "relu, conv 4 3 nobias; shortcut=identity), pool max 2, norm, relu, "
              "conv 5 3, relu, pool global, dense 5",
}
BATCH = {"lenet": 5, "cnn4": 6, "residual": 7, "zeropad": 5, "nested": 6, "bounded": 6,
         "mixed": 6, "handed": 7, "preact": 6}

# Rule, optimizer and the form of a direct rule's feedback, by network
RUNS = {name: [(rule, optimizer, "map") for rule in RULES
               for optimizer in ("sgd", "muon")] for name in NETWORKS}
RUNS["residual"].append(("dfa", "sgd", "channel"))
RUNS["zeropad"] = [("bp", "sgd", "map"), ("fa", "muon", "map"), ("wm", "sgd", "map"),
                   ("dfa", "sgd", "map"), ("dfa", "sgd", "channel")]
RUNS["nested"] = [("bp", "sgd", "map"), ("fa", "sgd", "map"), ("dfa", "sgd", "map")]
RUNS["bounded"] = [("drtp", "sgd", "map"), ("drtp", "muon", "map"),
                   ("drtp", "sgd", "channel")]
RUNS["mixed"] = [(rule, "sgd", form) for rule in ("bp", "fa", "dfa")
                 for form in ("map", "channel")]
RUNS["preact"] = [("fa", "sgd", "map"), ("dfa", "sgd", "map"), ("dfa", "muon", "map")]
RUNS["handed"] = [("bp", "sgd", "map"), ("kp", "muon", "channel")]

# Of the weights, by network and rule; 1 is the default. As in golden.py: no unit may
# have output weights of one sign under usf.
SEED = {("lenet", "usf"): 3, ("residual", "usf"): 2}


# ---- runs -----------------------------------------------------------------------------

def make_batches(name):
    height, width, channels = [int(n) for n in
                               NETWORKS[name].split(",")[0].split()[1].split("x")]
    random = np.random.default_rng(len(name))
    inputs = random.standard_normal((STEPS, BATCH[name], height, width, channels))
    teacher = random.standard_normal((height * width * channels, CLASSES))
    labels = (inputs.reshape(STEPS, BATCH[name], -1) @ teacher).argmax(2)
    return {"inputs": inputs.astype(np.float32), "labels": labels.astype(np.uint8)}


def nchw(batches):
    return {**batches, "inputs": batches["inputs"].transpose(0, 1, 4, 2, 3).copy()}


# ---- what falign gives ------------------------------------------------------------------

class TrainerOptions(ctypes.Structure):  # fal_trainer_options
    _fields_ = [(name, kind) for kind, names in (
        (ctypes.c_size_t, "size"),
        (ctypes.c_char_p, "rule optimizer loss schedule feedback_law standardize"),
        (ctypes.c_double, "learning_rate momentum"), (ctypes.c_int, "nesterov"),
        (ctypes.c_double, "weight_decay"), (ctypes.c_size_t, "batch"),
        (ctypes.c_uint64, "steps log_steps"), (ctypes.c_int, "no_shuffle"),
        (ctypes.c_uint64, "feedback_seed data_seed noise_seed"),
        (ctypes.c_int, "keep_gradients"), (ctypes.c_uint64, "warmup"),
        (ctypes.c_char_p, "milestones"),
        (ctypes.c_double, "decay clip learning_rate_adamw"),
        (ctypes.c_uint64, "measure_steps"), (ctypes.c_int, "measure_epochs"),
        (ctypes.c_char_p, "feedback loss_reduction weight_decay_schedule"),
        (ctypes.c_uint64, "weight_decay_steps"),
        (ctypes.c_double, "mirror_rate mirror_decay"), (ctypes.c_char_p, "dfa_conv"),
    ) for name in names.split()]


class ModelOptions(ctypes.Structure):  # fal_model_options, as far as it is needed
    _fields_ = [("size", ctypes.c_size_t), ("seed", ctypes.c_uint64),
                ("weight_law", ctypes.c_char_p), ("data", ctypes.c_void_p)]


class Falign(golden.Falign):
    """Of networks that may be presets, for samples of some shape."""

    def __init__(self, library, network, rule, seed, form="map", shape=None):
        self.library, self.form, self.shape = library, form, shape
        self.dataset = ctypes.c_void_p()
        super().__init__(library, network, rule, seed)

    def trainer_options(self, rule):
        options = TrainerOptions()
        self.library.fal_trainer_options_init(ctypes.byref(options),
                                              ctypes.c_size_t(ctypes.sizeof(options)))
        options.rule, options.schedule = rule.encode(), b"constant"
        options.dfa_conv = self.form.encode()
        return options

    def model_options(self, seed):
        if self.shape:
            height, width, channels = self.shape
            inputs = (ctypes.c_float * (height * width * channels))()
            labels = (ctypes.c_int32 * 1)()
            arrays = golden.Arrays(ctypes.sizeof(golden.Arrays), 1, height, width,
                                   channels, 1, ctypes.addressof(inputs),
                                   ctypes.addressof(labels), PRESET_CLASSES)
            self.call("fal_dataset_create", ctypes.byref(self.dataset),
                      ctypes.byref(arrays))
        return ModelOptions(ctypes.sizeof(ModelOptions), seed, None, self.dataset)

    def text(self):
        self.library.fal_model_network.restype = ctypes.c_char_p
        return self.library.fal_model_network(self.model).decode()


def draw(falign, path):
    """Text, weights and feedback of a trainer that has made no step."""
    falign.save(path)
    text, tensors = falign.text(), golden.read_tensors(path)
    falign.close()
    feedback = {name: value for name, value in tensors.items()
                if name.endswith(".feedback")}
    return text, {name: value for name, value in tensors.items()
                  if name not in feedback}, feedback


def write_runs(library, folder, name):
    batches = make_batches(name)
    maps = batches["inputs"].reshape(-1, *batches["inputs"].shape[2:])
    golden.write_tensors(os.path.join(folder, f"batches-{name}.safetensors"),
                         {**batches, "inputs": maps}, {"numpy": np.__version__})
    for rule, form in dict.fromkeys((rule, form) for rule, _, form in RUNS[name]):
        own = name + ("" if form == "map" else "-" + form)
        start = os.path.join(folder, f"start-{rule}-{own}.safetensors")
        text, weights, feedback = draw(
            Falign(library, NETWORKS[name], rule, SEED.get((name, rule), 1), form),
            start)
        network = Network(own, text)
        for optimizer in [run[1] for run in RUNS[name] if run[::2] == (rule, form)]:
            how = golden.Configuration(rule, optimizer, network, network.muons())
            golden.write_golden(folder, how, weights, nchw(batches),
                                [feedback] * STEPS)


# ---- presets ----------------------------------------------------------------------------

# One step of each, too large for all its numbers: of each gradient the norm and its
# products with three vectors of signs.
PRESETS = (("lenet", (28, 28, 1)), ("lenet", (32, 32, 3)), ("cnn4", (32, 32, 3)),
           ("resnet20", (32, 32, 3)))
PRESET_RULES = ("bp", "fa", "dfa")
PRESET_CLASSES, PRESET_ROWS, PROBES = 10, 2, 3


def uniform(count):
    """tests/learning.h's numbers."""
    state, values = 1, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        values.append(((state >> 32) ^ 2 ** 31) - 2 ** 31)
    return np.array(values) / 2 ** 31


def preset_batch(shape):
    numbers = uniform(PRESET_ROWS * (math.prod(shape) + 1))
    labels = ((numbers[-PRESET_ROWS:] + 1) / 2 * PRESET_CLASSES).astype(np.int64)
    inputs = numbers[:-PRESET_ROWS].astype(np.float32).reshape(PRESET_ROWS, *shape)
    return inputs.transpose(0, 3, 1, 2).copy(), labels


def signs(count, probe):
    h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    h += np.uint32(probe * 0x85EBCA77 % 2 ** 32)
    for shift, factor in (15, 0x2C1B3C6D), (12, 0x297A2D39), (15, 1):
        h = (h ^ h >> np.uint32(shift)) * np.uint32(factor)
    return 1. - 2. * (h & np.uint32(1))


def preset_gradients(network, rule, weights, feedback, batch, dtype):
    tensors, own = golden.convert(weights, dtype), golden.convert(feedback, dtype)
    batch = torch.tensor(batch[0], dtype=dtype), torch.tensor(batch[1])
    how = golden.Configuration(rule, "sgd", network, ())
    gradients, now = network.gradients(how, tensors, batch, own, 0)
    if dtype == torch.float64:
        check_gradients(network, tensors, batch, rule, own, 0, gradients, now)
    loss = F.cross_entropy(forward(network, tensors, batch[0], 0).tensors[-1], batch[1])
    return {**gradients, "loss": loss.view(1)}


def write_preset(library, name, shape, rule, found):
    what = f"{name}-{'x'.join(map(str, shape))}/{rule}"
    path = os.path.join(tempfile.gettempdir(), f"falign-{os.getpid()}.safetensors")
    text, weights, feedback = draw(Falign(library, name, rule, 1, shape=shape), path)
    os.unlink(path)
    network = Network(name, text)
    double, single = (
        preset_gradients(network, rule, weights, feedback, preset_batch(shape), dtype)
        for dtype in (torch.float64, torch.float32))
    for tensor, value in double.items():
        flat = value.flatten().numpy()
        apart = float((single[tensor] - value).norm() / value.norm())
        probes = [flat @ signs(flat.size, probe) for probe in range(PROBES)]
        found[f"{what}/{tensor}"] = np.array([np.linalg.norm(flat), apart, *probes])
    print(f"{what:24} loss {float(double['loss']):.6f}", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "..", "golden")
    library = ctypes.CDLL(os.path.abspath(sys.argv[1]))
    torch.set_num_threads(1)
    for name in sys.argv[3:] or NETWORKS:
        write_runs(library, folder, name)
    found = {}
    for name, shape in PRESETS if len(sys.argv) <= 3 else ():
        for rule in PRESET_RULES:
            write_preset(library, name, shape, rule, found)
    if found:
        golden.write_tensors(os.path.join(folder, "presets.safetensors"), found,
                             {"torch": torch.__version__})


if __name__ == "__main__":
    main()
