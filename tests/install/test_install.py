"""The installed falign as a stranger meets it: files, symbols, header, linking,
examples, removal. `meson test install` runs it:

    python3 test_install.py BUILD LIBRARY SANITIZE COMPILER...

BUILD is the build folder, LIBRARY and SANITIZE its options default_library and
b_sanitize. Everything happens in a temporary folder, in a prefix that was moved after
the installation. Prints cmocka's lines, which tests/summary.py counts.
"""

import atexit
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
EXAMPLES = SOURCE / "examples"
BUILD, LIBRARY, SANITIZE = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
COMPILER = sys.argv[4:]
SHARED, STATIC, PLAIN = LIBRARY != "static", LIBRARY != "shared", SANITIZE == "none"
STRICT = (
    "-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef "
    "-Wcast-align -Werror"
).split()
if not PLAIN:
    COMPILER += [f"-fsanitize={SANITIZE}"]


class Skip(Exception):
    pass


def attempt(*command, **options):
    command = [str(word) for word in command]
    return subprocess.run(command, capture_output=True, text=True, **options)


def run(*command, **options):
    """The command's output; anything but exit code 0 is a failure."""
    done = attempt(*command, **options)
    words = " ".join(map(str, command))
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{said}"
    return done.stdout


def equal(found, wanted):
    assert found == wanted, f"found\n{found}\nwanted\n{wanted}"


def same_names(found, wanted):
    more, less = sorted(set(found) - set(wanted)), sorted(set(wanted) - set(found))
    assert not more and not less, f"unexpected: {more}; missing: {less}"


def within(found, low, high):
    assert low <= float(found) <= high, f"{found} is not in {low} … {high}"


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"no {tool} here")


def only(condition):
    """Leaves out a test that says nothing about this build."""
    return lambda test: test if condition else None


@contextlib.contextmanager
def own_log():
    """meson's list of what it installed, for `ninja uninstall`, is the user's: it
    stands aside meanwhile."""
    log = BUILD / "meson-logs" / "install-log.txt"
    kept = log.with_suffix(".kept")
    if log.exists() and not kept.exists():
        log.replace(kept)
    try:
        yield
    finally:
        log.unlink(missing_ok=True)
        if kept.exists():
            kept.replace(log)


def install(root):
    """Installs what is built below `root`; gives the prefix there."""
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
    return next(root.rglob("bin/falign")).parents[1]


def left_in(folder):
    """Files and links below the folder, library folders as plain lib."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(re.sub(r"^lib(64|/[^/]+-linux-gnu\w*)/", "lib/", n) for n in names)


def header():
    return (PREFIX / "include" / "falign.h").read_text()


def version():
    numbers = re.findall(r"#define FAL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header())
    return ".".join(numbers)


def lines_of(name):
    return (HERE / name).read_text().split()


def files_of(library):
    """What an installation holds that has both libraries, or just one."""
    absent = {"both": "nothing", "static": ".so", "shared": ".a"}[library]
    names = [name.replace("VERSION", version()) for name in lines_of("files.txt")]
    return [name for name in names if absent not in name]


def pkg_config(*words):
    need("pkg-config")
    return run("pkg-config", *words, "falign", env=LINKING).split()


def dynamic(path, tag):
    """Entries of a kind in a program's dynamic section: NEEDED, SONAME, RUNPATH."""
    return re.findall(rf"\({tag}\).*\[(.*)\]", run("readelf", "-d", path))


def build(source, output, libraries, compiler=COMPILER, flags=("-std=c11",)):
    words = [*compiler, *flags, *STRICT, source, "-o", WORK / output]
    run(*words, *pkg_config("--cflags"), *libraries, "-lm")
    return WORK / output


def build_example(name):
    return build(EXAMPLES / f"{name}.c", name, pkg_config("--libs"))


def readme():
    return (SOURCE / "README.md").read_text()


def readme_commands(beginning, replaced=None):
    """A block of shell commands from README, its compiler ours."""
    blocks = re.findall(r"```sh\n(.*?)```", readme(), re.S)
    block = next(block for block in blocks if block.startswith(beginning))
    block = re.sub(r"^cc ", " ".join(COMPILER) + " ", block)
    for word, by in (replaced or {}).items():
        assert word in block, f"{word} is not in {block}"
        block = block.replace(word, by)
    return block


