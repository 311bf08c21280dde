# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the recording in the README: a virtual rack, two swapped cables, a run, and what it finds.

    sudo .venv/bin/python tests/demo/recording.py [FOLDER]

Runs the commands at a terminal, and writes recording-light.svg and recording-dark.svg into FOLDER (docs/images). Needs
what `rack-recipes rack up` needs.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, ROWS = 104, 40
COMMANDS = (
    "rack-recipes rack up",
    "rack-recipes rack break swapped-cables",
    "rack-recipes run rack.recipes.parts.cabling -i .rack-recipes/rack/inventory.yml",
    "rack-recipes analyse",
)
LAST = "rack-recipes rack down"
SGR = re.compile(r"\x1b\[([0-9;]*)m")
OTHER = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]")
COLOURS = {"31": "red", "32": "green", "33": "yellow", "1": "bold"}
PARTS = ("paper", "frame", "ink", "red", "green", "yellow")
THEMES = {
    "light": dict(zip(PARTS, ("#ffffff", "#d0d7de", "#24292f", "#c21b2b", "#116329", "#7d5700"), strict=True)),
    "dark": dict(zip(PARTS, ("#0d1117", "#30363d", "#e6edf3", "#ff8a80", "#7ee787", "#e3b341"), strict=True)),
}
LINE, WIDTH, MARGIN, SIZE = 19, 8.43, 16, 14  # pixels
SHORTEST, LONGEST, HOLD = 0.8, 2.5, 8.0  # seconds that a command is shown to take, and that the end stays

Spans = list[tuple[str, str]]  # colour and text


@dataclass(frozen=True)
class Row:
    """A line of the terminal, and when it appears, in seconds."""

    at: float
    spans: Spans


def main() -> None:
    """Make the recording and print its paths."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "images")
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = [*recorded(Path(folder))]
        finally:
            typed(LAST, Path(folder))
    for theme in THEMES:
        path = target / f"recording-{theme}.svg"
        path.write_text(drawn(rows, theme), encoding="utf-8")
        print(path)


def recorded(folder: Path) -> Iterator[Row]:
    """The lines of all commands and of what they say."""
    now = 0.3
    for command in COMMANDS:
        yield Row(now, [("bold", f"$ {command}")])
        began = time.monotonic()
        printed = typed(command, folder)
        now += min(max(time.monotonic() - began, SHORTEST), LONGEST)
        yield from (Row(now, spans) for line in shown(printed) for spans in wrapped(line))
        now += 0.7


def typed(command: str, folder: Path) -> str:
    """What a command prints at a terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    words = ["/bin/sh", "-c", command]
    child = subprocess.Popen(words, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    parts = []
    with suppress(OSError):  # Linux says so at the end of a terminal
        while part := os.read(ours, 65536):
            parts.append(part)
    os.close(ours)
    child.wait()
    return b"".join(parts).decode()


def shown(printed: str) -> list[str]:
    """The lines that are left on the terminal: what is drawn anew in one line leaves its last state."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in printed.split("\n")]
    return [kept for line in lines if (kept := OTHER.sub("", line)).strip() and not kept.startswith("{")]


def wrapped(line: str) -> list[Spans]:
    """A line in spans of one colour, in as many rows as it needs."""
    plain = SGR.sub("", line)
    spans: Spans = []
    colour = ""
    for number, part in enumerate(SGR.split(line)):
        if number % 2:
            colour = COLOURS.get(part.split(";")[-1], "")
        elif part:
            spans.append((colour, part))
    if len(plain) <= COLUMNS:
        return [spans]
    first, *others = textwrap.wrap(plain, COLUMNS, subsequent_indent=" " * 9, break_on_hyphens=False)
    return [[*_beginning(spans, len(first))], *([("", other)] for other in others)]


def _beginning(spans: Spans, length: int) -> Iterator[tuple[str, str]]:
    """The first characters of some spans."""
    for colour, part in spans:
        if length > 0:
            yield colour, part[:length]
        length -= len(part)


def drawn(rows: Sequence[Row], theme: str) -> str:
    """The recording as SVG: the rows appear one after another, again and again; without motion all are there."""
    colours, end = THEMES[theme], rows[-1].at + HOLD
    width, height = round(2 * MARGIN + COLUMNS * WIDTH), 2 * MARGIN + LINE * len(rows)
    times = sorted({row.at for row in rows})
    frames = "".join(
        f"@keyframes t{number}{{0%,{100 * at / end:.2f}%{{opacity:0}}{100 * at / end + 0.01:.2f}%,100%{{opacity:1}}}}"
        f".t{number}{{animation:t{number} {end:.1f}s infinite}}"
        for number, at in enumerate(times)
    )
    inks = "".join(f".{name}{{fill:{colours[name]}}}" for name in ("red", "green", "yellow"))
    text = "\n".join(
        f'<text class="t{times.index(row.at)}" x="{MARGIN}" y="{MARGIN + LINE * number + SIZE}">{_spans(row)}</text>'
        for number, row in enumerate(rows)
    )
    said = escape("\n".join("".join(part for _colour, part in row.spans) for row in rows))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
  role="img">
<title>A virtual rack is started, two cables are swapped, a run fails, and its finding says which cable to move</title>
<desc>{said}</desc>
<style>text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace;
white-space:pre;fill:{colours["ink"]}}}
.bold{{font-weight:bold}}{inks}
@media (prefers-reduced-motion:no-preference){{{frames}}}</style>
<rect width="{width - 1}" height="{height - 1}" x=".5" y=".5" rx="8" fill="{colours["paper"]}"
  stroke="{colours["frame"]}"/>
{text}
</svg>
"""


def _spans(row: Row) -> str:
    parts = ((colour, escape(part)) for colour, part in row.spans)
    return "".join(f'<tspan class="{colour}">{part}</tspan>' if colour else part for colour, part in parts)


if __name__ == "__main__":
    main()
