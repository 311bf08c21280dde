# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long the commands take that read a large run from the store.

    python tests/bench/many_results.py [HOSTS [ROUNDS]]

The run has HOSTS (1000) hosts with 100 steps each, and a measurement and a change of the context for each step. Goals
for 100,000 results: `show` within 2 s, the HTML report within 6 s, both in CPU time with Python's start, since they
wait for nothing but the disk. The other formats are measured too. The workbook has over two million cells, of which
most of its time is xlsxwriter's own.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.journal_import_scaling import ATTEMPT, TIME
from ansible_collections.rack.recipes.tests.bench.spent import Spent, spent
from rack_recipes.journal.append import append

STEPS = 100
RUN = "20261125-120000-aaaaaa"
GOALS = {"show": 2.0, "report --format html": 6.0}  # seconds for 100,000 results
COMMANDS = (*GOALS, "report --format csv", "report --format md", "report --format xlsx")
COMMAND = "from rack_recipes.cli.main import main; main()"


def records(hosts: int, each: int = STEPS) -> Iterator[dict[str, Any]]:
    """The records of such a run with `each` steps a host; every fiftieth step has failed."""
    names = [f"rack-{number:04}" for number in range(hosts)]
    steps = [{"name": f"step{number}", "stage": 1, "idx": number, "scope": "host"} for number in range(each)]
    yield {"kind": "run", "run": RUN, "time": TIME, "hosts": names, "steps": steps, "recipe": {"test_id": "T-1"}}
    for number, host in enumerate(names):
        for step in range(each):
            head = {"stage": 1, "host": host, "step": f"step{step}"}
            told = {"attempt": 1, "scope": "host", "key": f"t.step{step}_v1", "based_on": 0, "who": "t", "time": TIME}
            yield {"kind": "delta", **head, "n": 2 * step + 1, "after": {"mean": 2.5, "number": step}, **told}
            measured = [{"name": "rx_errors", "value": step, "unit": "frames"}]
            bad = {"verdict": "failed", "reason": "the link is down"}
            result = bad if (number + step) % 50 == 0 else {"verdict": "passed", "reason": ""}
            result = {**result, "started": TIME, "seconds": 0.01}
            yield {"kind": "step", **head, "n": 2 * step + 2, **result, "attempts": [ATTEMPT], "measurements": measured}
    yield {
        "kind": "end",
        "time": TIME,
        "status": "failed",
        "exit_code": 1,
        "counts": {"passed": hosts * each},
    }


def call(folder: Path, command: str) -> Spent:
    """Call the command in a folder; returns what it took."""
    return spent([sys.executable, "-c", COMMAND, *command.split()], folder)


def compared(hosts: int, rounds: int) -> dict[str, float]:
    """The median CPU seconds of each command, by the command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = folder / ".rack-recipes" / "runs" / RUN / "journal.jsonl"
        append(journal, records(hosts))
        call(folder, f"flush {RUN}")
        found = {command: [call(folder, command).cpu for _round in range(rounds)] for command in COMMANDS}
    return {command: statistics.median(seconds) for command, seconds in found.items()}


def main() -> None:
    """Measure, and print the medians."""
    hosts, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :]))
    for command, seconds in compared(hosts, rounds).items():
        goal = f" (goal for 100,000: {GOALS[command]:g} s)" if command in GOALS else ""
        print(f"{command:<24} {hosts * STEPS:>8,} results {seconds:8.2f} s of CPU{goal}")


if __name__ == "__main__":
    main()
