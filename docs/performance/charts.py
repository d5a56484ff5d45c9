#!/usr/bin/env python3
"""Draws the charts of docs/performance.md and writes its table, from figures.csv.

    python3 docs/performance/charts.py            # writes them
    python3 docs/performance/charts.py --check    # fails if they are not what it would write

A document gets the table between the lines `<!-- figures -->` and `<!-- /figures -->`.
"""

import csv
import sys
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
DOCUMENTS = [ROOT / "docs/performance.md", ROOT / "README.md"]
TITLES = {
    "requests": "CPU time per request, small responses (µs)",
    "transfers": "CPU time per request, TLS handshakes and large responses (µs)",
    "memory": "Memory per idle connection (KiB)",
}

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 760, 290, 60, 66, 16, 16
# An image does not see the theme of the page around it, only the reader's preference. So it brings its own background.
STYLE = """
  rect.page { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
  text.title { font-weight: 600; font-size: 15px }
  text.value { font-size: 12px }
  .bar0 { fill: #8c959f } .bar1 { fill: #c9a227 } .bar2 { fill: #1f6feb }
  @media (prefers-color-scheme: dark) {
    rect.page { fill: #161b22; stroke: #30363d }
    text { fill: #e6edf3 }
    .bar0 { fill: #7d8590 } .bar1 { fill: #bb8009 } .bar2 { fill: #58a6ff }
  }
"""


def read():
    lines = [line for line in (FOLDER / "figures.csv").read_text("utf-8").splitlines() if not line.startswith("#")]
    (_, note), head, *rows = csv.reader(lines)
    return note, head[3:], rows


def chart(title, proxies, rows):
    values = [[float(cell) if cell else None for cell in row[3:]] for row in rows]
    scale = (WIDTH - LEFT - RIGHT) / max(value for row in values for value in row if value is not None)
    height = TOP + len(rows) * (len(proxies) * BAR + GAP) + 4
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
    ]
    for index, proxy in enumerate(proxies):
        x = LEFT + index * 130
        svg.append(f'<rect class="bar{index}" x="{x}" y="39" width="12" height="12" rx="2"/>')
        svg.append(f'<text x="{x + 18}" y="50">{escape(proxy)}</text>')
    y = TOP
    for row, numbers in zip(rows, values):
        middle = y + len(proxies) * BAR / 2 + 4.5
        svg.append(f'<text x="{LEFT - 12}" y="{middle:g}" text-anchor="end">{escape(row[1])}</text>')
        for index, number in enumerate(numbers):
            if number is not None:
                width = max(number * scale, 1)
                svg.append(
                    f'<rect class="bar{index}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 3}" rx="2"/>'
                )
                svg.append(
                    f'<text class="value" x="{LEFT + width + 6:.1f}" y="{y + 11}">{escape(row[3 + index])}</text>'
                )
            y += BAR
        y += GAP
    return "\n".join([*svg, "</svg>", ""])


def table(note, proxies, rows):
    lines = ["| case | " + " | ".join(proxies) + " |", "| --- |" + " ---: |" * len(proxies)]
    for _, case, unit, *cells in rows:
        lines.append(f"| {case}, {unit} | " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join(["", *lines, "", note, ""])


def outputs():
    note, proxies, rows = read()
    for name, title in TITLES.items():
        yield FOLDER / f"{name}.svg", chart(title, proxies, [row for row in rows if row[0] == name])
    opening, closing = "<!-- figures -->\n", "<!-- /figures -->"
    for document in DOCUMENTS:
        before, found, rest = document.read_text("utf-8").partition(opening)
        if found:
            yield document, before + found + table(note, proxies, rows) + "\n" + closing + rest.partition(closing)[2]


def main():
    check = sys.argv[1:] == ["--check"]
    for path, text in outputs():
        if check and (not path.exists() or path.read_text("utf-8") != text):
            sys.exit(f"{path.relative_to(ROOT)} is out of date: run python3 docs/performance/charts.py")
        if not check:
            path.write_text(text, "utf-8")


main()
