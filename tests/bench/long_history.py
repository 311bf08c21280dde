# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the analysis of a large run with a long history takes, and how much memory. `results_speed.py` runs it.

The store has RUNS (20) earlier runs and the one that is analysed. Each has HOSTS (1000) hosts with 100 steps, and a
measurement for each step. The rows are written directly, since 2 million of them through journals take minutes.
Goals for 100,000 results with 20 earlier runs: `analyse` within 6 s of CPU time, with Python's start, and 0.8 GB of
memory. CPU time counts, since the command waits for nothing but the disk.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.journal_import_scaling import ATTEMPT
from ansible_collections.rack.recipes.tests.bench.many_results import COMMAND, STEPS, Spent, spent
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import Row, in_order, measurement_rows, step_row
from rack_recipes.store.writing.write_rows import write_rows

HOSTS, RUNS, ROUNDS = 1000, 20, 3
SECONDS, MEBIBYTES = 6.0, 800.0  # goals
FIRST_NIGHT = datetime(2026, 11, 1, 22, tzinfo=UTC)
LIMITS = {"max": 200}
WORSE, SLOW = 7, 12  # the step that is slower since the last five runs, and the host that is slow in the last one


def make_store(path: Path, hosts: int, runs: int) -> str:
    """Write `runs` earlier runs and a last one into a new store; returns the id of the last one."""
    store = connect_store(f"sqlite:///{path}")
    try:
        for number in range(runs + 1):
            with store.begin() as connection:
                for table, rows in _rows(number, hosts, runs):
                    write_rows(connection, getattr(tables(), table), rows, are_new=True)
    finally:
        store.dispose()
    return _run_id(runs)


def _run_id(number: int) -> str:
    return f"{FIRST_NIGHT + timedelta(days=number):%Y%m%d-%H%M%S}-aaaaaa"


def _rows(number: int, hosts: int, runs: int) -> Iterator[tuple[str, list[Row]]]:
    run_id = _run_id(number)
    records = [*_steps(number, hosts, runs)]
    yield "runs", [in_order(tables().runs, _run(number, records, hosts))]
    yield "hosts", [(run_id, _host(host), f'{{"model":"m{host % 4}","role":"server"}}') for host in range(hosts)]
    yield "steps", [step_row(run_id, record, {"idx": 1}) for record in records]
    yield "measurements", [row for record in records for row in measurement_rows(run_id, record)]


def _run(number: int, records: Sequence[dict[str, Any]], hosts: int) -> dict[str, Any]:
    counts = Counter(record["verdict"] for record in records)
    time = f"{FIRST_NIGHT + timedelta(days=number):%Y-%m-%dT%H:%M:%SZ}"
    about = {"run_id": _run_id(number), "test_id": "T-1", "recipe": "recipes/night.yml", "started": time, "ended": time}
    place = {"hosts": hosts, "journal": "", "journal_offset": 0, "next_seq": 1}
    return {**about, **place, "status": "failed" if counts["failed"] else "passed", "counts": json.dumps(counts)}


def _host(number: int) -> str:
    return f"rack-{number:04}"


def _steps(number: int, hosts: int, runs: int) -> Iterator[dict[str, Any]]:
    noise = random.Random(number)
    time = f"{FIRST_NIGHT + timedelta(days=number):%Y-%m-%dT%H:%M:%SZ}"
    for host in range(hosts):
        for step in range(STEPS):
            value = noise.gauss(100.0 + step, 2.0)
            value += 20.0 * (step == WORSE and number > runs - 5) + 60.0 * (host == SLOW and number == runs)
            bad = number == runs and host == SLOW and step % 10 == 0
            yield {
                "host": _host(host),
                "step": f"step{step}",
                "stage": 1,
                "verdict": "failed" if bad else "passed",
                "reason": "the link is slow" if bad else "",
                "started": time,
                "seconds": 0.01,
                "attempts": [ATTEMPT],
                "measurements": [{"name": "latency", "value": value, "unit": "us", "limits": LIMITS}],
            }


def analyse(path: Path, run_id: str) -> Spent:
    """Analyse a run by the command, in a process of its own."""
    return spent([sys.executable, "-c", COMMAND, "analyse", run_id, "--db", f"sqlite:///{path}"], path.parent)


def measured(hosts: int, runs: int, rounds: int) -> Spent:
    """The median seconds and the greatest memory of several analyses of one run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.db"
        run_id = make_store(path, hosts, runs)
        found = [analyse(path, run_id) for _round in range(rounds)]
    wall, cpu = (statistics.median(one[field] for one in found) for field in (0, 1))
    return Spent(wall, cpu, max(one.memory for one in found))
