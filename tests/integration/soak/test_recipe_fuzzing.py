# SPDX-License-Identifier: GPL-3.0-or-later

"""Randomly damaged recipe files: each can be planned, or is refused with the place of the error."""

from __future__ import annotations

import random
import resource
import string
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import reliability_sweeps
from call_rack_recipes import CHECKOUT
from rack_recipes.errors import RackError, RecipeErrors
from rack_recipes.plan.compile.playbook import to_playbook
from rack_recipes.plan.compile.playbook_file import plan_of

LONGEST = 2.0  # seconds for one file
LARGEST = 500 * 1024  # KiB of memory
SCRAPS = [
    "{{",
    "}}",
    "${",
    "}",
    ": ",
    "- ",
    "\t",
    "\0",
    "é",
    "\u2028",
    "&a ",
    "*a",
    "<<: *a",
    "!!",
    "|\n",
    "'",
    '"',
    "[",
    "]",
]
SCRAPS += [
    "null",
    "true",
    "none",
    "1e999",
    "-1",
    "9" * 30,
    "x" * 300,
    "${params.x}",
    "${item}",
    "@",
    "include: x.yml\n",
]
Mutation = Callable[[str, random.Random], str]


def seeds() -> list[str]:
    """Recipes that are right: those that we ship, and those of the tests."""
    folders = (
        CHECKOUT / "recipes",
        CHECKOUT / "tests/integration",
        CHECKOUT / "tests/unit/rack_recipes/plan/compile",
    )
    paths = sorted(path for folder in folders for path in folder.rglob("*.y*ml"))
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    return [text for text in texts if "test_meta:" in text and len(text) < 20_000]


def cut(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.randrange(40) :]


def insert(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + chance.choice(SCRAPS) + text[start:]


def change(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + chance.choice(string.printable) + text[start + 1 :]


def lines(text: str, chance: random.Random) -> str:
    """A line at another place, twice, or with another indent."""
    parts = text.splitlines(keepends=True) or [""]
    line = chance.choice(parts)
    parts.insert(
        chance.randrange(len(parts) + 1), chance.choice(["", "  ", "    "]) + line.lstrip(chance.choice(["", " "]))
    )
    return "".join(parts)


def words(text: str, chance: random.Random) -> str:
    """A word where another one was."""
    known = text.split()
    return text.replace(chance.choice(known), chance.choice(known), 1) if known else text


MUTATIONS: tuple[Mutation, ...] = (cut, insert, change, lines, words)


def damaged(text: str, chance: random.Random) -> str:
    for _turn in range(chance.randint(1, 4)):
        text = chance.choice(MUTATIONS)(text, chance)
    return text


def tried(path: Path) -> str:
    """How a file is answered; whatever is no answer passes through."""
    problem: RackError | None = None
    try:
        to_playbook(plan_of(str(path)))
    except RackError as error:
        problem = error
    if problem is None:
        return "right"
    located = problem.errors if isinstance(problem, RecipeErrors) else ()
    assert problem.exit_code == 2
    assert all(one.place.file and one.place.line >= 0 and one.expected for one in located)
    return "refused"


def test_damaged_recipes(swept: Path):
    chance, texts, answers = random.Random(reliability_sweeps.seed()), seeds(), Counter[str]()
    path, slowest, before = Path("damaged.yml"), 0.0, peak()
    with reliability_sweeps.sweep(
        "damaged recipe files", "a plan, or an error with its place, in 2 s and 500 MB at most"
    ) as made:
        for _turn in range(reliability_sweeps.count(2000, 100_000)):
            path.write_text(damaged(chance.choice(texts), chance), encoding="utf-8", errors="surrogateescape")
            started = time.process_time()
            answers[tried(path)] += 1
            slowest = max(slowest, time.process_time() - started)
            made.done += 1
        grown = peak() - before
        made.found = {**answers, "slowest file, ms": round(slowest * 1000), "memory gained, MiB": grown // 1024}
        assert slowest < LONGEST
        assert grown < LARGEST


def peak() -> int:
    """The most memory that this process ever had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
