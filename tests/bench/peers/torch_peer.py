"""PyTorch as a peer: reads a JSON object a line, prints the milliseconds of one
repetition of that work, or `null` where this PyTorch has no such form.

    {"work": "gemm", "m":, "n":, "k":, "ta":, "tb":, "epilogue":, "form":}
    {"work": "step", "layers":, "width":, "batch":, "rule":, "optimizer":, "norm":,
     "form":}
    {"work": "newton_schulz", "rows":, "columns":, "type":}

and what torch_maps.py lists. With --memory a step's object, or null, is an argument: it
takes five steps, or none, and ends.

Threads come from OMP_NUM_THREADS. Samples are floats in place: nothing is gathered
or standardised inside the time, which favours the peer."""
import json
import statistics
import sys
import time

import torch
from torch import nn

import torch_maps

torch.manual_seed(1)
BATCHES = 8
LONG = 0.05  # seconds: of such work a median of five will do


def seconds_of(work, count):
    start = time.perf_counter()
    for _ in range(count):
        work()
    return time.perf_counter() - start


def timed(work):
    """Milliseconds of one call, as falign times itself: a warm-up of 0.2 s, then the
    median over rounds of as many calls as take 20 ms."""
    end, count = time.perf_counter() + 0.2, 1
    while time.perf_counter() < end:
        seconds = seconds_of(work, 1)
    while seconds * count < 0.02:
        seconds = seconds_of(work, count) / count
        count *= 2
    rounds = 5 if seconds > LONG else 9
    return 1e3 * statistics.median(seconds_of(work, count)
                                   for _ in range(rounds)) / count


# ---- products -------------------------------------------------------------------

def gemm(job):
    m, n, k = job["m"], job["n"], job["k"]
    a = torch.randn(k, m).t() if job["ta"] else torch.randn(m, k)
    b = torch.randn(n, k).t() if job["tb"] else torch.randn(k, n)
    c, bias, h = torch.empty(m, n), torch.randn(n), torch.randn(m, n)
    bias_gradient, parameters = torch.zeros(n), [torch.randn(m, n), torch.randn(n)]
    for parameter, gradient in zip(parameters, [c, bias_gradient]):
        parameter.grad = gradient
    if job["epilogue"] == "update":
        optimizer, = plain_optimizer({"optimizer": "sgd", **job}, parameters)

    def plain():
        torch.mm(a, b, out=c)

    def forward():
        torch.addmm(bias, a, b, out=c)
        c.relu_()

    def delta():
        torch.mm(a, b, out=c)
        torch.ops.aten.threshold_backward.grad_input(c, h, 0, grad_input=c)

    def update():
        torch.mm(a, b, out=c)
        torch.sum(b, 0, out=bias_gradient)
        optimizer.step()

    return {"none": plain, "forward": forward, "delta": delta,
            "update": update}[job["epilogue"]]


# ---- steps ----------------------------------------------------------------------

def network(job):
    layers, size = [], 784
    for _ in range(job["layers"]):
        layers.append(nn.Linear(size, job["width"]))
        if job.get("norm") == "batch":
            layers.append(nn.BatchNorm1d(job["width"]))
        layers.append(nn.ReLU())
        size = job["width"]
    return nn.Sequential(*layers, nn.Linear(size, 10))


def plain_optimizer(job, parameters):
    kinds = {"sgd": lambda **form: torch.optim.SGD(parameters, 1e-6, momentum=0.9,
                                                   **form),
             "adam": lambda **form: torch.optim.Adam(parameters, 1e-6, **form)}
    form = {} if job["form"] == "loop" else {job["form"]: True}
    return [kinds[job["optimizer"]](**form)]


NS = (3.4445, -4.7750, 2.0315)


def orthogonalize(x, type_):
    x = x.to(type_)
    turned = x.shape[0] > x.shape[1]
    x = x.t() if turned else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.t()
        b = torch.addmm(a, a, a, beta=NS[1], alpha=NS[2])
        x = torch.addmm(x, b, x, beta=NS[0])
    return x.t() if turned else x


def as_matrix(x):
    """[out][rest] without a copy; which order the rest is in does not matter"""
    return x.flatten(1) if x.is_contiguous() else x.permute(0, 2, 3, 1).flatten(1)


def as_kernels(x, like):
    if like.is_contiguous():
        return x.view(like.shape)
    return x.view(like.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)


