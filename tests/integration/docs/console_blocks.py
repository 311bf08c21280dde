# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of a `console` block, and the output that is shown under each."""

from __future__ import annotations

import re
from dataclasses import dataclass

VARIES = (
    (re.compile(r"(?<=\d)s \(\d+:\d\d:\d\d\)"), "s"),  # pytest's, after a minute
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b"), "RUN"),
    (re.compile(r"\d+(\.\d+)?"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Command:
    """A command line, and the lines that are shown under it."""

    line: str
    shown: tuple[str, ...]


def commands(text: str) -> list[Command]:
    """The commands of a block, in its order."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:].partition("  #")[0].strip(), []))
        elif line.strip():
            found[-1][1].append(line)
    return [Command(line, tuple(shown)) for line, shown in found]


def missing(command: Command, printed: str) -> list[str]:
    """Return the shown lines that were not printed in this order. Numbers, ids of runs and blanks may differ."""
    rest = [_alike(line) for line in printed.splitlines()]
    for number, line in enumerate(command.shown):
        wanted = _pattern(line)
        place = next((place for place, given in enumerate(rest) if wanted.fullmatch(given)), None)
        if place is None:
            return list(command.shown[number:])
        rest = rest[place + 1 :]
    return []


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in _alike(line).split("...")))


def _alike(line: str) -> str:
    for pattern, word in VARIES:
        line = pattern.sub(word, line)
    return line.strip()
