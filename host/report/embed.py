#!/usr/bin/env python3
"""Turns parts of the report's page into C: embed.py OUTPUT.c FILE…

page.css becomes the text report_page_css, and so on."""
import os
import sys

output, files = sys.argv[1], sys.argv[2:]
with open(output, "w") as out:
    out.write('#include "report/page.h"\n\n')
    for path in files:
        name = "report_" + os.path.basename(path).replace(".", "_")
        out.write(f"const unsigned char {name}[] = {{\n")
        body = open(path, "rb").read() + b"\0"
        for i in range(0, len(body), 20):
            out.write(",".join(str(b) for b in body[i:i + 20]) + ",\n")
        out.write("};\n")