def run_program(*command):
    return run(*command, cwd=WORK, env=LOADING)


WORK = Path(tempfile.mkdtemp(prefix="falign-install-"))
atexit.register(shutil.rmtree, WORK)
STAGE, PREFIX = WORK / "stage", WORK / "moved"
install(STAGE).rename(PREFIX)
TOOL, LIBRARIES = PREFIX / "bin" / "falign", next(PREFIX.rglob("pkgconfig")).parent
os.environ.pop("LD_LIBRARY_PATH", None)  # meson's, to the build folder
LINKING = {**os.environ, "PKG_CONFIG_PATH": str(LIBRARIES / "pkgconfig")}
LOADING = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES)}


# ---- what is installed ---------------------------------------------------------


def test_files():
    same_names(left_in(PREFIX), files_of(LIBRARY))


def test_nothing_outside_the_prefix():
    equal(left_in(STAGE), [])


def test_version():
    equal(pkg_config("--modversion"), [version()])
    equal(run(TOOL, "--version").split()[:2], ["falign", version()])
    changes = (SOURCE / "CHANGELOG.md").read_text()
    equal(re.search(r"^## (\S+)", changes, re.M)[1], version())


def test_moved_prefix():
    libraries = pkg_config("--libs", "--cflags")
    equal([w for w in libraries if w.startswith("/")], [])
    for word in (f"-I{PREFIX}/include", f"-L{LIBRARIES}"):
        assert word in map(os.path.normpath, libraries), (
            f"{word} is not in {libraries}; a build folder made before it was so: "
            "meson configure FOLDER -Dpkgconfig.relocatable=true"
        )
    for path in [TOOL, *LIBRARIES.glob("libfalign.so")]:
        equal(dynamic(path, "RUNPATH") + dynamic(path, "RPATH"), [])


def test_moved_tool():
    equal([n for n in dynamic(TOOL, "NEEDED") if "falign" in n], [])
    sample = SOURCE / "datasets" / "sample"
    words = f"train --data {sample} --net mlp-1x8 --epochs 1 --out {WORK}/run --quiet"
    run(TOOL, *words.split(), cwd=WORK)
    assert (WORK / "run" / "model.safetensors").exists()


def test_removal():
    root = WORK / "removed"
    with own_log():
        assert left_in(install(root))
        run("ninja", "-C", BUILD, "uninstall")
    assert not root.exists(), left_in(root)


# ---- symbols and header --------------------------------------------------------


def names_in(path, *options):
    listed = run("nm", *options, "--defined-only", path).splitlines()
    found = (line.split() for line in listed)
    return [w[2].split("@")[0] for w in found if len(w) == 3 and w[1] != "A"]


@only(SHARED)
def test_exported_symbols():
    found = names_in(LIBRARIES / "libfalign.so", "-D")
    same_names(found, lines_of("symbols.txt"))
    equal(dynamic(LIBRARIES / "libfalign.so", "SONAME"), ["libfalign.so.0"])


def test_header_declares_what_is_exported():
    declared = re.findall(r"^FAL_API[^;(]*?(fal_\w+)\(", header(), re.M)
    same_names(declared, lines_of("symbols.txt"))


@only(STATIC)
def test_static_library_keeps_to_its_prefix():
    found = names_in(LIBRARIES / "libfalign.a", "-g")
    ours = [name for name in found if not name.startswith("__odr_asan.")]
    equal([name for name in ours if not name.startswith("fal_")], [])
    equal(sorted(set(lines_of("symbols.txt")) - set(ours)), [])


@only(SHARED)
def test_library_neither_prints_nor_exits():
    used = run("nm", "-D", "-u", LIBRARIES / "libfalign.so")
    never = r" (_*exit|abort|__assert_fail|v?f?printf|f?puts|putchar|std\w+|setlocale)@"
    equal(re.findall(never, re.sub("__(v?f?printf)_chk", r"\1", used)), [])


