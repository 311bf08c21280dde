# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a sweep does, and what it found.

`make test` does a small part of each, always the same one. `make soak` does all of it, by a seed of its own, and the
figures go into `docs/reliability.json`, from which `docs/reliability.md` is written.
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
`make test` runs a small part of each. The figures are in `reliability.json`.

| sweep | what must hold | done | found | seed | seconds | when |
| --- | --- | --- | --- | --- | --- | --- |
"""
TRAPS_HEAD = """
## Traps

These are problems that users of other tools had, each with the public issue that reports it, and with the test that
protects this project from it.

| trap | reported in | test |
| --- | --- | --- |
"""


def is_whole() -> bool:
    """Whether this is `make soak`."""
    return bool(os.environ.get("RACK_SOAK"))


def seed() -> int:
    """What the random choices of a sweep come from."""
    return int(os.environ.get("RACK_SOAK") or 1)


def count(small: int, whole: int) -> int:
    """How often a sweep does its thing."""
    return whole if is_whole() else small


@dataclass
class Sweep:
    """One sweep: what it is about, and what it counted."""

    name: str
    holds: str
    done: int = 0
    found: dict[str, Any] = field(default_factory=dict)


@contextmanager
def sweep(name: str, holds: str) -> Iterator[Sweep]:
    """Count what a sweep does; whole ones are kept, also where they end with an error."""
    started, made = time.monotonic(), Sweep(name, holds)
    error = "an error"
    try:
        yield made
        error = ""
    finally:
        if is_whole():
            _keep(made, time.monotonic() - started, error)


def _keep(made: Sweep, seconds: float, error: str) -> None:
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    known[made.name] = {
        "holds": made.holds,
        "done": made.done,
        "found": {**made.found, **({"ended with": error} if error else {})},
        "seed": seed(),
        "seconds": round(seconds),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(json.loads(FIGURES.read_text())))  # which has its names in order


def page(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of documentation, by the figures of all sweeps."""
    rows = [_row(name, known[name]) for name in sorted(known)]
    return "\n".join([HEAD.rstrip(), *rows, TRAPS_HEAD.rstrip(), *map(_trap, traps()), ""])


def _row(name: str, kept: Mapping[str, Any]) -> str:
    found = ", ".join(f"{what}: {number}" for what, number in kept["found"].items()) or "nothing else"
    return _cells(name, kept["holds"], kept["done"], found, kept["seed"], kept["seconds"], kept["when"])


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"


def traps() -> list[dict[str, Any]]:
    """Each has a `trap`, the `issues` that tell of it, and `tests`, or `why` there is none."""
    found: list[dict[str, Any]] = yaml.safe_load(TRAPS.read_text())
    return found


def _trap(told: Mapping[str, Any]) -> str:
    tests = "<br>".join(f"`{test}`" for test in told.get("tests", ()))
    return _cells(told["trap"], ", ".join(told["issues"]), tests or told["why"])
