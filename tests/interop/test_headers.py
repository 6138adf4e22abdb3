"""Whether falign and the safetensors package agree on what a good file is.

    python3 test_headers.py FALIGN_BINARY DATA_FOLDER

Trains a small network for a step, changes its model.safetensors in many ways and lets
both read each. What falign takes the package must take; what falign alone refuses
stands in STRICTER. Prints `ok NAME` for each file.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open

# The format's text forbids duplicate keys, of which the package lets the last one win,
# and a header that begins with a blank; the rest is of no use to a network.
STRICTER = {
    "a leading blank",
    "a number that is not a number",
    "a tensor of doubles",
    "a tensor of five dimensions",
    "a tensor twice",
    "a text twice",
    "a field that is unknown",
    "a zero character in a name",
}

failures = 0


def check(name, passed, why=""):
    global failures
    failures += not passed
    print(f"ok {name}" if passed else f"FAILED {name}: {why}", flush=True)


def takes(path):
    """What the package says: None, or why not."""
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():
                file.get_tensor(name)
    except Exception as error:  # its own class, ValueError, UnicodeDecodeError, …
        return str(error) or type(error).__name__
    return None


def falign_takes(falign, path, folder):
    done = subprocess.run(
        [falign, "evaluate", path, "--data", folder, "--samples", "1", "--quiet"],
        capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"FAILED {path}: exit {done.returncode}\n{done.stderr}")
    return done.stderr if done.returncode else None


def pack(header, data):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + data


class Model:
    """The parts of a good file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            all_bytes = file.read()
        length = struct.unpack("<Q", all_bytes[:8])[0]
        self.header = json.loads(all_bytes[8:8 + length])
        self.data = all_bytes[8 + length:]
        self.text = json.dumps(self.header)
        self.name = next(name for name in self.header if name != "__metadata__")

    def changed(self, **fields):
        """One tensor with other fields; None leaves a field out."""
        header = json.loads(self.text)
        header[self.name].update(fields)
        for key in [key for key, value in fields.items() if value is None]:
            del header[self.name][key]
        return pack(json.dumps(header), self.data)

    def replaced(self, old, new):
        assert old in self.text, old
        return pack(self.text.replace(old, new, 1), self.data)

    def added(self, text, data=b""):
        return pack(self.text[:-1] + ", " + text + "}", self.data + data)


def good_files(m):
    names = [name for name in m.header if name != "__metadata__"]
    backwards = {name: m.header[name] for name in reversed(m.header)}
    yield "as it was", pack(m.text, m.data)
    for spaces in range(1, 8):
        yield f"padded by {spaces}", pack(m.text + " " * spaces, m.data)
    yield "lines and tabs", pack(json.dumps(m.header, indent="\t"), m.data)
    yield "keys in another order", pack(json.dumps(backwards), m.data)
    escaped = f"\\u{ord(m.name[0]):04x}{m.name[1:]}"
    yield "names escaped", m.replaced(f'"{m.name}"', f'"{escaped}"')
    yield "an empty tensor", m.added(
        f'"none": {{"dtype": "F32", "shape": [0, 4], "data_offsets": [0, 0]}}')
    moved, data, end = {"__metadata__": m.header["__metadata__"]}, b"", 0
    for name in reversed(names):
        begin, last = m.header[name]["data_offsets"]
        data += m.data[begin:last]
        moved[name] = dict(m.header[name], data_offsets=[end, end + last - begin])
        end += last - begin
    yield "data in another order", pack(json.dumps(moved), data)
    byte = '"odd": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, '
    shifted = {name: dict(m.header[name], data_offsets=[
        place + 1 for place in m.header[name]["data_offsets"]]) for name in names}
    shifted["__metadata__"] = m.header["__metadata__"]
    yield "data unaligned", pack("{" + byte + json.dumps(shifted)[1:], b"x" + m.data)


