#!/usr/bin/env python3
"""Turns experiments/NAME/experiment.yaml into C: embed.py OUTPUT.c FILE…

They become the list fal_embedded_experiments, so that an installed falign has them."""
import os
import sys

output, files = sys.argv[1], sys.argv[2:]
names = [os.path.basename(os.path.dirname(path)) for path in files]
with open(output, "w") as out:
    out.write('#include "reproduce/experiments.h"\n\n#include <stddef.h>\n\n')
    for i, path in enumerate(files):
        out.write(f"static const unsigned char text{i}[] = {{\n")
        body = open(path, "rb").read() + b"\0"
        for at in range(0, len(body), 20):
            out.write(",".join(str(b) for b in body[at:at + 20]) + ",\n")
        out.write("};\n")
    out.write("const fal_embedded fal_embedded_experiments[] = {\n")
    for i, name in enumerate(names):
        out.write(f'    {{"{name}", text{i}}},\n')
    out.write("    {NULL, NULL},\n};\n")
