"""The pages of `falign reproduce` in a browser.

    python3 test_reproduce.py FALIGN_BINARY DATA_FOLDER

Runs the tiny form of every experiment there is, with DATA_FOLDER for its data set, and
opens its report.html in headless Chromium at two widths, light and dark: no error of its
script, every plot there with what it draws within it, values under the pointer, no page
wider than its window. Compares its figures with results.json, and the claims there with the
Markdown table; a tiny form's page gives no verdicts. Prints `ok NAME` for each check; without Chromium the checks
that need it are skipped. `--keep FOLDER` leaves the folders there.
"""

import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from test_report import CHROMIUM, Page, browse

TABLE = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "table.py"


def shown(text):
    return html.escape(text).replace("&#x27;", "&#39;")


def says_what_was_found(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    page = Page(text)
    assert page.links == [] and "url(" not in text and "@import" not in text
    assert page.counts["script"] == 1 and page.counts["style"] == 1
    assert results["claims"]
    measured = sum(figure["n"] > 0 for figure in results["figures"].values())
    assert f"it works: {measured} figures" in text, measured
    for claim in results["claims"]:
        assert claim["claim"] and claim["published"] and claim["source"], claim["id"]
        assert shown(claim["claim"]) not in text, claim["id"]
    for name in results["figures"]:
        assert f"<tr><th>{shown(name)}</th>" in text, name


def looks_right(folder, width, dark):
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = browse(folder / "report.html", width, dark)
    assert found["faults"] == [], found["faults"]
    assert len(found["plots"]) == text.count('<svg class="plot"') > 0
    for number, plot in enumerate(found["plots"]):
        assert plot["lines"] + plot["marks"] > 0 and plot["outside"] == 0, (number, plot)
        assert plot["shown"] and plot["hidden"], (number, plot)
        assert re.search(r"[-\d.]+", plot["hint"]), (number, plot)
    assert found["wide"] <= 0, found["wide"]
    assert found["table"] <= 0 or width < 1100, found["table"]
    light = re.match(r"rgb\((\d+)", found["ground"])
    assert (int(light.group(1)) < 128) == dark, found["ground"]


def is_a_table(folders):
    paths = [str(folder / "results.json") for folder in folders]
    lines = subprocess.run([sys.executable, TABLE, *paths], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    claims = sum(len(json.load(open(path, encoding="utf-8"))["claims"]) for path in paths)
    assert len(lines) == 2 + claims, (len(lines), claims)
    for line in lines:
        assert len(re.split(r"(?<!\\)\|", line)) == 7, line


def run(falign, data, folder):
    """The folders of all experiments."""
    known = json.loads(subprocess.run([falign, "reproduce", "--json"], capture_output=True,
                                      text=True, check=True).stdout)
    for entry in known:
        words = ["--data", data] if entry["data"] else []
        subprocess.run([falign, "reproduce", entry["name"], "--tiny", "--quiet", *words,
                        "--out", folder / entry["name"], "--force"], check=True)
    return [folder / entry["name"] for entry in known]


def main():
    words = sys.argv[1:]
    keep = words.pop() if len(words) == 4 and words[2] == "--keep" else None
    if len(words) < 2:
        sys.exit(__doc__)
    falign, data, failures = os.path.abspath(words[0]), os.path.abspath(words[1]), 0
    with tempfile.TemporaryDirectory() as place:
        folders = run(falign, data, pathlib.Path(keep or place).resolve())
        checks = [("the table has every claim", is_a_table, [folders])] if folders else []
        for folder in folders:
            checks += [(f"{folder.name} says what was found", says_what_was_found, [folder]),
                       (f"{folder.name} in Chromium, 1200 wide", looks_right,
                        [folder, 1200, False]),
                       (f"{folder.name} in Chromium, 400 wide, dark", looks_right,
                        [folder, 400, True])]
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
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