def bad_numbers(m):
    begin, end = m.header[m.name]["data_offsets"]
    shape = m.header[m.name]["shape"]
    offsets = f'"data_offsets": [{begin}, {end}]'
    assert offsets in m.text
    for text in (f'["{begin}", "{end}"]', f"[{begin}, {end}.0]", f"[{begin}, {end}.5]",
                 f"[{begin}, -{end}]", f"[{begin}, 1e999]", f"[{begin}, NaN]",
                 f"[0{begin}, 0{end}]", f"[{begin}, +{end}]", f"[{begin}, {end}e0]",
                 f"[{begin}]", f"[{begin}, {end}, {end}]", "null", "{}",
                 f"[{end}, {begin}]", f"[{begin}, {end + 1}]", f"[{begin}, {end - 4}]",
                 f"[{begin + 4}, {end + 4}]", "[0, 18446744073709551616]"):
        yield f"offsets {text}", m.replaced(offsets, f'"data_offsets": {text}')
    for other in ([shape[0] + 1] + shape[1:], shape + [0], "4", ["4"], [-1], [4.5],
                  [2 ** 62, 2 ** 62], [2 ** 64], None):
        yield f"shape {other}", m.changed(shape=other)
    for other in ("F99", "f32", 4, None, "BF16"):
        yield f"dtype {other}", m.changed(dtype=other)


def bad_texts(m):
    whole = pack(m.text, m.data)
    yield "nothing", b""
    for bytes_left in (7, 8, 9, len(whole) // 2, len(whole) - 1):
        yield f"cut to {bytes_left}", whole[:bytes_left]
    yield "a byte more", whole + b"x"
    for length in (0, 1, len(m.text) - 1, len(m.text) + 1, 2 ** 63, 2 ** 64 - 1):
        yield f"header of {length}", struct.pack("<Q", length) + whole[8:]
    yield "a byte order mark", pack("\ufeff" + m.text, m.data)
    yield "a leading blank", pack(" " + m.text, m.data)
    yield "rubbish behind", pack(m.text + " x", m.data)
    yield "a zero behind", pack(m.text + "\0", m.data)
    yield "an array", pack("[" + m.text + "]", m.data)
    yield "null", pack("null", m.data)
    yield "not UTF-8", pack(m.text.replace(m.name, "\xff", 1).encode("latin-1"), m.data)
    yield "a line in a name", m.replaced(m.name, "a\nb")
    yield "a form feed between", m.replaced("{", "{\f")
    yield "half a surrogate", m.replaced(m.name, "\\ud800")
    yield "deep", m.added('"x": ' + "[" * 100000 + "]" * 100000)
    yield "metadata a list", m.replaced('"__metadata__": {',
                                        '"__metadata__": [], "m": {')
    yield "metadata a number", m.replaced('"classes": "', '"n": 1, "classes": "')
    yield "a field twice", m.replaced('"dtype": ', '"dtype": "F32", "dtype": ')
    yield "a tensor a number", m.added('"n": 1')


def stricter_files(m):
    number = np.array([1], "<f8").tobytes()
    begin, end = m.header[m.name]["data_offsets"]
    tensor = json.dumps(m.header[m.name])
    size = len(m.data)
    assert tensor in m.text
    yield "a number that is not a number", pack(
        m.text, m.data[:begin] + b"\0\0\xc0\x7f" + m.data[begin + 4:])
    yield "a tensor of doubles", m.added(
        f'"d": {{"dtype": "F64", "shape": [1], "data_offsets": [{size}, {size + 8}]}}',
        number)
    yield "a tensor of five dimensions", m.added(
        '"d": {"dtype": "F32", "shape": [1, 1, 1, 1, 1], '
        f'"data_offsets": [{size}, {size + 4}]}}', number[:4])
    yield "a tensor twice", m.added(f'"{m.name}": {tensor}')
    yield "a text twice", m.replaced('"classes": "', '"classes": "3", "classes": "')
    yield "a field that is unknown", m.replaced('"dtype": ', '"colour": 1, "dtype": ')
    yield "a zero character in a name", m.added(
        '"a\\u0000b": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}')


def judge(falign, folder, path, name, content, good):
    with open(path, "wb") as file:
        file.write(content)
    theirs, ours = takes(path), falign_takes(falign, path, folder)
    if name in STRICTER:
        check(f"{name}: refused by falign alone", ours is not None and theirs is None,
              (ours, theirs))
    elif good:
        check(f"{name}: taken", ours is None and theirs is None, (ours, theirs))
    else:
        check(f"{name}: refused", ours is not None and theirs is not None,
              (ours, theirs))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        run, path = os.path.join(temporary, "run"), os.path.join(temporary, "file")
        subprocess.run([falign, "train", "--data", folder, "--net", "mlp-1x4",
                        "--steps", "1", "--quiet", "--out", run], check=True)
        model = Model(os.path.join(run, "model.safetensors"))
        for good, files in ((True, good_files), (False, bad_numbers),
                            (False, bad_texts), (False, stricter_files)):
            for name, content in files(model):
                judge(falign, folder, path, name, content, good)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