class OwnMuon:
    """Muon in float32, or, of convolutions too, in bfloat16, in which torch.optim.Muon
    iterates."""

    def __init__(self, parameters, type_=torch.float32):
        self.parameters, self.type = parameters, type_
        self.moments = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self):
        for p, m in zip(self.parameters, self.moments):
            m.lerp_(p.grad, 0.05)
            update = orthogonalize(as_matrix(p.grad.lerp(m, 0.95)), self.type)
            rate = -1e-6 * max(1, update.shape[0] / update.shape[1]) ** 0.5
            p.add_(as_kernels(update, p), alpha=rate)

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None


def muon(job, model):
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)][:-1]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)][1:]
    matrices = [m.weight for m in convolutions + linear]
    ids = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in ids]
    rest = torch.optim.AdamW(others, 1e-6, fused=True)
    if job["form"] == "own":
        return [OwnMuon(matrices), rest]
    if convolutions: # which torch.optim.Muon does not take
        return [OwnMuon(matrices, torch.bfloat16), rest]
    if not hasattr(torch.optim, "Muon"):
        return None
    return [torch.optim.Muon(matrices, 1e-6), rest]


def backpropagation(job, model, optimizers, inputs, labels):
    turn = [0]

    def work():
        i = turn[0] = (turn[0] + 1) % BATCHES
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs[i]), labels[i])
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    return work


def direct(job, model, optimizers, inputs, labels):
    """Direct feedback alignment by hand, without autograd."""
    linear = [m for m in model if isinstance(m, nn.Linear)]
    feedback = [torch.randn(10, job["width"]) * job["width"] ** -0.5
                for _ in linear[:-1]]
    row, turn = torch.arange(job["batch"]), [0]

    @torch.no_grad()
    def work():
        i = turn[0] = (turn[0] + 1) % BATCHES
        outputs = [inputs[i]]
        for layer in linear[:-1]:
            outputs.append(torch.addmm(layer.bias, outputs[-1],
                                       layer.weight.t()).relu_())
        logits = torch.addmm(linear[-1].bias, outputs[-1], linear[-1].weight.t())
        log_p = torch.log_softmax(logits, 1)
        torch.nn.functional.nll_loss(log_p, labels[i])
        e = log_p.exp_()
        e[row, labels[i]] -= 1
        e /= len(e)
        for l, layer in enumerate(linear):
            delta = e
            if l + 1 < len(linear):
                delta = torch.ops.aten.threshold_backward(e @ feedback[l],
                                                          outputs[l + 1], 0)
            layer.weight.grad = delta.t() @ outputs[l]
            layer.bias.grad = delta.sum(0)
        for optimizer in optimizers:
            optimizer.step()

    return work


def step(job):
    model = network(job)
    if job["optimizer"] == "muon":
        optimizers = muon(job, model)
    else:
        optimizers = plain_optimizer(job, list(model.parameters()))
    if optimizers is None:
        return None
    inputs = torch.randn(BATCHES, job["batch"], 784)
    labels = torch.randint(10, (BATCHES, job["batch"]))
    make = direct if job["rule"] == "dfa" else backpropagation
    return make(job, model, optimizers, inputs, labels)


def map_step(job):
    model = torch_maps.network(job)
    if job["optimizer"] == "muon":
        optimizers = muon(job, model)
    else:
        optimizers = plain_optimizer(job, list(model.parameters()))
    inputs, labels = torch_maps.batches(job, BATCHES)
    return backpropagation(job, model, optimizers, inputs, labels)


# ---- Newton-Schulz --------------------------------------------------------------

def newton_schulz(job):
    x = torch.randn(job["rows"], job["columns"])
    type_ = getattr(torch, job["type"])
    return lambda: orthogonalize(x, type_)


def take_steps(job):
    if job:
        work = map_step(job)
        for _ in range(5):
            work()


def main():
    if sys.argv[1:2] == ["--memory"]:
        return take_steps(json.loads(sys.argv[2]))
    print(json.dumps({"torch": torch.__version__}), flush=True)
    kinds = {"gemm": gemm, "step": step, "newton_schulz": newton_schulz,
             "conv": torch_maps.conv, "map_step": map_step}
    made = {}
    for line in sys.stdin:
        if line not in made:
            job = json.loads(line)
            made = {line: kinds[job["work"]](job)}
        work = made[line]
        print(json.dumps(timed(work) if work else None), flush=True)


if __name__ == "__main__":
    main()
