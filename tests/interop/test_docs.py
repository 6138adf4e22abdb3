"""What docs/ shows is what happens.

    python3 test_docs.py FALIGN_BINARY DATA_FOLDER

Goes through each page of docs/ from top to bottom, in an empty folder of its own, with
DATA_FOLDER standing in for the data set fashion-mnist, and noise for CIFAR-10 and
CIFAR-100: runs every block marked sh or
python, and every command of a console block, whose output must be the one shown; a yaml
block becomes the file run.yaml. Prints `ok PAGE:LINE` for each block.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|python|console|yaml)\n(.*?)^```$", re.M | re.S)


RECORDS, PIXELS = 160, 3072


def write_records(path, label_bytes):
    """A CIFAR file of noise, every label byte below ten."""
    with open(path, "wb") as file:
        for i in range(RECORDS):
            file.write(bytes([i % 10] * label_bytes) + os.urandom(PIXELS))


def make_cifar(folder):
    ten = pathlib.Path(folder, "cifar-10-batches-bin")
    hundred = pathlib.Path(folder, "cifar-100-binary")
    ten.mkdir()
    hundred.mkdir()
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        write_records(ten / f"{name}.bin", 1)
    for name in "train", "test":
        write_records(hundred / f"{name}.bin", 2)


def blocks(page):
    """(line, language, text) of each block."""
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        yield text.count("\n", 0, block.start()) + 1, *block.groups()


def run(command, environment):
    """What went wrong, and what was printed."""
    done = subprocess.run(command, env=environment, text=True, encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    why = f"exit {done.returncode}\n{done.stdout}" if done.returncode else ""
    return why, done.stdout


def run_console(text, environment):
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        printed = run(["sh", "-c", command], environment)[1]
        if printed != shown:
            return f"{command}\nprints\n{printed}and not\n{shown}"
    return ""


def run_page(page, environment):
    """How many blocks failed. The blocks of one language share what they define."""
    failures, before = 0, ""
    for line, language, text in blocks(page):
        if language == "console":
            why = run_console(text, environment)
        elif language == "yaml":
            why = pathlib.Path("run.yaml").write_text(text, encoding="utf-8") and ""
        elif language == "sh":
            why = run(["sh", "-e", "-c", text], environment)[0]
        else:
            why = run([sys.executable, "-c", before + text],
                      environment)[0]
            before += text
        failures += why != ""
        place = f"docs/{page.name}:{line}"
        print(f"FAILED {place}: {why}" if why else f"ok {place}", flush=True)
    return failures


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    falign, data = (os.path.abspath(path) for path in sys.argv[1:])
    failures = 0
    for page in sorted(DOCS.glob("*.md")):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(data, os.path.join(folder, "fashion-mnist"))
            make_cifar(folder)
            os.mkdir(os.path.join(folder, "place"))
            os.chdir(os.path.join(folder, "place"))
            path = os.path.dirname(falign) + os.pathsep + os.environ["PATH"]
            failures += run_page(page, {**os.environ, "PATH": path,
                                        "FALIGN_DATASETS": folder})
            os.chdir("/")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
