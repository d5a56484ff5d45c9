#!/usr/bin/env python3
"""Runs `pmesh demo` and a few curl commands, and draws what a terminal shows as demo.svg.

    cargo build && docs/images/demo.py target/debug/pmesh

Needs curl, and ports 8080 and 8443 on loopback.
"""
import html
import os
import pathlib
import subprocess
import sys
import tempfile

COMMANDS = [
    "curl http://demo.localhost:8080",
    "curl http://127.0.0.1:8080",
    "curl -k https://127.0.0.1:8443",
]
WIDTH, LINE, MARGIN, TOP = 860, 19, 18, 46
# Seconds between a command and the next one, and the pause before the recording starts again.
STEP, PAUSE = 3.0, 6.0
STYLE = """
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d6deeb }
    .command { fill: #7fdbca; font-weight: bold }
    .nothing { fill: #ff8f87 }
    .title { fill: #8a98a8 }
"""


def record(program):
    """The commands and their output, from a demo in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        arguments = dict(env={"HOME": home, "PATH": os.environ["PATH"]}, text=True, stdout=subprocess.PIPE)
        with subprocess.Popen([program, "demo"], stderr=subprocess.DEVNULL, **arguments) as demo:
            try:
                # The last line that the demo prints says that it is ready.
                for line in demo.stdout:
                    if line.startswith("Ctrl-C"):
                        break
                for command in COMMANDS:
                    # Without the progress meter, which a terminal would not show either.
                    quiet = command.replace("curl", "curl -sS", 1)
                    done = subprocess.run(quiet, shell=True, stderr=subprocess.STDOUT, **arguments)
                    yield command, done.stdout.splitlines(), done.returncode
            finally:
                demo.terminate()


def escape(line):
    # Spaces that no viewer merges.
    return html.escape(line, quote=False).replace(" ", "\u00a0")


def draw(steps):
    """The recording as an SVG, which shows each step after the one before it."""
    rows, styles, y = [], [STYLE], TOP
    total = STEP * len(steps) + PAUSE
    for number, (command, output, status) in enumerate(steps):
        lines = [f'<text class="command" x="{MARGIN}" y="{y}">$ {escape(command)}</text>']
        y += LINE
        kind = ' class="nothing"' if status else ""
        for line in output:
            lines.append(f'<text{kind} x="{MARGIN}" y="{y}">{escape(line)}</text>')
            y += LINE
        y += LINE // 2
        rows.append(f'<g id="step{number}">\n' + "\n".join(lines) + "\n</g>")
        if number:
            start = 100 * STEP * number / total
            styles.append(f"    #step{number} {{ animation: step{number} {total}s infinite }}\n")
            styles.append(f"    @keyframes step{number} {{ 0%, {start:.1f}% {{ opacity: 0 }} {start + 1:.1f}%, 100% {{ opacity: 1 }} }}\n")
    styles.append("    @media (prefers-reduced-motion: reduce) { g { animation: none !important } }\n")
    height = y + MARGIN - LINE // 2
    dots = "".join(f'<circle cx="{MARGIN + 6 + 18 * n}" cy="17" r="5" fill="#3b4a5a"/>' for n in range(3))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>pmesh demo: a response by name, silence without one</title>
<style>{"".join(styles)}</style>
<rect width="{WIDTH}" height="{height}" rx="8" fill="#0f1b26"/>
{dots}<text class="title" x="{WIDTH // 2}" y="21" text-anchor="middle">pmesh demo, in another terminal</text>
{chr(10).join(rows)}
</svg>
"""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pathlib.Path(__file__).with_name("demo.svg").write_text(draw(list(record(sys.argv[1]))))
