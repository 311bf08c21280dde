# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the commands take that read a large run from the store, and a whole report of a small one.

`results_speed.py` runs these. The large run has HOSTS (1000) hosts with 100 steps each, and a measurement and a change
of the context for each step. Goals for its 100,000 results: `show` within 2 s, the HTML report within 6 s. The small
run has 14 results, and its report is mostly imports: so it is compared with a Python that does nothing but import
SQLAlchemy, Jinja2 and XlsxWriter, in turns. All is CPU time with Python's start: the commands wait for nothing but the
disk. The workbook has over two million cells, of which most of its time is xlsxwriter's own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.tests.bench.journal_import_scaling import ATTEMPT, TIME
from rack_recipes.journal.append import append

STEPS = 100
RUN = "20261125-120000-aaaaaa"
GOALS = {"show": 2.0, "report --format html": 6.0}  # seconds for 100,000 results
COMMANDS = (*GOALS, "report --format csv", "report --format md", "report --format xlsx")
SMALL, REPORT_GOAL = (2, 7), 0.6  # hosts and steps of the small run, and CPU seconds for its report
FLOOR = "import sqlalchemy.dialects.sqlite, jinja2, xlsxwriter"
COMMAND = "from rack_recipes.cli.main import main; main()"


class Spent(NamedTuple):
    """Wall seconds, CPU seconds of user and system, and MiB of memory at most."""

    wall: float
    cpu: float
    memory: float


def spent(words: Sequence[str], folder: Path) -> Spent:
    """Call a command in a folder, without what it prints. Raises RuntimeError if it fails."""
    started = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return Spent(time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


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


def stored(folder: Path, hosts: int, steps: int) -> Path:
    """Store a run in a project; returns the folder."""
    append(folder / ".rack-recipes" / "runs" / RUN / "journal.jsonl", records(hosts, steps))
    call(folder, f"flush {RUN}")
    return folder


def compared(hosts: int, rounds: int) -> dict[str, float]:
    """The median CPU seconds of each command, by the command."""
    with tempfile.TemporaryDirectory() as name:
        folder = stored(Path(name), hosts, STEPS)
        found = {command: [call(folder, command).cpu for _round in range(rounds)] for command in COMMANDS}
    return {command: statistics.median(seconds) for command, seconds in found.items()}


def reports(hosts: int, rounds: int) -> dict[str, float]:
    """Medians in CPU seconds: the report of a small run, its packages alone, and the report of a large run."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        few, many = stored(Path(small), *SMALL), stored(Path(large), hosts, STEPS)
        turns = [
            (call(few, "report").cpu, spent([sys.executable, "-c", FLOOR], few).cpu, call(many, "report").cpu)
            for _round in range(rounds)
        ]
    names = ("report of 14 results", "its packages alone", f"report of {hosts * STEPS:,} results")
    return {name: statistics.median(seconds) for name, seconds in zip(names, zip(*turns, strict=True), strict=True)}
