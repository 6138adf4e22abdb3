"""Golden runs: what 72 short trainings should do, by PyTorch in double precision.

    python3 golden.py LIBFALIGN [FOLDER [RULE...]]

Writes the files of tests/golden (or of FOLDER, and of these rules only), against which
tests/test_golden.c holds falign; tests/golden/README.md says what is in them. Needs
PyTorch and a built libfalign.so.

Nothing of falign computes here: forward, backward by each rule, batch norm, the
optimizers and what feedback learns are written below from their formulas, inputs and
labels are NumPy's, the mirror's noise is Philox's. falign gives the start (weights and
feedback as fal_trainer_save writes them) and the random numbers that brsf draws during
a run, read through fal_trainer_tensor. Every step is checked a second time: the
gradients by autograd, with the carriers spliced into its graph, the optimizers by
torch.optim, the mirror by the weight gradient of its noise. All is done once more in
float32, which says how far from double falign may be."""
import collections
import ctypes
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

NETWORKS = {
    "none": "input 33, dense 37, {}, dense 19, tanh, dense 5",
    # without biases: below a batch norm their gradients are 0 but for rounding, and
    # what Adam makes of a rounding is nobody's reference
    "batch": "input 33, dense 37 nobias, norm, {}, dense 19 nobias, norm, tanh, "
             "dense 5",
}
RULES = ("bp", "fa", "dfa", "usf", "brsf", "frsf", "kp", "wm", "drtp")
LEARNING = ("kp", "wm")  # rules whose feedback does not stay
DIRECT = ("dfa", "drtp")
OPTIMIZERS = ("sgd", "adam", "adamw", "muon")
BATCH, INPUTS, CLASSES = 23, 33, 5
STEPS = 20
DECAY = .01
RATE = {"sgd": .01, "adam": .001, "adamw": .001, "muon": .02}
RATE_ADAMW = 3e-4  # of what muon leaves to adamw
MIRROR_RATE = MIRROR_DECAY = .01
MUONS = ("dense1.weight", "dense2.weight")
NOISE_SEED, MIRROR = 1, 6  # of wm's noise; its purpose

# Of the weights; 1 is the default. Where all of a unit's output weights share one sign,
# usf hands it the sum of the errors of all classes, which is 0 but for rounding (as
# above), and one unit has such weights under the seed 1.
SEED = {"usf": 3}


# A run; `muons`: the names of what Muon moves, where it is the optimizer
Configuration = collections.namedtuple("Configuration", "rule optimizer network muons")


def layers(rule):
    """Name, norm and nonlinearity; drtp wants units that are bounded."""
    return (("dense1", "norm1", "tanh" if rule == "drtp" else "relu"),
            ("dense2", "norm2", "tanh"), ("dense3", None, None))


def network(norm, rule):
    return NETWORKS[norm].format(layers(rule)[0][2])


def recorded(rule):
    """The states that are kept: so many updates are done."""
    return (17,) if rule in (*LEARNING, "drtp") else (3, 17)


# ---- files ----------------------------------------------------------------------

def read_tensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4")
            .reshape(entry["shape"]) for name, entry in header.items()}


