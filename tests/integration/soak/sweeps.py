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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[3] / "docs"
FIGURES = DOCS / "reliability.json"
PAGE = DOCS / "reliability.md"
HEAD = """\
# Reliability

This page is written by `make soak`, which runs whole what `make test` runs a small part of; the figures are in
`reliability.json`.

| sweep | what must hold | done | found | seed | seconds | when |
| --- | --- | --- | --- | --- | --- | --- |
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
    PAGE.write_text(HEAD + "".join(f"{_row(name, known[name])}\n" for name in sorted(known)))


def _row(name: str, kept: dict[str, Any]) -> str:
    found = ", ".join(f"{what}: {number}" for what, number in kept["found"].items()) or "nothing else"
    cells = (name, kept["holds"], kept["done"], found, kept["seed"], kept["seconds"], kept["when"])
    return f"| {' | '.join(map(str, cells))} |"
