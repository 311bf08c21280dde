# SPDX-License-Identifier: GPL-3.0-or-later

"""The size of each sweep, and the figures that it finds. A sweep tries many cases of one kind.

`make test` does a small part of each sweep, always the same part. `make soak` does all of it, with a random seed. It
writes the figures to `docs/reliability.json`, and makes `docs/reliability.md` of them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[3]
FIGURES = CHECKOUT / "docs" / "reliability.json"
PAGE = CHECKOUT / "docs" / "reliability.md"
TRAPS = Path(__file__).with_name("traps.yml")
HEAD = """\
# Reliability

## Sweeps

A sweep tries many cases of one kind and counts what it finds. `make soak` runs all of each sweep and writes this table;
`make test` runs a small part of each. `reliability.json` has the seeds and times.

| sweep | what must hold | done | found | when |
| --- | --- | --- | --- | --- |
"""
TRAPS_HEAD = """
## Traps

What users of other tools reported in public, and the test that protects this project from it.

| trap | reported in | test |
| --- | --- | --- |
"""


def is_whole() -> bool:
    """Whether this is `make soak`."""
    return bool(os.environ.get("RACK_SOAK"))


def seed() -> int:
    """Return the random seed of the sweeps."""
    return int(os.environ.get("RACK_SOAK") or 1)


def count(small: int, whole: int) -> int:
    """Return how many cases a sweep tries: `small` in a test, `whole` in `make soak`."""
    return whole if is_whole() else small


@dataclass
class Sweep:
    """One sweep: its name, what must hold, the number of cases, and other counts."""

    name: str
    holds: str
    done: int = 0
    found: dict[str, Any] = field(default_factory=dict)


@contextmanager
def sweep(name: str, holds: str) -> Iterator[Sweep]:
    """Run the block as a sweep. The counts of a whole sweep are saved, also if it ends with an error."""
    started, made = time.monotonic(), Sweep(name, holds)
    error = "an error"
    try:
        yield made
        error = ""
    finally:
        if is_whole():
            found = {**made.found, **({"ended with": error} if error else {})}
            figures = {"holds": made.holds, "done": made.done, "found": found}
            known = keep(FIGURES, made.name, {**figures, "seconds": round(time.monotonic() - started)})
            PAGE.write_text(page(known))


def keep(path: Path, name: str, figures: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Write the figures of a whole sweep into a file, with the seed and the time; returns all of the file in order."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[name] = {**figures, "seed": seed(), "when": datetime.now(UTC).isoformat(timespec="seconds")}
    path.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    found: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def page(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page of documentation, made of the figures of all sweeps."""
    rows = [_row(name, known[name]) for name in sorted(known)]
    return "\n".join([HEAD.rstrip(), *rows, TRAPS_HEAD.rstrip(), *map(_trap, traps()), ""])


def _row(name: str, kept: Mapping[str, Any]) -> str:
    found = ", ".join(f"{what}: {number}" for what, number in kept["found"].items()) or "nothing else"
    return _cells(name, kept["holds"], kept["done"], found, kept["when"].partition("T")[0])


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"


def traps() -> list[dict[str, Any]]:
    """Return the traps. Each has a `trap`, the `issues` that report it, and `tests`, or `why` there is none."""
    found: list[dict[str, Any]] = yaml.safe_load(TRAPS.read_text())
    return found


def _trap(told: Mapping[str, Any]) -> str:
    tests = "<br>".join(f"`{test}`" for test in told.get("tests", ()))
    return _cells(told["trap"], ", ".join(told["issues"]), tests or told["why"])