def write_tensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in sorted(tensors.items()):
        bytes_type = array.dtype == np.uint8
        part = array.astype("u1" if bytes_type else "<f4").tobytes()
        header[name] = {"dtype": "U8" if bytes_type else "F32",
                        "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- what falign gives ------------------------------------------------------------

class Arrays(ctypes.Structure):  # fal_arrays, as far as it is needed
    _fields_ = [("size", ctypes.c_size_t), ("count", ctypes.c_size_t),
                ("height", ctypes.c_size_t), ("width", ctypes.c_size_t),
                ("channels", ctypes.c_size_t), ("type", ctypes.c_int),
                ("inputs", ctypes.c_void_p), ("labels", ctypes.c_void_p),
                ("classes", ctypes.c_size_t)]


class ModelOptions(ctypes.Structure):  # fal_model_options, its beginning
    _fields_ = [("size", ctypes.c_size_t), ("seed", ctypes.c_uint64)]


class TrainerOptions(ctypes.Structure):  # fal_trainer_options, its beginning
    _fields_ = [("size", ctypes.c_size_t), ("rule", ctypes.c_char_p),
                ("optimizer", ctypes.c_char_p), ("loss", ctypes.c_char_p),
                ("schedule", ctypes.c_char_p)]


class Falign:
    """A trainer of the library, for its random numbers."""

    def __init__(self, library, network, rule, seed):
        self.library = library
        self.library.fal_error_message.restype = ctypes.c_char_p
        self.device, self.model = ctypes.c_void_p(), ctypes.c_void_p()
        self.trainer = ctypes.c_void_p()
        options, shape = self.trainer_options(rule), self.model_options(seed)
        self.call("fal_device_open", ctypes.byref(self.device), None)
        self.call("fal_model_create", ctypes.byref(self.model), self.device,
                  network.encode(), ctypes.byref(shape))
        self.call("fal_trainer_create", ctypes.byref(self.trainer), self.model,
                  ctypes.byref(options))

    def trainer_options(self, rule):
        return TrainerOptions(ctypes.sizeof(TrainerOptions), rule.encode(), b"sgd",
                              None, b"constant")

    def model_options(self, seed):
        return ModelOptions(ctypes.sizeof(ModelOptions), seed)

    def call(self, name, *arguments):
        if getattr(self.library, name)(*arguments):
            sys.exit(self.library.fal_error_message().decode())

    def close(self):
        self.library.fal_trainer_destroy(self.trainer)
        self.library.fal_model_destroy(self.model)
        self.library.fal_device_destroy(self.device)

    def save(self, path):
        self.call("fal_trainer_save", self.trainer, path.encode())

    def step(self):
        """An update, whatever it does to the weights."""
        inputs = (ctypes.c_float * (2 * INPUTS))()
        labels = (ctypes.c_int32 * 2)()
        arrays = Arrays(ctypes.sizeof(Arrays), 2, 1, 1, INPUTS, 1,
                        ctypes.addressof(inputs), ctypes.addressof(labels),
                        CLASSES)
        self.call("fal_trainer_step", self.trainer, ctypes.byref(arrays), None)

    def tensor(self, name):
        shape, dimensions = (ctypes.c_size_t * 4)(), ctypes.c_size_t()
        self.call("fal_trainer_tensor_shape", self.trainer, name.encode(), shape,
                  ctypes.byref(dimensions))
        sizes = list(shape[:dimensions.value])
        values = np.empty(sizes, np.float32)
        self.call("fal_trainer_tensor", self.trainer, name.encode(),
                  values.ctypes.data_as(ctypes.c_void_p),
                  ctypes.c_size_t(values.size))
        return values


def draw(library, norm, rule, path):
    """Weights at the start, and the feedback of each step, by layer."""
    falign = Falign(library, network(norm, rule), rule, SEED.get(rule, 1))
    falign.save(path)
    tensors = read_tensors(path)
    weights = {name: value for name, value in tensors.items()
               if not name.endswith(".feedback")}
    fixed = {name: value for name, value in tensors.items()
             if name.endswith(".feedback")}
    feedback = [fixed] * STEPS
    if rule == "brsf":
        feedback = []
        for _ in range(STEPS):
            feedback.append({name: falign.tensor(name) for name in fixed})
            falign.step()
        same = all((feedback[0][name] == fixed[name]).all() for name in fixed)
        changes = all((feedback[0][name] != feedback[1][name]).any() for name in fixed)
        assert same and changes and len(fixed) == 2
    falign.close()
    return weights, feedback


# ---- the rules --------------------------------------------------------------------

def carrier(rule, weight, feedback):
    """What stands in the weight's place on the way down, [out][in]; direct rules have
    nothing of its shape."""
    if rule == "bp" or rule in DIRECT:
        return weight
    if rule in ("fa", *LEARNING):
        return feedback
    if rule == "usf":  # the standard deviation of U(+-1/sqrt(fan_in))
        return weight.sign() / math.sqrt(3 * weight.shape[1])
    return feedback.abs() * weight.sign()


def forward(w, x, rule):
    """By layer what backward needs; "z" is what the nonlinearity gets."""
    tape, h = [], x
    for dense, norm, phi in layers(rule):
        kept = {"input": h}
        z = h @ w[dense + ".weight"].T
        if dense + ".bias" in w:
            z = z + w[dense + ".bias"]
        if norm and norm + ".weight" in w:
            mean = z.mean(0)
            kept["mean"], kept["variance"] = mean, ((z - mean) ** 2).mean(0)
            kept["root"] = torch.sqrt(kept["variance"] + 1e-5)
            kept["normal"] = (z - mean) / kept["root"]
            z = w[norm + ".weight"] * kept["normal"] + w[norm + ".bias"]
        kept["z"] = z
        h = z * (z > 0) if phi == "relu" else torch.tanh(z)
        tape.append(kept)
    return tape


def through_norm(w, norm, kept, signal, gradients):
    gradients[norm + ".weight"] = (signal * kept["normal"]).sum(0)
    gradients[norm + ".bias"] = signal.sum(0)
    s = signal * w[norm + ".weight"]
    inner = s - s.mean(0) - kept["normal"] * (s * kept["normal"]).mean(0)
    return inner / kept["root"]


def error_of(z, labels):
    """Of the mean cross-entropy, by what the softmax gets."""
    powers = torch.exp(z - z.max(1, keepdim=True).values)
    error = powers / powers.sum(1, keepdim=True)
    return (error - F.one_hot(labels, z.shape[1]).to(z.dtype)) / len(labels)


def backward(w, tape, labels, rule, feedback):
    """Gradients of the mean cross-entropy, as the rule has them."""
    gradients = {}
    delta = error = error_of(tape[-1]["z"], labels)
    for i in reversed(range(len(tape))):
        dense = layers(rule)[i][0]
        gradients[dense + ".weight"] = delta.T @ tape[i]["input"]
        if dense + ".bias" in w:
            gradients[dense + ".bias"] = delta.sum(0)
        if i == 0:
            return gradients
        below, norm, phi = layers(rule)[i - 1]
        if rule == "dfa":
            signal = error @ feedback[below + ".feedback"]
        elif rule == "drtp":
            target = F.one_hot(labels, CLASSES).to(delta.dtype)
            signal = -(target @ feedback[below + ".feedback"]) / len(labels)
        else:
            signal = delta @ carrier(rule, w[dense + ".weight"],
                                     feedback.get(dense + ".feedback"))
        z = tape[i - 1]["z"]
        signal = signal * ((z > 0) if phi == "relu" else 1 - torch.tanh(z) ** 2)
        if norm + ".weight" in w:
            signal = through_norm(w, norm, tape[i - 1], signal, gradients)
        delta = signal


def running(w, tape, rule):
    """The running statistics after a step."""
    after = {}
    for (_, norm, _), kept in zip(layers(rule), tape):
        if "mean" not in kept:
            continue
        unbiased = kept["variance"] * BATCH / (BATCH - 1)
        for what, now in ("running_mean", kept["mean"]), ("running_var", unbiased):
            name = f"{norm}.{what}"
            after[name] = .9 * w[name] + .1 * now
    return after


# ---- the optimizers ---------------------------------------------------------------

def orthogonal(u):
    """Five steps of Newton-Schulz."""
    x = u / (torch.sqrt((u * u).sum()) + 1e-7)
    if u.shape[0] > u.shape[1]:
        x = x.T
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if u.shape[0] > u.shape[1] else x


def by_sgd(g, m, rate, coupled):
    m = .9 * m + g + coupled
    return -(rate * m), m


def by_adam(g, m, v, t, rate, coupled, beta2=.999, epsilon=1e-8):
    g = g + coupled
    m = .9 * m + .1 * g
    v = beta2 * v + (1 - beta2) * g * g
    mean, variance = m / (1 - .9 ** t), v / (1 - beta2 ** t)
    return -(rate * mean / (torch.sqrt(variance) + epsilon)), m, v


def by_muon(g, m, rate):
    m = .95 * m + .05 * g
    out, inputs = g.flatten(1).shape
    x = orthogonal((.05 * g + .95 * m).flatten(1)).view(g.shape)
    return -(rate * math.sqrt(max(1, out / inputs)) * x), m


def cosine(rate, step):
    return rate / 2 * (1 + math.cos(math.pi * step / STEPS))


def rule_of(how, name):
    """By which the layer of a parameter, or of its feedback, learns."""
    return how.network.rule_of(how.rule, name)


def is_coupled(how, name):
    """Whether the decay goes through the gradient: never under kp."""
    return how.optimizer in ("sgd", "adam") and rule_of(how, name) != "kp"


def is_muons(how, name):
    return how.optimizer == "muon" and name in how.muons


def rate_of(how, name):
    rest = how.optimizer == "muon" and name not in how.muons
    return RATE_ADAMW if rest else RATE[how.optimizer]


def keeps_of(how, name, step):
    """The factor by which a step shrinks a parameter."""
    return 1 if is_coupled(how, name) else 1 - cosine(rate_of(how, name), step) * DECAY


def improve(how, name, w, g, m, v, step):
    """What is added to a weight in step 0, 1, … beside its decay; moment, square."""
    rate = cosine(rate_of(how, name), step)
    coupled = DECAY * w if is_coupled(how, name) else 0
    if how.optimizer == "sgd":
        return *by_sgd(g, m, rate, coupled), v
    if is_muons(how, name):
        return *by_muon(g, m, rate), v
    if how.optimizer == "muon":
        return by_adam(g, m, v, step + 1, rate, 0, .95, 1e-10)
    return by_adam(g, m, v, step + 1, rate, coupled)


# ---- feedback that learns -----------------------------------------------------------

def philox(counter, key):
    """Four 32-bit words of Philox4x32-10 (Salmon et al. 2011), NumPy has another."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        one, other = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [other >> 32 ^ c[1] ^ k[0], other & mask, one >> 32 ^ c[3] ^ k[1],
             one & mask]
        k = [k[0] + 0x9E3779B9 & mask, k[1] + 0xBB67AE85 & mask]
    return c


def check_philox():
    """The authors' known answers."""
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    assert philox((0,) * 4, (0,) * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C,
                                          0x9B00DBD8]
    assert philox(*pi) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def noise(rows, columns, layer, draw):
    """xi of a mirror step: N(0, 1), two numbers of two words."""
    values = []
    for block in range((rows * columns + 3) // 4):
        words = philox((block, 0, draw, 256 * layer + MIRROR), (NOISE_SEED, 0))
        for a, b in (words[:2], words[2:]):
            radius = math.sqrt(-2 * math.log(((a >> 9) + .5) * 2 ** -23))
            angle = math.pi * (b >> 8) * 2 ** -23
            values += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(values[:rows * columns]).reshape(rows, columns)


def centered(x):
    return x - x.mean(0)


def mirrored(w, name, feedback, layer, draw, phi):
    """B of a layer after a mirror step."""
    weight = w[name + ".weight"]
    xi = torch.tensor(noise(BATCH, weight.shape[1], layer, draw), dtype=weight.dtype)
    y = xi @ weight.T
    y = torch.tanh(y) if phi == "tanh" else y
    taught = centered(y).T @ centered(xi) * (MIRROR_RATE / BATCH)
    return (1 - MIRROR_DECAY) * feedback + taught


def learning(how, feedback):
    """The names of the feedback that does not stay."""
    return [name for name in feedback if rule_of(how, name) in LEARNING]


def shifted(how, added, feedback, step):
    """kp's feedback after a step: it makes its weight's."""
    taught = {}
    for name, own in feedback.items():
        if rule_of(how, name) != "kp":
            continue
        weight = name.replace(".feedback", ".weight")
        taught[name] = keeps_of(how, weight, step) * own + added[weight]
    return taught


# ---- a second opinion ---------------------------------------------------------------

def must_agree(what, one, other, bound):
    gap, size = float((one - other).norm()), float(other.norm())
    if not gap <= bound * size + 1e-15:
        sys.exit(f"{what}: {gap:g} apart, norm {size:g}")


def check_gradients(w, state, x, labels, rule, feedback, gradients, after):
    """autograd's own, where the way down is made to lead through the carrier."""
    leaf = {name: value.clone().requires_grad_() for name, value in w.items()}
    statistics = {name: value.clone() for name, value in state.items()}
    h, hidden = x, []
    for dense, norm, phi in layers(rule):
        weight = leaf[dense + ".weight"]
        z = F.linear(h.detach(), weight, leaf.get(dense + ".bias"))
        if h.requires_grad and rule not in DIRECT:
            own = carrier(rule, weight, feedback.get(dense + ".feedback"))
            down = h @ own.detach().T
            z = z + (down - down.detach())
        if norm and norm + ".weight" in leaf:
            z = F.batch_norm(z, statistics[norm + ".running_mean"],
                             statistics[norm + ".running_var"], leaf[norm + ".weight"],
                             leaf[norm + ".bias"], True, .1, 1e-5)
        h = {"relu": torch.relu, "tanh": torch.tanh, None: lambda a: a}[phi](z)
        hidden.append(h)
    loss = F.cross_entropy(h, labels)
    if rule in DIRECT:
        error, = torch.autograd.grad(loss, h, retain_graph=True)
        if rule == "drtp":
            error = error - F.softmax(h.detach(), 1) / len(labels)
        for (dense, _, _), out in zip(layers(rule)[:-1], hidden):
            loss = loss + (out * (error @ feedback[dense + ".feedback"])).sum()
    loss.backward()
    for name, value in leaf.items():
        must_agree(f"{rule}, gradient of {name}", gradients[name], value.grad, 1e-12)
    for name, value in statistics.items():
        must_agree(f"{rule}, {name}", after[name], value, 1e-12)


class Optimizers:
    """torch.optim on the same gradients. Its Muon computes in bfloat16 and is left out
    (check_orthogonal). Under kp its SGD and Adam have no decay of their own; what they
    add to a weight, kp's feedback takes too. Without a gradient nothing moves."""

    def __init__(self, how, w):
        self.how = how
        self.leaf = {name: value.clone().requires_grad_() for name, value in w.items()
                     if not is_muons(how, name)}
        own = [{"params": [value], "weight_decay": 0 if self.is_apart(name) else DECAY}
               for name, value in self.leaf.items()]
        self.torch = {
            "sgd": lambda: torch.optim.SGD(own, 1, momentum=.9),
            "adam": lambda: torch.optim.Adam(own, 1),
            "adamw": lambda: torch.optim.AdamW(own, 1),
            "muon": lambda: torch.optim.AdamW(own, 1, (.9, .95), 1e-10),
        }[how.optimizer]()

    def is_apart(self, name):
        """Whether its decay is left to us."""
        return (rule_of(self.how, name) == "kp"
                and self.how.optimizer in ("sgd", "adam"))

    def check(self, step, gradients, after, feedback, taught):
        optimizer = self.how.optimizer
        base = RATE_ADAMW if optimizer == "muon" else RATE[optimizer]
        rate = cosine(base, step)
        for group in self.torch.param_groups:
            group["lr"] = rate
        before = {name: value.detach().clone() for name, value in self.leaf.items()}
        for name, value in self.leaf.items():
            value.grad = gradients[name].clone() if name in gradients else None
            value.data *= 1 - rate * DECAY if self.is_apart(name) else 1
        self.torch.step()
        for name, value in self.leaf.items():
            must_agree(f"{optimizer}, {name}", after[name], value.detach(), 1e-12)
            own = name.replace(".weight", ".feedback")
            if own != name and own in taught and rule_of(self.how, name) == "kp":
                gap = (1 - rate * DECAY) * (before[name] - feedback[own])
                must_agree(f"kp by {optimizer}, {own}",
                           value.detach() - taught[own], gap, 1e-12)


def check_mirror(after, feedback, taught, step):
    """What wm teaches is the weight gradient of noise against its response."""
    for number, (name, activation) in enumerate((("dense2", torch.tanh),
                                                 ("dense3", torch.nn.Identity())), 2):
        leaf = feedback[name + ".feedback"].clone().requires_grad_()
        xi = torch.tensor(noise(BATCH, leaf.shape[1], number, step))
        y = activation(F.linear(xi, after[name + ".weight"]))
        spread = torch.eye(BATCH, dtype=xi.dtype) - 1 / BATCH
        F.linear(spread @ xi, leaf).mul(spread @ y).sum().backward()
        expected = leaf.detach() * .99 + leaf.grad * .01 / BATCH
        must_agree(f"wm, {name}", taught[name + ".feedback"], expected, 1e-12)


def check_orthogonal():
    """One singular value after five steps, by exact arithmetic (science section 2)."""
    table = {.001: .470544, .01: .698917, .1: .712120, .25: .714526, .5: .765439,
             .75: 1.046693}
    for s, expected in table.items():
        u = torch.zeros(3, 7, dtype=torch.float64)
        u[1, 4], u[2, 0] = s, math.sqrt(1 - s * s)
        found = float(orthogonal(u)[1, 4])
        if abs(found - expected) > 2e-6:
            sys.exit(f"Newton-Schulz of {s}: {found}, not {expected}")
        if not torch.equal(orthogonal(u), orthogonal(u.T).T):
            sys.exit("Newton-Schulz of a tall matrix")


# ---- runs ---------------------------------------------------------------------------

class Dense:
    """The networks of NETWORKS, without a norm and with batch norm. Others are in
    golden_maps.py."""
    steps = STEPS

    def __init__(self, norm):
        self.name = norm

    recorded = staticmethod(recorded)

    @staticmethod
    def rule_of(rule, _):
        """All layers have the trainer's."""
        return rule

    @staticmethod
    def gradients(how, tensors, batch, feedback, _):
        """By the rule; and the running statistics after the step."""
        w = {name: value for name, value in tensors.items() if not is_state(name)}
        tape = forward(w, batch[0], how.rule)
        return (backward(w, tape, batch[1], how.rule, feedback),
                running(tensors, tape, how.rule))

    @staticmethod
    def mirrored(how, after, feedback, step):
        return {} if how.rule != "wm" else {
                name + ".feedback": mirrored(after, name, feedback[name + ".feedback"],
                                             number, step, phi)
                for number, (name, _, phi) in enumerate(layers(how.rule), 1)
                if name + ".feedback" in feedback}

    @staticmethod
    def check(how, tensors, batch, feedback, step, results):
        gradients, after, _, taught = results
        w = {name: value for name, value in tensors.items() if not is_state(name)}
        state = {name: value for name, value in tensors.items() if is_state(name)}
        check_gradients(w, state, *batch, how.rule, feedback, gradients, after)
        if how.rule == "wm":
            check_mirror(after, feedback, taught, step)
        signs = w["dense3.weight"].sign().sum(0).abs()
        if how.rule == "usf" and float(signs.max()) == CLASSES:
            sys.exit(f"usf, step {step}: the errors of a unit cancel; see SEED")


def is_state(name):
    return ".running_" in name


def one_step(how, tensors, kept, batch, feedback, step):
    """Gradients; then tensors, (moment, square) and feedback after the step, which a
    mirror step ends. What has no gradient stays."""
    gradients, after = how.network.gradients(how, tensors, batch, feedback, step)
    kept_after, added = dict(kept), {}
    for name, value in tensors.items():
        if name not in gradients:
            after.setdefault(name, value)
            continue
        added[name], *kept_after[name] = improve(how, name, value, gradients[name],
                                                 *kept[name], step)
        after[name] = value * keeps_of(how, name, step) + added[name]
    taught = {**feedback, **shifted(how, added, feedback, step),
              **how.network.mirrored(how, after, feedback, step)}
    return gradients, after, kept_after, taught


def convert(tensors, dtype):
    return {name: torch.tensor(np.array(value), dtype=dtype)
            for name, value in tensors.items()}


def run(how, start, batches, feedback, dtype, on_step):
    """All steps; on_step(step, tensors, kept, batch, feedback, results). What they
    end with, feedback that learns included."""
    tensors = convert(start, dtype)
    kept = {name: (torch.zeros_like(value), torch.zeros_like(value))
            for name, value in tensors.items() if not is_state(name)}
    own = convert(feedback[0], dtype)
    learns = learning(how, own)
    for step in range(how.network.steps):
        batch = (torch.tensor(batches["inputs"][step], dtype=dtype),
                 torch.tensor(batches["labels"][step], dtype=torch.int64))
        own = own if learns else convert(feedback[step], dtype)
        results = one_step(how, tensors, kept, batch, own, step)
        on_step(step, tensors, kept, batch, own, results)
        _, tensors, kept, own = results
    return {**tensors, **{name: own[name] for name in learns}}


def rounded(value):
    return value.to(torch.float32).to(torch.float64)


def keeps(how, name):
    """How many of (moment, square) the optimizer has of a parameter."""
    return 1 if how.optimizer == "sgd" or is_muons(how, name) else 2


def record(found, how, step, tensors, kept, batch, feedback):
    """The state, rounded to float32, and what a step from there does."""
    tensors = {name: rounded(value) for name, value in tensors.items()}
    kept = {name: [rounded(value) for value in pair] for name, pair in kept.items()}
    feedback = {name: rounded(value) for name, value in feedback.items()}
    gradients, after, _, taught = one_step(how, tensors, kept, batch, feedback, step)
    for name, value in tensors.items():
        found[f"{step}/{name}"] = value
        found[f"{step}/{name}.change"] = after[name] - value
    for name, gradient in gradients.items():
        found[f"{step}/{name}.gradient"] = gradient
        for what, value in list(zip(("moment", "square"), kept[name]))[
                :keeps(how, name)]:
            found[f"{step}/{name}.{what}"] = value
    if hasattr(how.network, "outputs"):
        found[f"{step}/outputs"] = how.network.outputs(tensors, batch[0])
    learns = learning(how, feedback)
    for name in feedback if how.rule == "brsf" else learns:
        found[f"{step}/{name}"] = feedback[name]
    for name in learns:
        found[f"{step}/{name}.change"] = taught[name] - feedback[name]


def golden(how, start, batches, feedback):
    """Tensors of a configuration's file, and the distance of float32 from double."""
    found = {}
    w = {name: value for name, value in convert(start, torch.float64).items()
         if not is_state(name)}
    second = Optimizers(how, w)

    def watch(step, tensors, kept, batch, own, results):
        gradients, after, _, taught = results
        how.network.check(how, tensors, batch, own, step, results)
        second.check(step, gradients, after, own, taught)
        if step in how.network.recorded(how.rule):
            record(found, how, step, tensors, kept, batch, own)

    last = run(how, start, batches, feedback, torch.float64, watch)
    single = run(how, start, batches, feedback, torch.float32, lambda *_: None)
    apart = sum(float(((single[name] - value) ** 2).sum())
                for name, value in last.items())
    size = sum(float((value ** 2).sum()) for value in last.values())
    for name, value in last.items():
        found[f"{how.network.steps}/{name}"] = value
    return ({name: value.numpy() for name, value in found.items()},
            math.sqrt(apart / size))


def write_golden(folder, how, start, batches, feedback):
    tensors, distance = golden(how, start, batches, feedback)
    name = f"{how.rule}-{how.optimizer}-{how.network.name}"
    write_tensors(os.path.join(folder, name + ".safetensors"), tensors,
                  {"float32_distance": repr(distance), "torch": torch.__version__})
    print(f"{name:16} float32 {distance:.2e} from double", flush=True)


def make_batches():
    random = np.random.default_rng(6)
    inputs = random.standard_normal((STEPS, BATCH, INPUTS)).astype(np.float32)
    teacher = random.standard_normal((INPUTS, CLASSES))
    labels = (inputs @ teacher).argmax(2).astype(np.uint8)
    return {"inputs": inputs, "labels": labels}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "..", "golden")
    library = ctypes.CDLL(os.path.abspath(sys.argv[1]))
    torch.set_num_threads(1)
    check_orthogonal()
    check_philox()
    batches = make_batches()
    write_tensors(os.path.join(folder, "batches.safetensors"), batches,
                  {"numpy": np.__version__})
    for rule in sys.argv[3:] or RULES:
        for norm in NETWORKS:
            path = os.path.join(folder, f"start-{rule}-{norm}.safetensors")
            start, feedback = draw(library, norm, rule, path)
            for optimizer in OPTIMIZERS:
                how = Configuration(rule, optimizer, Dense(norm), MUONS)
                write_golden(folder, how, start, batches, feedback)


if __name__ == "__main__":
    main()
