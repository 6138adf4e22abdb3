"""The report's page in a browser.

    python3 test_report.py FALIGN_BINARY DATA_FOLDER

Makes run folders as falign writes them, with every metric, lets `falign report` draw
them, and opens the page in headless Chromium at three widths, light and dark: no error of
its script, every figure there with lines that lie within it, values under the pointer, no
page wider than its window, nor its first table where the window is wide. Prints `ok NAME`
for each check; without Chromium the checks that need it are skipped. `--keep FOLDER`
writes the run folders and pages there.
"""

import html
import html.parser
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

EPOCHS, EPOCH_STEPS = 3, 40
RANKS = [measure + kind for measure in
         ("effective_rank", "participation_ratio", "stable_rank")
         for kind in ("", ".carried", ".update", ".activation")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# ---- run folders -------------------------------------------------------------------


def config(rule, seed, net, **more):
    options = {"data": "fashion-mnist", "data-path": None, "samples": None,
               "standardize": "channel", "no-shuffle": False, "net": net,
               "activation": "relu", "norm": "none", "no-bias": False,
               "loss": "cross-entropy", "weight-law": "fan-in", "init": None,
               "rule": rule, "fresh-feedback": False, "feedback-law": None,
               "optimizer": "adam", "lr": 0.001, "schedule": "cosine", "batch": 128,
               "epochs": EPOCHS, "steps": None, "seed": seed, "feedback-seed": seed,
               "data-seed": seed, "noise-seed": seed, "log": 10, "device": "cpu:0",
               "gemm": "own", **more}
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in options.items())
    return "# falign 0.1.0, a test\n# falign train THIS --out NEW repeats the run\n" + \
        "".join(lines)


def metrics(draw, rule, layers, step):
    """All metrics of a step; null where science has no value."""
    time = step / (EPOCHS * EPOCH_STEPS)
    best = {"bp": 1, "fa": .62, "dfa": .5, "shallow": None}.get(rule, .4)
    found = {}

    def by_layer(name, of, names, total=None):
        values = {layer: None if best is None else of(i) + .02 * draw.gauss(0, 1)
                  for i, layer in enumerate(names)}
        known = [value for value in values.values() if value is not None]
        values["total"] = sum(known) / len(known) if known else None
        found[name] = values

    rising = (1 - math.exp(-4 * time)) * (best or 0)
    hidden = layers[:-1]
    by_layer("gradient_alignment", lambda i: min(1, rising * (1 - .15 * i)), hidden)
    by_layer("update_alignment", lambda i: min(1, rising * (1 - .1 * i)), layers)
    by_layer("weight_alignment", lambda i: rising * (.5 + .1 * i), layers[1:])
    for name in RANKS:
        by_layer(name, lambda i: 5 + 40 * time * (1 + i) * len(name) / 20, hidden)
    by_layer("reference_norm", lambda i: .1 * 10 ** (-2 * time - i / 2) + .1, hidden)
    by_layer("dead_units", lambda i: .1 + .05 * i, hidden)
    by_layer("left_out", lambda i: float(i), hidden)
    return found


