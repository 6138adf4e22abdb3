#!/usr/bin/env python3
"""Makes datasets/sample: the first 2000 training and 500 test samples of Fashion-MNIST.

usage: make_sample.py [SOURCE] [TARGET]

SOURCE is the folder of the Debian package dataset-fashion-mnist, TARGET the folder
"sample" beside this script. The result depends on the source's values only (and on the
deflate of the zlib in use), not on the time or the folders.
"""

import gzip
import pathlib
import struct
import sys

SOURCE = "/usr/share/datasets/fashion-mnist"
COUNTS = {"train": 2000, "t10k": 500}
KINDS = {"images-idx3": 3, "labels-idx1": 1}


def first(data, dimensions, count):
    """The IDX file `data`, cut to its first `count` items."""
    magic, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
    if magic != 0x0800 + dimensions or shape[0] < count:
        raise SystemExit(f"not the IDX file expected: magic {magic:08x}, {shape}")
    item = 1
    for n in shape[1:]:
        item *= n
    start = 4 * (1 + dimensions)
    header = struct.pack(f">{1 + dimensions}I", magic, count, *shape[1:])
    return header + data[start : start + count * item]


def main(source=SOURCE, target=None):
    target = pathlib.Path(target or pathlib.Path(__file__).parent / "sample")
    target.mkdir(parents=True, exist_ok=True)
    for split, count in COUNTS.items():
        for kind, dimensions in KINDS.items():
            name = f"{split}-{kind}-ubyte.gz"
            with gzip.open(pathlib.Path(source) / name) as file:
                data = first(file.read(), dimensions, count)
            with (target / name).open("wb") as raw:
                with gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
                    file.write(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
