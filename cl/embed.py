#!/usr/bin/env python3
"""Turns kernel files into C: embed.py OUTPUT.c FILE.cl…

Each becomes an unsigned char array beginning with a #line directive, and every
`__kernel void NAME` a row of the table that tells which file holds a kernel."""
import os
import re
import sys

output, files = sys.argv[1], sys.argv[2:]
with open(output, "w") as out:
    out.write('#include "device/sources.h"\n\n')
    table, kernels = [], []
    for number, path in enumerate(files):
        name = os.path.basename(path)
        text = open(path, encoding="utf-8").read()
        body = f'#line 1 "{name}"\n{text}\n'.encode()
        out.write(f"static const unsigned char source_{number}[] = {{\n")
        for i in range(0, len(body), 20):
            out.write(",".join(str(b) for b in body[i:i + 20]) + ",\n")
        out.write("};\n")
        table.append(f'    {{"{name}", source_{number}, sizeof source_{number}}},')
        plain = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
        for kernel in re.findall(r"__kernel\b[^;{(]*?(?:__attribute__\s*\(\(.*?\)\)\)"
                                 r"\s*)?void\s+(\w+)\s*\(", plain, flags=re.S):
            kernels.append(f'    {{"{kernel}", {number}}},')
    out.write("const fal_source_file fal_source_files[] = {\n")
    out.write("\n".join(table) + "\n};\n")
    out.write(f"const size_t fal_source_file_count = {len(table)};\n")
    out.write("const fal_source_kernel fal_source_kernels[] = {\n")
    out.write("\n".join(kernels) + "\n};\n")
    out.write(f"const size_t fal_source_kernel_count = {len(kernels)};\n")
