# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in a Markdown file: its fenced blocks, by what stands behind the language.

| fence | what it is |
| --- | --- |
| `yaml` | a recipe, or a part of one; it is run and has to pass |
| `yaml exit=1` | the same; it ends with this exit code |
| `yaml task` | tasks of a play; they are run after a run, in the same playbook |
| `LANGUAGE PATH` | a file of the project; so is YAML whose first line is a comment with a path |
| `python` | a program; it is run in the project |
| `python notebook` | the same, after a run of `recipes/numbers.yml` on two hosts |
| `json` | it has to be JSON |
| `json envelope` | what a script prints at its end; it has to pass |
| `console` | commands behind `$ `, and what they print; `...` stands for anything |
| `console typed` | the same, behind the blocks before it and in their folder; an exit code is the last command's |
| `LANGUAGE shown` | a part of a file, or what could not be run |
| nothing, `text` | no example |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)`*\s*$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+\.yml)\n")
NO_EXAMPLE = ("", "text", "mermaid")


@dataclass(frozen=True)
class Example:
    """One block: its language, the words behind it, its text and the line that it begins in."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def kind(self) -> str:
        """What it is: the word that says so, or else the language."""
        named = [word for word in self.words if "=" not in word]
        return named[0] if named else self.language

    @property
    def exit_code(self) -> int:
        """How it has to end."""
        given = [word.removeprefix("exit=") for word in self.words if word.startswith("exit=")]
        return int(given[0]) if given else 0

    @property
    def file(self) -> str:
        """The path in the project where it is a file; empty where it is none."""
        named = NAMED.match(self.text)
        return named[1] if named else self.kind if "." in self.kind or "/" in self.kind else ""


def examples(document: Path) -> Iterator[Example]:
    """The examples of a document, in its order."""
    text = document.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        if language not in NO_EXAMPLE:
            yield Example(language, tuple(words), found["text"], text.count("\n", 0, found.start()) + 1)


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