def test_header_in_every_language():
    options = re.findall(r"^#define (FAL_\w+_OPTIONS|FAL_ARRAYS) ", header(), re.M)
    text = "#include <falign.h>\n" * 2
    for macro in options:
        kind = macro.lower()
        text += f"{kind} make_{kind}(void);\n"
        text += f"{kind} make_{kind}(void) {{ {kind} made = {macro}; return made; }}\n"
    source = WORK / "uses_header"
    source.write_text(text)
    c = ["-Wstrict-prototypes", "-Wc++-compat", "-x", "c"]
    cpp = ["-Wold-style-cast", "-Wzero-as-null-pointer-constant", "-x", "c++"]
    languages = [("c99", c), ("c11", c), ("c++17", cpp)]
    for compiler in "gcc", "g++", "clang", "clang++":
        for standard, more in languages:
            if shutil.which(compiler) and ("++" in compiler) == (more is cpp):
                words = [compiler, f"-std={standard}", *STRICT, *more, source]
                run(*words, "-fsyntax-only", *pkg_config("--cflags"))
    need("gcc", "g++")


def test_header_shortest_program():
    comment = header().split("*/")[0]
    body = "\n".join(re.findall(r"^ \*     (.*)$", comment, re.M))
    assert "fal_trainer_fit" in body
    source = WORK / "shortest.c"
    source.write_text(
        "#include <falign.h>\nint main(void) {\nfal_device *device;\n"
        "fal_dataset *train, *test;\nfal_model *model;\nfal_trainer *trainer;\n"
        f"{body}\nreturn 0;\n}}\n"
    )
    build(source, "shortest", pkg_config("--libs"))


# ---- programs of other people --------------------------------------------------


def test_readme_program():
    block = re.search(r"```c\n(.*?)```", readme(), re.S)[1]
    equal(block, (EXAMPLES / "from_memory.c").read_text().split("\n", 1)[1])
    assert len(block.splitlines()) <= 40, "more than 40 lines"


def test_examples_are_short():
    for path in EXAMPLES.glob("*.*"):
        most = {".c": 59, ".py": 39}.get(path.suffix, 1000)
        lines = path.read_text().splitlines()
        assert len(lines) <= most, f"{path.name}: {len(lines)} lines"
        assert max(map(len, lines)) <= 84, f"{path.name}: a long line"


def test_example_from_memory():
    out = run_program(build_example("from_memory"))
    within(re.match(r"(\S+) % right\n$", out)[1], 95, 100)


def test_example_own_loop_and_predict():
    out = run_program(build_example("own_loop"))
    rates = [float(rate) for rate in re.findall(r"rate (\S+)", out)]
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", out)]
    equal((len(rates), max(rates), rates[-1]), (11, 0.0071, 0.0022))
    within(losses[0], 0.5, 1)
    within(losses[-1], 0, 0.1)
    predict = build_example("predict")
    for x, y, label in (0.5, 0.5, 1), (-0.5, 0.5, 0), (0.3, -0.7, 0), (-0.4, -0.4, 1):
        out = run_program(predict, "signs.safetensors", str(x), str(y))
        found = re.findall(r"class (\d): (\S+)\n", out)
        equal([index for index, _ in found], ["0", "1"])
        within(found[label][1], 0.8, 1)
    wrong = attempt(predict, "signs.safetensors", "1", cwd=WORK, env=LOADING)
    equal((wrong.returncode, wrong.stderr), (1, "signs.safetensors takes 2 numbers\n"))


def test_example_regression():
    out = run_program(build_example("regression"))
    pairs = re.findall(r"= (\S+), network (\S+)\n", out)
    equal(len(pairs), 5)
    for sine, network in pairs:
        within(network, float(sine) - 0.05, float(sine) + 0.05)


def test_example_two_trainers():
    program = build_example("two_trainers")
    out = run_program(program)
    device = os.environ.get("FALIGN_DEVICE", "cpu")
    equal(run_program(program, device, device), out)
    found = re.findall(r"(\S+) +(\S+) % right\n", out)
    equal([rule for rule, _ in found], ["bp", "dfa"])
    for _, accuracy in found:
        within(accuracy, 95, 100)


@only(SHARED)
def test_example_from_python():
    out = run_program(sys.executable, EXAMPLES / "train.py")
    within(re.match(r"(\S+) % right, loss \S+\n$", out)[1], 90, 100)


def test_example_reports_its_error():
    environment = {**LOADING, "FALIGN_DEVICE": "no-such-device"}
    for program in ("from_memory", "own_loop", "regression", "two_trainers"):
        done = attempt(build_example(program), cwd=WORK, env=environment)
        equal((done.returncode, done.stdout), (1, ""))
        assert "no-such-device" in done.stderr, done.stderr


