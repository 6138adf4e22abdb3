"""Convolutional and residual networks, their rules and their mirror in PyTorch, for
golden_maps.py.

A network is read from its text, the one that falign saved; its layers, what the rules
make of them and the mirror are written below from their formulas, with patches that lie
in memory, and are checked a second time: by torch's own convolutions, pools and norms,
and autograd, into whose graph carriers and direct signals are spliced."""
import math
import re
import sys
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

import golden
from golden import must_agree, philox

DROPOUT = 4  # its purpose


# ---- networks -----------------------------------------------------------------------

def items_of(text):
    """By the commas outside of brackets."""
    items, depth, item = [], 0, ""
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            items.append(item.strip())
            item = ""
        else:
            item += letter
    return [*items, item.strip()]


def after(words, word, default):
    return int(words[words.index(word) + 1]) if word in words else default


class Network:
    """Layers with what they read and where they end: tensor 0 is the input, i + 1 what
    layer i makes. `number` counts layers with weight matrices, as falign does."""
    steps = 8

    def __init__(self, name, text):
        self.name, self.layers, self.shapes = name, [], []
        self.weights = self.dropouts = 0
        self.rule = None
        self.add_all(items_of(text)[1:], "")
        self.matrices = [layer for layer in self.layers if layer.number]

    @staticmethod
    def recorded(_):
        return (5,)

    def add_all(self, items, scope):
        """Names begin with that of the block they stand in."""
        for item in items:
            name, item = re.fullmatch(r"(?:([\w.-]+)=)?(.*)", item).groups()
            if item.startswith("block("):
                self.add_block(item, f"{scope}{name}.")
            else:
                kind, *words = item.split()
                self.push(kind, scope + name, words)

    def push(self, kind, name, words, source=None, beside=None):
        layer = SimpleNamespace(kind=kind, name=name, words=words, beside=beside,
                                index=len(self.layers), number=0, rule=None)
        layer.source = layer.index if source is None else source
        if kind in ("conv", "dense"):
            self.weights += 1
            layer.number = self.weights
            self.rule = next((word[len("rule="):] for word in words
                              if word.startswith("rule=")), None)
        layer.rule = self.rule  # the trainer's, of what follows a matrix that one's
        if kind == "conv":
            layer.size = int(words[1])
            layer.stride = after(words, "stride", 1)
            layer.pad = after(words, "pad", (layer.size - 1) // 2)
        if kind == "pool" and words[0] != "global":
            layer.size = int(words[1])
            layer.stride = after(words, "stride", layer.size)
        if kind == "dropout":
            self.dropouts += 1
            layer.dropout, layer.rate = self.dropouts, float(words[0])
        self.layers.append(layer)

    def add_block(self, item, scope):
        inside, _, last = item[len("block("):-1].rpartition("; shortcut=")
        shortcut, *rule = last.split()
        begin = beside = len(self.layers)
        self.add_all(items_of(inside), scope)
        if shortcut == "projection":
            body, beside = self.layers[begin:], len(self.layers)
            convolutions = [layer for layer in body if layer.kind == "conv"]
            stride = math.prod(layer.stride for layer in convolutions)
            words = [convolutions[-1].words[0], "1", "stride", str(stride),
                     *rule]
            self.push("conv", scope + "downsample.0", words, source=begin)
            if body[-1].kind == "norm":
                self.push("norm", scope + "downsample.1", [])
        self.push("join", scope[:-1], [shortcut], beside=beside)

    def readers(self, tensor):
        return [layer for layer in self.layers if tensor in (layer.source, layer.beside)]

    def end(self, layer):
        """The tensor behind its norm, nonlinearity, dropout and join, or where ways
        part."""
        tensor = layer.index + 1
        while True:
            readers = self.readers(tensor)
            if len(readers) != 1 or readers[0].kind not in (
                    "norm", "relu", "tanh", "dropout", "join"):
                return tensor
            tensor = readers[0].index + 1

    def nonlinearity(self, layer):
        """The one that makes its outputs, for the mirror."""
        end = self.end(layer)
        kinds = [other.kind for other in self.layers[layer.index:end]]
        return next((kind for kind in kinds if kind in ("relu", "tanh")), None)

    def feedback_of(self, layer):
        """The layer whose direct feedback ends where this one does: of a projection
        the block's last convolution."""
        end = self.end(layer)
        return next(other for other in self.matrices if self.end(other) == end)

    def rule_of(self, rule, name):
        """The layer's own, or the trainer's."""
        layer = next(layer for layer in self.layers
                     if layer.name == name.rpartition(".")[0])
        return layer.rule or rule

    def directs(self, rule):
        """Where a direct rule brings a signal: the layer that has its feedback, by
        tensor."""
        owners = {self.end(layer): self.feedback_of(layer)
                  for layer in self.matrices[:-1]}
        return {end: owner for end, owner in owners.items()
                if (owner.rule or rule) in golden.DIRECT}

    def asked(self, rule):
        """The tensors to which a signal is handed: a matrix below learns from it, and
        no direct rule brings it another."""
        found, direct = set(), self.directs(rule)
        for layer in self.layers:
            learns = layer.number and not self.is_frozen(layer, rule)
            passes = not layer.number and found & {layer.source, layer.beside}
            if (learns or passes) and layer.index + 1 not in direct:
                found.add(layer.index + 1)
        return found

    def is_frozen(self, layer, rule):
        return (layer.rule or rule) == "shallow" and layer is not self.matrices[-1]

    # ---- for golden.py

    def gradients(self, how, tensors, batch, feedback, step):
        tape = forward(self, tensors, batch[0], step)
        self.shapes = [tensor.shape for tensor in tape.tensors]
        return (backward(self, tensors, tape, batch[1], how.rule, feedback),
                running(tensors, tape))

    def outputs(self, tensors, inputs):
        """Of evaluation: running statistics, no dropout."""
        return forward(self, tensors, inputs, None).tensors[-1]

    def mirrored(self, how, tensors, feedback, step):
        return {layer.name + ".feedback": mirrored(self, layer, tensors, feedback, step)
                for layer in self.matrices if (layer.rule or how.rule) == "wm"
                and layer.name + ".feedback" in feedback}

    def check(self, how, tensors, batch, feedback, step, results):
        gradients, now, _, taught = results
        check_gradients(self, tensors, batch, how.rule, feedback, step, gradients, now)
        check_outputs(self, tensors, batch[0])
        check_mirror(self, how.rule, now, feedback, taught, step)
        last = tensors[self.matrices[-1].name + ".weight"]
        if how.rule == "usf" and float(last.sign().sum(0).abs().max()) == len(last):
            sys.exit(f"{self.name}, usf, step {step}: the errors of a unit cancel; see "
                     "SEED")

    def muons(self):
        """What Muon moves: not the first convolution, not the output layer."""
        first = next(layer for layer in self.matrices if layer.kind == "conv")
        return tuple(layer.name + ".weight" for layer in self.matrices[:-1]
                     if layer is not first)


# ---- layers: what they make, and what they hand down ----------------------------------

def by_channel(values, like):
    return values.view(1, -1, *[1] * (like.dim() - 2))


def all_but_channels(x):
    return [0, *range(2, x.dim())]


def patches(x, layer):
    """[n][in * k * k][pixels]"""
    return F.unfold(x, layer.size, padding=layer.pad, stride=layer.stride)


def convolve(x, weight, layer):
    found = weight.flatten(1) @ patches(x, layer)
    across = (x.shape[3] + 2 * layer.pad - layer.size) // layer.stride + 1
    return found.unflatten(2, (-1, across))


def conv_gradient(x, delta, layer):
    products = delta.flatten(2) @ patches(x, layer).transpose(1, 2)
    return products.sum(0).view(delta.shape[1], x.shape[1], layer.size, layer.size)


def conv_down(delta, weight, layer, shape):
    return F.fold(weight.flatten(1).T @ delta.flatten(2), shape[2:], layer.size,
                  padding=layer.pad, stride=layer.stride)


def windows(x, layer):
    """[n * channels][k * k][pixels]"""
    return F.unfold(x.flatten(0, 1).unsqueeze(1), layer.size, stride=layer.stride)


def pool_up(x, layer):
    if layer.words[0] == "global":
        return x.mean((2, 3), keepdim=True)
    seen = windows(x, layer)
    found = seen.max(1).values if layer.words[0] == "max" else seen.mean(1)
    across = (x.shape[3] - layer.size) // layer.stride + 1
    return found.view(*x.shape[:2], -1, across)


def pool_down(signal, x, layer):
    if layer.words[0] == "global":
        return (signal / (x.shape[2] * x.shape[3])).expand(x.shape)
    seen, signal = windows(x, layer), signal.flatten(2).flatten(0, 1).unsqueeze(1)
    if layer.words[0] == "max":
        share = torch.zeros_like(seen).scatter(1, seen.argmax(1, keepdim=True), 1)
    else:
        share = torch.full_like(seen, 1 / layer.size ** 2)
    return F.fold(share * signal, x.shape[2:], layer.size,
                  stride=layer.stride).view(x.shape)


def norm_up(w, x, layer, kept):
    """kept None: by the running statistics."""
    dims = all_but_channels(x)
    if kept is None:
        mean, variance = (by_channel(w[layer.name + what], x)
                          for what in (".running_mean", ".running_var"))
        kept = SimpleNamespace()
    else:
        mean = x.mean(dims, keepdim=True)
        variance = ((x - mean) ** 2).mean(dims, keepdim=True)
    kept.root = torch.sqrt(variance + 1e-5)
    kept.normal = (x - mean) / kept.root
    count = x.numel() / x.shape[1]
    kept.statistics = {layer.name + ".running_mean": mean.flatten(),
                       layer.name + ".running_var":
                           variance.flatten() * count / (count - 1)}
    return (by_channel(w[layer.name + ".weight"], x) * kept.normal
            + by_channel(w[layer.name + ".bias"], x))


def norm_down(w, signal, layer, kept, gradients):
    dims = all_but_channels(signal)
    gradients[layer.name + ".weight"] = (signal * kept.normal).sum(dims)
    gradients[layer.name + ".bias"] = signal.sum(dims)
    s = signal * by_channel(w[layer.name + ".weight"], signal)
    inner = (s - s.mean(dims, keepdim=True)
             - kept.normal * (s * kept.normal).mean(dims, keepdim=True))
    return inner / kept.root


def shortcut_up(x, like):
    """Every so many pixels, with channels of zeros around (the identity has none)."""
    stride = -(-x.shape[2] // like.shape[2])
    more = like.shape[1] - x.shape[1]
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, more // 2,
                                               more - more // 2))


def shortcut_down(signal, x):
    stride = -(-x.shape[2] // signal.shape[2])
    before = (signal.shape[1] - x.shape[1]) // 2
    down = torch.zeros_like(x)
    down[:, :, ::stride, ::stride] = signal[:, before:before + x.shape[1]]
    return down


def mask(layer, shape, step):
    """What dropout multiplies by."""
    values, count = [], math.prod(shape)
    for block in range((count + 3) // 4):
        values += philox((block, 0, step, 256 * layer.dropout + DROPOUT),
                         (golden.NOISE_SEED, 0))
    kept = np.array(values[:count]) >= math.floor(layer.rate * 2 ** 32)
    return torch.tensor(kept.reshape(shape) / (1 - layer.rate))


# ---- the rules ------------------------------------------------------------------------

def forward(network, w, x, step):
    """By layer what backward needs, and all tensors. step None: to evaluate."""
    tape = SimpleNamespace(tensors=[x], kept=[])
    for layer in network.layers:
        h, kept = tape.tensors[layer.source], SimpleNamespace()
        if layer.kind == "dense":
            h = h.flatten(1) @ w[layer.name + ".weight"].T
        elif layer.kind == "conv":
            h = convolve(h, w[layer.name + ".weight"], layer)
        elif layer.kind == "norm":
            h = norm_up(w, h, layer, None if step is None else kept)
        elif layer.kind == "relu":
            h = h * (h > 0)
        elif layer.kind == "tanh":
            h = torch.tanh(h)
        elif layer.kind == "pool":
            h = pool_up(h, layer)
        elif layer.kind == "flatten":
            h = h.flatten(1)
        elif layer.kind == "dropout":
            kept.mask = 1 if step is None else mask(layer, h.shape, step).to(h.dtype)
            h = h * kept.mask
        else:
            h = h + shortcut_up(tape.tensors[layer.beside], h)
        if layer.number and layer.name + ".bias" in w:
            h = h + by_channel(w[layer.name + ".bias"], h)
        tape.tensors.append(h)
        tape.kept.append(kept)
    return tape


def carrier(rule, weight, feedback):
    """What stands in the weight's place, whatever its shape."""
    return golden.carrier(rule, weight.flatten(1),
                          None if feedback is None else feedback.flatten(1)
                          ).view(weight.shape)


def learn(layer, w, x, delta, gradients):
    if layer.kind == "dense":
        gradients[layer.name + ".weight"] = delta.T @ x.flatten(1)
    else:
        gradients[layer.name + ".weight"] = conv_gradient(x, delta, layer)
    if layer.name + ".bias" in w:
        gradients[layer.name + ".bias"] = delta.sum(all_but_channels(delta))


def carry(layer, w, x, delta, rule, feedback):
    own = carrier(rule, w[layer.name + ".weight"],
                  feedback.get(layer.name + ".feedback"))
    if layer.kind == "dense":
        return (delta @ own).view(x.shape)
    return conv_down(delta, own, layer, x.shape)


def direct(rule, error, labels, feedback, like):
    """e B, or of the target alone; of a B by channel the same at every position."""
    if rule == "drtp":
        error = -F.one_hot(labels, error.shape[1]).to(error.dtype) / len(labels)
    signal = (error @ feedback.flatten(1)).unflatten(1, feedback.shape[1:])
    return signal if signal.dim() == like.dim() else signal[:, :, None, None].expand(
        like.shape)


def through(layer, w, x, h, kept, signal, gradients):
    """What a layer without a weight matrix hands down."""
    if layer.kind == "norm":
        return norm_down(w, signal, layer, kept, gradients)
    if layer.kind == "relu":
        return signal * (x > 0)
    if layer.kind == "tanh":
        return signal * (1 - h * h)
    if layer.kind == "pool":
        return pool_down(signal, x, layer)
    if layer.kind == "flatten":
        return signal.view(x.shape)
    return signal * kept.mask if layer.kind == "dropout" else signal


def backward(network, w, tape, labels, rule, feedback):
    """Gradients of the mean cross-entropy, as the rules have them; none of what no
    signal passes."""
    tensors, gradients = tape.tensors, {}
    error, asked = golden.error_of(tensors[-1], labels), network.asked(rule)
    signals = {len(network.layers): error}
    for end, layer in network.directs(rule).items():
        signals[end] = direct(layer.rule or rule, error, labels,
                              feedback[layer.name + ".feedback"], tensors[end])

    def hand(tensor, signal):
        if tensor in asked:
            signals[tensor] = (signals[tensor] + signal if tensor in signals
                               else signal)

    for layer in reversed(network.layers):
        x, h = tensors[layer.source], tensors[layer.index + 1]
        if layer.index + 1 not in signals or layer.number and network.is_frozen(
                layer, rule):
            continue
        signal = signals.pop(layer.index + 1)
        if layer.number:
            learn(layer, w, x, signal, gradients)
            if layer.source in asked:
                hand(layer.source, carry(layer, w, x, signal, layer.rule or rule,
                                         feedback))
            continue
        if layer.kind == "join":
            hand(layer.beside, shortcut_down(signal, tensors[layer.beside]))
        if layer.source in asked:
            hand(layer.source, through(layer, w, x, h, tape.kept[layer.index], signal,
                                       gradients))
    return gradients


def running(w, tape):
    """The running statistics after a step."""
    return {name: .9 * w[name] + .1 * now for kept in tape.kept
            for name, now in getattr(kept, "statistics", {}).items()}


# ---- the mirror -----------------------------------------------------------------------

def noise(network, layer, dtype, step):
    """xi in the shape of the layer's input; its numbers go by pixel, then channel."""
    n, *shape = network.shapes[layer.source]
    c, h, w = shape if len(shape) == 3 else (*shape, 1, 1)
    flat = golden.noise(n, h * w * c, layer.number, step)
    xi = torch.tensor(flat.reshape(n, h, w, c), dtype=dtype).permute(0, 3, 1, 2)
    return xi.reshape(network.shapes[layer.source])


def centered(x):
    return x - x.mean(all_but_channels(x), keepdim=True)


def mirrored(network, layer, w, feedback, step):
    """B of a layer after a mirror step."""
    weight = w[layer.name + ".weight"]
    xi = noise(network, layer, weight.dtype, step)
    if layer.kind == "dense":
        xi = xi.flatten(1)
        y = xi @ weight.T
    else:
        y = convolve(xi, weight, layer)
    phi = network.nonlinearity(layer)
    y = torch.tanh(y) if phi == "tanh" else y * (y > 0) if phi == "relu" else y
    if layer.kind == "dense":
        taught = centered(y).T @ centered(xi)
    else:
        taught = conv_gradient(centered(xi), centered(y), layer)
    share = golden.MIRROR_RATE * y.shape[1] / y.numel()
    return (1 - golden.MIRROR_DECAY) * feedback[layer.name + ".feedback"] + (
        share * taught)


# ---- a second opinion -----------------------------------------------------------------

def apply_torch(layer, weight, bias, h):
    if layer.kind == "dense":
        return F.linear(h.flatten(1), weight, bias)
    return F.conv2d(h, weight, bias, layer.stride, layer.pad)


def pool_torch(layer, h):
    if layer.words[0] == "global":
        return F.adaptive_avg_pool2d(h, 1)
    pool = F.max_pool2d if layer.words[0] == "max" else F.avg_pool2d
    return pool(h, layer.size, layer.stride)


def join_torch(layer, h, x):
    """Option A as He et al.'s other implementations have it: a strided copy into the
    middle of zeros."""
    if layer.words[0] == "zeropad":
        stride, wide = -(-x.shape[3] // h.shape[3]), torch.zeros_like(h)
        first = (h.shape[1] - x.shape[1]) // 2
        wide[:, first:first + x.shape[1]] = F.max_pool2d(x, 1, stride)
        x = wide
    return h + x


def weigh_torch(layer, leaf, h, rule, feedback):
    """Its output, from which the way down leads through the carrier."""
    weight, bias = leaf[layer.name + ".weight"], leaf.get(layer.name + ".bias")
    z = apply_torch(layer, weight, bias, h.detach())
    if h.requires_grad:
        own = carrier(layer.rule or rule, weight, feedback.get(layer.name + ".feedback"))
        down = apply_torch(layer, own.detach(), None, h)
        z = z + (down - down.detach())
    return z


def forward_torch(network, leaf, x, rule, feedback, step):
    """All tensors; step None: to evaluate. From where a direct rule brings a signal
    nothing leads further up."""
    made, ends = [x], network.directs(rule)
    for layer in network.layers:
        h, x = (made[tensor].detach() if tensor in ends else made[tensor]
                for tensor in (layer.source, layer.beside or 0))
        if layer.number:
            h = weigh_torch(layer, leaf, h, rule, feedback)
        elif layer.kind == "norm":
            names = [f"{layer.name}.{what}" for what in
                     ("running_mean", "running_var", "weight", "bias")]
            h = F.batch_norm(h, *[leaf[name] for name in names], step is not None,
                             .1, 1e-5)
        elif layer.kind in ("relu", "tanh"):
            h = getattr(torch, layer.kind)(h)
        elif layer.kind == "pool":
            h = pool_torch(layer, h)
        elif layer.kind == "flatten":
            h = h.flatten(1)
        elif layer.kind == "dropout":
            h = h if step is None else h * mask(layer, h.shape, step)
        else:
            h = join_torch(layer, h, x)
        made.append(h)
    return made


def check_gradients(network, tensors, batch, rule, feedback, step, gradients, now):
    leaf = {name: value.clone().requires_grad_(name in gradients)
            for name, value in tensors.items()}
    made = forward_torch(network, leaf, batch[0], rule, feedback, step)
    loss = F.cross_entropy(made[-1], batch[1])
    error, = torch.autograd.grad(loss, made[-1], retain_graph=True)
    outputs = F.softmax(made[-1].detach(), 1) / len(error)
    for end, layer in network.directs(rule).items():
        known = error - outputs if (layer.rule or rule) == "drtp" else error
        signal = torch.tensordot(known, feedback[layer.name + ".feedback"], 1)
        while signal.dim() < made[end].dim():
            signal = signal.unsqueeze(-1)
        loss = loss + (made[end] * signal).sum()
    loss.backward()
    for name, value in leaf.items():
        what = f"{network.name}, {rule}, step {step}, {name}"
        if golden.is_state(name):
            must_agree(what, now[name], value, 1e-12)
        elif name in gradients:
            must_agree(what, gradients[name], value.grad, 1e-11)


def check_outputs(network, tensors, inputs):
    expected = forward_torch(network, tensors, inputs, "bp", {}, None)[-1]
    must_agree(f"{network.name}, outputs", network.outputs(tensors, inputs), expected,
               1e-12)


def check_mirror(network, rule, now, feedback, taught, step):
    """What wm teaches is the weight gradient of noise against its response."""
    for layer in network.matrices:
        name = layer.name + ".feedback"
        if (layer.rule or rule) != "wm" or name not in feedback:
            continue
        leaf = feedback[name].clone().requires_grad_()
        xi = noise(network, layer, leaf.dtype, step)
        y = apply_torch(layer, now[layer.name + ".weight"], None, xi)
        phi = network.nonlinearity(layer)
        y = getattr(torch, phi)(y) if phi else y
        if layer.kind == "dense":
            xi = xi.flatten(1)
        rows = y.numel() / y.shape[1]
        apply_torch(layer, leaf, None, centered(xi)).mul(centered(y)).sum().backward()
        must_agree(f"wm, {name}", taught[name],
                   leaf.detach() * .99 + leaf.grad * .01 / rows, 1e-12)
