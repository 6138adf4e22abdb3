#!/usr/bin/env python3
"""Figures of a report as one picture: pictures.py REPORT.html OUT.png NUMBER…

Numbers count the page's figures from 1. Needs Chromium."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, HEIGHT, SCALE = 440, 330, 1.5


def page(report, numbers):
    head = report[: report.index("<body")]
    figures = re.findall(r"<figure>.*?</figure>", report, re.S)
    chosen = "".join(figures[number - 1] for number in numbers)
    style = (f"body{{margin:0;max-width:none;padding:8px;display:grid;gap:8px;"
             f"grid-template-columns:repeat({len(numbers)},{WIDTH - 16}px)}}"
             "figure{margin:0}figure p{display:none}")
    return f"{head}<style>{style}</style><body>{chosen}</body></html>"


def main():
    if len(sys.argv) < 4 or not CHROMIUM:
        sys.exit(__doc__)
    report, picture = Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2]
    numbers = [int(number) for number in sys.argv[3:]]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "figures.html")
        source.write_text(page(report, numbers), encoding="utf-8")
        subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--hide-scrollbars",
             f"--force-device-scale-factor={SCALE}", f"--user-data-dir={folder}/profile",
             f"--window-size={WIDTH * len(numbers)},{HEIGHT}",
             f"--screenshot={Path(picture).resolve()}", source.as_uri()],
            check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
