"""Convolutions and convolutional networks for torch_peer.py, in either memory format.

    {"work": "conv", "batch":, "size":, "in":, "out":, "kernel":, "stride":, "pass":,
     "format":}
    {"work": "map_step", "net":, "batch":, "rule":, "optimizer":, "format":, "form":}

Under fa, convolutions and dense layers are autograd functions that hand errors down by
matrices of their own; all else is as under bp."""
import torch
from torch import nn
from torch.nn import functional

FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
SIZE = 32
CLASSES = 10


def convolution_backward(delta, x, weight, stride, pad, wanted, bias=None):
    return torch.ops.aten.convolution_backward(delta, x, weight, bias, stride, pad,
                                               (1, 1), False, (0, 0), 1, wanted)


# ---- one convolution ------------------------------------------------------------

def conv(job):
    kernel, form = job["kernel"], FORMATS[job["format"]]
    stride, pad = [job["stride"]] * 2, [(kernel - 1) // 2] * 2
    x = torch.randn(job["batch"], job["in"], job["size"],
                    job["size"]).to(memory_format=form)
    weight = torch.randn(job["out"], job["in"], kernel, kernel).to(memory_format=form)
    delta = torch.randn_like(functional.conv2d(x, weight, None, stride, pad))

    @torch.no_grad()
    def forward():
        functional.conv2d(x, weight, None, stride, pad)

    @torch.no_grad()
    def data():
        convolution_backward(delta, x, weight, stride, pad, (True, False, False))

    @torch.no_grad()
    def weights():
        convolution_backward(delta, x, weight, stride, pad, (False, True, False))

    return {"forward": forward, "data": data, "weight": weights}[job["pass"]]


# ---- feedback alignment ---------------------------------------------------------

class ByFeedbackConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, feedback, stride, pad):
        ctx.save_for_backward(x, feedback)
        ctx.shape = stride, pad, None if bias is None else [len(bias)]
        return functional.conv2d(x, weight, bias, stride, pad)

    @staticmethod
    def backward(ctx, delta):
        x, feedback = ctx.saved_tensors
        stride, pad, bias = ctx.shape
        wanted = (ctx.needs_input_grad[0], True, bias is not None)
        return *convolution_backward(delta, x, feedback, stride, pad, wanted,
                                     bias), None, None, None


class ByFeedback(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, feedback):
        ctx.save_for_backward(x, feedback)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx, delta):
        x, feedback = ctx.saved_tensors
        return delta @ feedback, delta.t() @ x, delta.sum(0), None


class FeedbackConv(nn.Conv2d):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.register_buffer("feedback", torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.feedback, 5 ** 0.5)

    def forward(self, x):
        return ByFeedbackConv.apply(x, self.weight, self.bias, self.feedback,
                                    self.stride, self.padding)


class FeedbackLinear(nn.Linear):
    def __init__(self, *args):
        super().__init__(*args)
        self.register_buffer("feedback", torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.feedback, 5 ** 0.5)

    def forward(self, x):
        return ByFeedback.apply(x, self.weight, self.bias, self.feedback)


# ---- networks -------------------------------------------------------------------

class Layers:
    """What networks are made of under a rule"""

    def __init__(self, rule):
        self.convolution = FeedbackConv if rule == "fa" else nn.Conv2d
        self.dense = FeedbackLinear if rule == "fa" else nn.Linear

    def conv(self, inputs, outputs, kernel=3, stride=1):
        return self.convolution(inputs, outputs, kernel, stride=stride,
                                padding=(kernel - 1) // 2, bias=False)


MAX, MEAN = "max", "mean"
# Padding of the 3x3 convolutions, whether they are normed, their channels and pools, units
# of hidden dense layers
STACKS = {
    "lenet": (0, False, [32, MAX, 64, MAX, 128, MEAN], [256]),
    "cnn4": (1, False, [32, MAX, 64, MAX, 128, MAX, 128, MEAN], []),
    "vgg-small": (1, True, [64, 64, MAX, 128, 128, MAX, 256, MAX], []),
}
# Channels of the stages, blocks in each, whether shortcuts project
RESIDUALS = {
    "resnet18": ((64, 128, 256, 512), 2, True),
    "resnet20": ((16, 32, 64), 3, False),
    "resnet56": ((16, 32, 64), 9, False),
}


def stack(layers, pad, normed, maps, units):
    made, inputs = [], 3
    for outputs in maps:
        if outputs == MAX:
            made.append(nn.MaxPool2d(2))
        elif outputs == MEAN:
            made.append(nn.AdaptiveAvgPool2d(1))
        else:
            made.append(layers.convolution(inputs, outputs, 3, padding=pad))
            made += [nn.BatchNorm2d(outputs)] * normed + [nn.ReLU(inplace=True)]
            inputs = outputs
    made.append(nn.Flatten())
    inputs = nn.Sequential(*made)(torch.zeros(1, 3, SIZE, SIZE)).numel()
    for outputs in units:
        made += [layers.dense(inputs, outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*made, layers.dense(inputs, CLASSES))


class Block(nn.Module):
    def __init__(self, layers, inputs, outputs, stride, projects):
        super().__init__()
        self.conv1 = layers.conv(inputs, outputs, stride=stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = layers.conv(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.more = stride, outputs - inputs
        self.downsample = None
        if projects and (stride > 1 or self.more):
            self.downsample = nn.Sequential(layers.conv(inputs, outputs, 1, stride),
                                            nn.BatchNorm2d(outputs))

    def shortcut(self, x):
        if self.downsample:
            return self.downsample(x)
        if not self.more:
            return x
        ends = self.more // 2, self.more - self.more // 2
        return functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, *ends))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(y)).add_(self.shortcut(x)),
                               inplace=True)


def residual(layers, widths, blocks, projects):
    inputs = widths[0]
    made = [layers.conv(3, inputs), nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    for stage, outputs in enumerate(widths):
        for number in range(blocks):
            stride = 2 if stage and not number else 1
            made.append(Block(layers, inputs, outputs, stride, projects))
            inputs = outputs
    return nn.Sequential(*made, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         layers.dense(inputs, CLASSES))


def network(job):
    layers = Layers(job["rule"])
    if job["net"] in STACKS:
        model = stack(layers, *STACKS[job["net"]])
    else:
        model = residual(layers, *RESIDUALS[job["net"]])
    return model.to(memory_format=FORMATS[job["format"]])


def batches(job, count):
    images = torch.randn(count * job["batch"], 3, SIZE, SIZE)
    images = images.to(memory_format=FORMATS[job["format"]])
    labels = torch.randint(CLASSES, (count, job["batch"]))
    return images.split(job["batch"]), labels
