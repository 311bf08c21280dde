# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long a whole report takes, all default formats with Python's start: of a small run, and of a large one.

    python tests/bench/report_speed.py [HOSTS [ROUNDS]]

The small run has 14 results, and its report is mostly imports: so it is compared with a Python that does nothing but
import SQLAlchemy, Jinja2 and XlsxWriter, in turns. All is CPU time: a machine that does nothing else needs hardly
more. The large run has HOSTS (1000) hosts with 100 steps each.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from ansible_collections.rack.recipes.tests.bench import many_results
from ansible_collections.rack.recipes.tests.bench.many_results import RUN, call, records
from ansible_collections.rack.recipes.tests.bench.spent import spent
from rack_recipes.journal.append import append

SMALL = (2, 7)  # hosts and steps
GOAL = 0.6  # CPU seconds for the small run's report
FLOOR = "import sqlalchemy.dialects.sqlite, jinja2, xlsxwriter"


def stored(folder: Path, hosts: int, steps: int) -> Path:
    """Store a run in a project; returns the folder."""
    append(folder / ".rack-recipes" / "runs" / RUN / "journal.jsonl", records(hosts, steps))
    call(folder, f"flush {RUN}")
    return folder


def imports(folder: Path) -> float:
    """The CPU seconds that Python takes for nothing but the packages that a report needs."""
    return spent([sys.executable, "-c", FLOOR], folder).cpu


def compared(hosts: int, rounds: int) -> dict[str, float]:
    """Medians in CPU seconds: the report of a small run, its packages alone, and the report of a large run."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        stored(Path(small), *SMALL)
        stored(Path(large), hosts, many_results.STEPS)
        turns = [
            (call(Path(small), "report").cpu, imports(Path(small)), call(Path(large), "report").cpu)
            for _round in range(rounds)
        ]
    names = ("report of 14 results", "its packages alone", f"report of {hosts * many_results.STEPS:,} results")
    return {name: statistics.median(seconds) for name, seconds in zip(names, zip(*turns, strict=True), strict=True)}


def main() -> None:
    """Measure, and print the medians and the ratio."""
    hosts, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :]))
    found = compared(hosts, rounds)
    for name, seconds in found.items():
        print(f"{name:<28} {seconds:8.2f} s of CPU")
    small, floor, _large = found.values()
    print(f"small report / its packages  {small / floor:8.2f} (goal for the report: {GOAL:g} s)")


if __name__ == "__main__":
    main()