@only(STATIC)
def test_readme_static_linking():
    folder = WORK / "static"
    folder.mkdir()
    shutil.copy(EXAMPLES / "from_memory.c", folder / "program.c")
    command = readme_commands("cc program.c $(pkg-config --cflags --libs --static")
    run("sh", "-ec", command, cwd=folder, env=LINKING)
    equal([n for n in dynamic(folder / "program", "NEEDED") if "falign" in n], [])
    assert "right" in run(folder / "program", cwd=WORK)


def test_cmake():
    need("cmake", "pkg-config")
    said = re.search(r"```cmake\n(.*?)```", readme(), re.S)[1].splitlines()
    equal(set(said) - set((HERE / "CMakeLists.txt").read_text().splitlines()), set())
    folder = WORK / "cmake"
    folder.mkdir()
    shutil.copy(HERE / "CMakeLists.txt", folder)
    setup = {
        "SOURCE": EXAMPLES / "from_memory.c",
        "CMAKE_C_COMPILER": COMPILER[0],
        "CMAKE_C_FLAGS": " ".join(COMPILER[1:]),
    }
    words = [f"-D{name}={value}" for name, value in setup.items()]
    words += ["-G", "Ninja", "-S", folder, "-B", folder / "build"]
    run("cmake", *words, env=LINKING)
    run("ninja", "-C", folder / "build")
    assert "right" in run(folder / "build" / "program", cwd=WORK)


# ---- other builds --------------------------------------------------------------


def configure(source, folder, *options):
    run("meson", "setup", folder, source, "-Dbuildtype=plain", *options)


@only(PLAIN)
def test_readme_installation():
    """From a copy of the sources to a program that runs, and away again; of the
    shared library alone and without optimizing, for speed."""
    home, clone, prefix = WORK / "home", WORK / "clone", WORK / "home" / ".local"
    home.mkdir()
    left_out = shutil.ignore_patterns(".git", "build*", "runs", ".venv")
    shutil.copytree(SOURCE, clone, ignore=left_out)
    shutil.copy(EXAMPLES / "from_memory.c", clone / "program.c")
    quick = "--buildtype=plain -Ddefault_library=shared"

    environment = {**os.environ, "HOME": str(home)}

    def shell(*commands):
        return run("sh", "-ec", "".join(commands), cwd=clone, env=environment)

    shell(readme_commands("meson setup", {"--buildtype=release": quick}))
    same_names(left_in(prefix), files_of("shared"))
    equal(dynamic(next(prefix.rglob("libfalign.so")), "SONAME"), ["libfalign.so.0"])
    use = readme_commands("export PATH")
    out = shell(use, readme_commands("cc program.c"), "./program")
    within(re.match(r"(\S+) % right\n$", out)[1], 95, 100)
    shell(re.search(r"`(ninja \S+ \S+ uninstall)`", readme())[1])
    assert not prefix.exists(), left_in(home)


@only(PLAIN)
def test_subproject():
    parent = WORK / "parent"
    (parent / "subprojects").mkdir(parents=True)
    (parent / "subprojects" / "falign").symlink_to(SOURCE)
    shutil.copy(EXAMPLES / "from_memory.c", parent / "program.c")
    (parent / "meson.build").write_text(
        "project('parent', 'c')\n"
        "falign = dependency('falign', fallback: 'falign')\n"
        "executable('program', 'program.c', dependencies: falign)\n"
    )
    folder = WORK / "parent-build"
    options = ["-Ddefault_library=static", "--force-fallback-for=falign"]
    configure(parent, folder, *options)
    run("ninja", "-C", folder, "program")
    assert "right" in run(folder / "program", cwd=WORK)


def main():
    failed = 0
    tests = [(n, t) for n, t in globals().items() if n.startswith("test_") and t]
    for name, test in tests:
        label = f"install: {name[5:].replace('_', ' ')}"
        try:
            test()
            print(f"[       OK ] {label}", flush=True)
        except Skip as why:
            print(f"{label}: {why}\n[  SKIPPED ] {label}", flush=True)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {label}", flush=True)
            failed += 1
    return failed > 0


sys.exit(main())