def write_run(folder, rule, seed, layers, **more):
    draw = random.Random(f"{rule} {seed} {len(layers)}")
    folder.mkdir(parents=True)
    net = f"mlp-{len(layers) - 1}x64"
    (folder / "config.yaml").write_text(config(rule, seed, net, **more))
    top = {"bp": .89, "fa": .87, "dfa": .865, "shallow": .79}.get(rule, .85)
    with open(folder / "metrics.jsonl", "w", encoding="utf-8") as file:
        for step in range(0, EPOCHS * EPOCH_STEPS + 1, 5):
            done = {"step": step, "epoch": step // EPOCH_STEPS}
            accuracy = top * (1 - .5 * math.exp(-step / 20)) + .004 * draw.gauss(0, 1)
            loss = 2.3 * math.exp(-step / 30) + .3 + .02 * draw.gauss(0, 1)
            trained = {"train_loss": loss, "train_accuracy": accuracy}
            line = {"type": "step", **done}
            if step % 10 == 0 and step:
                line.update(trained)
            line.update(metrics(draw, rule, layers, step))
            file.write(json.dumps(line) + "\n")
            if step and step % EPOCH_STEPS == 0:
                file.write(json.dumps({
                    "type": "epoch", **done, **trained, "test_loss": loss + .05,
                    "test_accuracy": accuracy - .01, "validation_loss": loss + .04,
                    "validation_accuracy": accuracy - .02, "samples_per_second": 40000.0,
                    "seconds": step / 10}) + "\n")


def write_comparison(folder, rules, seeds, depth):
    layers = [f"dense{i + 1}" for i in range(depth)]
    runs = []
    for rule in rules:
        for seed in range(1, seeds + 1):
            write_run(folder / f"{rule}-{seed}", rule, seed, layers)
            runs.append({"rule": rule, "seed": seed, "folder": f"{rule}-{seed}"})
    options = {"data": "fashion-mnist", "net": f"mlp-{depth - 1}x64",
               "rules": ",".join(rules), "seed": 1, "feedback-seed": 1, "seeds": seeds,
               "epochs": EPOCHS, "log": 10}
    (folder / "compare.json").write_text(
        json.dumps({"config": options, "runs": runs, "rules": []},
                   separators=(",", ":")) + "\n")


# ---- the page as text --------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Tags must close in order; counts them and notes what leads out of the page."""

    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.links = [], {}, []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value for key, value in attributes
                       if key in ("src", "href", "xlink:href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def is_self_contained(text):
    page = Page(text)
    assert page.links == [], page.links
    assert "url(" not in text and "@import" not in text
    assert page.counts["script"] == 1 and page.counts["style"] == 1
    assert page.counts["svg"] > 5


# ---- the page in a browser ---------------------------------------------------------

# What runs in the page: moves a pointer over every figure, and leaves what it found in
# an attribute of the root.
BEFORE = """<script>
window.faults = [];
window.addEventListener("error", e => faults.push(e.message));
</script>"""
AFTER = """<script>
document.querySelectorAll("details").forEach(d => { d.open = true; });
const found = {faults, plots: [], cells: 0, hints: [],
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  table: (t => t.scrollWidth - t.clientWidth)(document.querySelector(".wide")),
  ground: getComputedStyle(document.body).backgroundColor,
  copies: document.querySelectorAll(".copy button").length};
document.querySelectorAll("svg.plot").forEach(svg => {
  const box = svg.getBoundingClientRect(), plot = {lines: 0, marks: 0, outside: 0};
  svg.querySelectorAll(".line, .band, .mark").forEach(path => {
    const own = path.getBoundingClientRect();
    if (path.classList.contains("line") && path.getTotalLength() > 0) plot.lines++;
    if (path.classList.contains("mark")) plot.marks++;
    if (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 ||
        own.bottom > box.bottom + 1) plot.outside++;
  });
  for (const part of [0, .4, 1])
    svg.dispatchEvent(new PointerEvent("pointermove", {bubbles: true,
      clientX: box.left + part * box.width, clientY: box.top + 20}));
  plot.hint = document.querySelector(".hint").textContent;
  plot.shown = !document.querySelector(".hint").hidden;
  svg.dispatchEvent(new PointerEvent("pointerleave"));
  plot.hidden = document.querySelector(".hint").hidden;
  found.plots.push(plot);
});
document.querySelectorAll("svg.heat .cell").forEach(cell => {
  if (cell.getTotalLength() > 0 && cell.parentNode.querySelector("text").textContent)
    found.cells++;
});
document.querySelector(".copy button").click();
document.documentElement.setAttribute("data-found", JSON.stringify(found));
</script>"""


def browse(page, width, dark):
    """What the script above finds in the page."""
    text = page.read_text(encoding="utf-8")
    probe = page.with_name("probe.html")
    probe.write_text(text.replace("<head>", "<head>" + BEFORE, 1)
                     .replace("</body>", AFTER + "</body>"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}",
             f"--window-size={width},900", "--virtual-time-budget=4000",
             *(["--blink-settings=preferredColorScheme=0"] if dark else
               ["--blink-settings=preferredColorScheme=1"]),
             "--dump-dom", probe.as_uri()],
            capture_output=True, text=True, timeout=120)
    probe.unlink()
    match = re.search(r'data-found="([^"]*)"', done.stdout)
    assert match, done.stderr[-2000:]
    return json.loads(html.unescape(match.group(1)))


def looks_right(page, width, dark):
    text = page.read_text(encoding="utf-8")
    found = browse(page, width, dark)
    assert found["faults"] == [], found["faults"]
    assert len(found["plots"]) == text.count('<svg class="plot"') > 0
    for number, plot in enumerate(found["plots"]):
        assert plot["lines"] > 0 and plot["outside"] == 0, (number, plot)
        assert plot["shown"] and plot["hidden"], (number, plot)
        assert re.search(r"step \d+\S* [-\d.]", plot["hint"]), (number, plot)
    assert found["cells"] == text.count('<g><path class="cell"') > 0
    assert found["copies"] == text.count('<div class="copy">') > 0
    assert found["wide"] <= 0, found["wide"]
    assert found["table"] <= 0 or width < 1100, found["table"]
    light = re.match(r"rgb\((\d+)", found["ground"])
    assert (int(light.group(1)) < 128) == dark, found["ground"]


# ---- all ---------------------------------------------------------------------------


def report(falign, *words):
    done = subprocess.run([falign, "report", *map(str, words), "--json"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def make(falign, folder):
    """The pages, by name."""
    write_comparison(folder / "rules", ["bp", "fa", "dfa", "shallow"], 3, 3)
    write_comparison(folder / "deep", ["bp", "fa"], 1, 14)
    write_run(folder / "one", "dfa", 1, ["dense1", "dense2", "dense3"])
    pages = {}
    for name, words in {"rules": ["rules"], "deep": ["deep"], "one": ["one"],
                        "networks": ["rules", "deep", "--out", "networks.html"]}.items():
        os.chdir(folder)
        pages[name] = folder / report(falign, *words)["report"]
    return pages


def main():
    words = sys.argv[1:]
    keep = words.pop() if len(words) == 4 and words[2] == "--keep" else None
    if len(words) < 2:
        sys.exit(__doc__)
    falign, failures = os.path.abspath(words[0]), 0
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(keep or place).resolve()
        pages = make(falign, folder)
        checks = [(f"{name} is one whole page", is_self_contained,
                   [page.read_text(encoding="utf-8")]) for name, page in pages.items()]
        for name, width, dark in (("rules", 1280, False), ("rules", 400, True),
                                  ("one", 400, False), ("networks", 1100, True)):
            checks.append((f"{name} in Chromium, {width} wide{', dark' * dark}",
                           looks_right, [pages[name], width, dark]))
        for name, check, arguments in checks:
            if check is looks_right and not CHROMIUM:
                print(f"[  SKIPPED ] {name}: no chromium")
                continue
            try:
                check(*arguments)
                print(f"ok {name}", flush=True)
            except AssertionError as error:
                failures += 1
                print(f"FAILED {name}: {error}", flush=True)
        os.chdir("/")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
