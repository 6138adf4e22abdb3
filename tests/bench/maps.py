"""What run.py measures of convolutions and of networks that have them."""

FORMATS = ["channels_last", "contiguous"]

# Channels in and out, height and width, kernel, stride; batch 48.
SHAPES = [(64, 64, 32, 3, 1), (128, 128, 16, 3, 1), (256, 256, 8, 3, 1),
          (512, 512, 4, 3, 1), (16, 16, 32, 3, 1), (3, 64, 32, 3, 1),
          (64, 128, 32, 3, 2), (64, 128, 32, 1, 2)]
PASSES = ["forward", "data", "weight"]


def conv_row(shape, which, *more):
    sizes = dict(zip(("in", "out", "size", "kernel", "stride"), shape), batch=48)
    words = ["bench", "conv", "--pass", which]
    words += [w for key, value in sizes.items() for w in (f"--{key}", str(value))]
    words += more
    kind = f"{sizes['kernel']} × {sizes['kernel']}"
    kind += f", stride {sizes['stride']}" * (sizes["stride"] > 1)
    return {"name": f"{sizes['in']} → {sizes['out']}, {sizes['size']}², {kind}, {which}",
            "group": which, "falign": words,
            "torch": [{"work": "conv", **sizes, "pass": which, "format": form, "form": form}
                      for form in FORMATS]}


CONVOLUTIONS = [conv_row(shape, which) for which in PASSES for shape in SHAPES]
DIRECT = [conv_row(shape, which, "--conv", "direct") for which in PASSES
          for shape in SHAPES]


def bench_step(net, batch, rule, optimizer, *more):
    return ["bench", "step", "--net", net, "--data-shape", "32x32x3", "--batch",
            str(batch), "--rule", rule, "--optimizer", optimizer, *more]


def step_row(net, batch, rule, optimizer="sgd"):
    norm = ["--norm", "batch"] if net == "vgg-small" else []
    forms = ["own", "bfloat16"] if optimizer == "muon" else ["foreach", "fused"]
    torch = [{"work": "map_step", "net": net, "batch": batch, "rule": rule,
              "optimizer": optimizer, "format": format_, "form": form}
             for format_ in FORMATS for form in forms]
    return {"name": f"{net}, batch {batch}, {rule}, {optimizer}", "torch": torch,
            "falign": bench_step(net, batch, rule, optimizer, *norm)}


NETS = [("vgg-small", 128), ("resnet18", 64), ("resnet20", 128)]
STEPS = [step_row(*net, rule) for rule in ("bp", "fa") for net in NETS]
STEPS.append(step_row("resnet18", 64, "fa", "muon"))
OTHERS = [step_row(net, 128, "bp") for net in ("lenet", "cnn4", "resnet56")]

# As run.py's RULES: what, its command, the one beside it, times as long at most.
RESNET20 = bench_step("resnet20", 128, "bp", "sgd")
AUGMENTED = [("resnet20, batch 128, crop:4,flip",
              RESNET20 + ["--augment", "crop:4,flip"], RESNET20, 1.031)]

# Memory: the step and its peer in every format; at most so much of the peer's.
MEMORY = step_row("resnet18", 128, "bp")
MEMORY_BOUND = 0.7

# Start to the end of the first step: one image, so that it is the start that counts.
START = bench_step("resnet18", 1, "bp", "sgd")
