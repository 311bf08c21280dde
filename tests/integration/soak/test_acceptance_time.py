# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the acceptance of a whole virtual rack takes, apart from the time of its burn-in."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from virtual_racks import NEEDS_ROOT, copy_recipes, virtual_rack

import reliability_sweeps
from call_rack_recipes import Results, rack_recipes, results
from rack_recipes.lab.rack_state import FOLDER, RackState

pytestmark = [
    NEEDS_ROOT,
    pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak"),
]

ROUNDS = 3
BURN_IN = 10  # seconds
VALUES = {
    "disk": "/srv/disk", "disk_seconds": 1, "disk_mib": 16, "burn_in_sec": BURN_IN, "memory_mib": 32,
    "kernel_log": "/var/log/kern.log", "max_outage_ms": 20000,
}  # fmt: skip
HOLDS = "goal: under a minute for 2 spines, 4 leaves and 8 servers on one machine, without the burn-in's steps"


@pytest.fixture
def rack(project: Path) -> Iterator[RackState]:
    """A rack of 14 nodes with BMCs and PDUs, in a project with our recipes and scriptlets."""
    copy_recipes(project)
    Path("values.json").write_text(json.dumps(VALUES))
    with virtual_rack(FOLDER, with_bmcs=True) as state:
        time.sleep(10)  # routes and clocks
        yield state


def test_acceptance_of_a_rack(rack: RackState) -> None:
    with reliability_sweeps.sweep("acceptance of a rack", HOLDS) as made:
        took: list[float] = []
        burning: list[float] = []
        for _number in range(ROUNDS):
            started = time.monotonic()
            done = rack_recipes(
                "run", "recipes/acceptance.yml", "-i", rack.folder / "inventory.yml", "--param-file", "values.json"
            )
            seconds = time.monotonic() - started
            assert done.code == 0, done.stderr
            burning.append(burn_in_seconds(results(done.answer["run_id"])))
            took.append(seconds - burning[-1])
            made.done += 1
        made.found = {
            "seconds without burn-in": round(statistics.median(took), 1),
            "seconds of burn-in": round(statistics.median(burning), 1),
            "results": len(results().steps),
            "load of the machine": round(os.getloadavg()[1], 1),
            "cores": os.cpu_count() or 0,
        }


def burn_in_seconds(found: Results) -> float:
    """How long the burn-in took on the host where it took longest: from the start of its first step to its last end."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for (step, host), row in found.steps.items():
        if step.startswith("burn_in.") and row["started"]:
            rows.setdefault(host, []).append(row)
    return max(max(map(end, own)) - min(map(begin, own)) for own in rows.values())


def begin(row: Mapping[str, Any]) -> float:
    """When a step began, in seconds."""
    started = row["started"]
    return (started if isinstance(started, datetime) else datetime.fromisoformat(started)).timestamp()


def end(row: Mapping[str, Any]) -> float:
    """When a step ended, in seconds."""
    return begin(row) + float(row["seconds"])
