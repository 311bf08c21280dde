# SPDX-License-Identifier: GPL-3.0-or-later

"""A large random graph of steps: their order, their overlap in time, and what a failure blocks."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import reliability_sweeps
from call_rack_recipes import rack_recipes
from run_outcome import STORE

FAILING = 0.01  # of all steps
Steps = list[dict[str, Any]]
TIMES = "SELECT step, verdict, started, seconds FROM steps WHERE run_id = ?"


def graph(size: int, chance: random.Random) -> Steps:
    """Steps that each depend on up to three of the thirty before them, in an order that is shuffled."""
    steps = []
    for number in range(size):
        earlier = [f"s{index}" for index in range(max(0, number - 30), number)]
        needs = chance.sample(earlier, min(len(earlier), chance.randint(0, 3)))
        fails = chance.random() < FAILING
        work = {"module": "s.fails"} if fails else {"module": "s.sets", "args": {"key": f"n{number}", "value": "1"}}
        writes = {} if fails else {"writes": [f"s.n{number}_v1"]}
        steps.append({"name": f"s{number}", "idx": 1, "type": "shell", **work, **writes, "depends_on": needs})
    chance.shuffle(steps)
    return [{**step, "success": "none"} for step in steps]


def blocked_by_failures(steps: Steps) -> set[str]:
    """The names of all steps that need one that fails, however far away."""
    needs = {step["name"]: step["depends_on"] for step in steps}
    bad = {step["name"] for step in steps if step["module"] == "s.fails"}
    found: set[str] = set()
    grown = True
    while grown:
        more = {name for name, before in needs.items() if name not in found and not bad.isdisjoint(before)}
        grown = bool(more)
        found |= more
        bad |= more
    return found


@pytest.mark.parametrize(
    ("mode", "size", "whole"),
    [((), 300, 1000), (("--parallel", "8"), 300, 1000), (("--stepwise",), 30, 1000), (("--seed", "7"), 100, 1000)],
    ids=["fused", "parallel", "stepwise", "shuffled"],
)
def test_each_step_runs_after_all_that_it_depends_on(mode: tuple[str, ...], size: int, whole: int, swept: Path):
    steps = graph(reliability_sweeps.count(size, whole), random.Random(reliability_sweeps.seed()))
    Path("graph.yml").write_text(json.dumps({"test_meta": {"test_id": "GRAPH"}, "steps": steps}))
    with reliability_sweeps.sweep(
        f"graph, {' '.join(mode) or 'fused'}", "order, and exactly what needs a failed step is blocked"
    ) as made:
        done = rack_recipes("run", "graph.yml", "--json", *mode)
        assert done.code == 1, done.stderr
        with closing(sqlite3.connect(STORE)) as store:
            rows = {row[0]: row[1:] for row in store.execute(TIMES, [done.answer["run_id"]])}
        blocked = blocked_by_failures(steps)
        assert {name for name, row in rows.items() if row[0] == "blocked"} == blocked
        spans = {name: span(row) for name, row in rows.items() if row[0] != "blocked"}
        early = [
            (step["name"], need)
            for step in steps
            for need in step["depends_on"]
            if step["name"] in spans and spans[need][1] > spans[step["name"]][0] + 0.002
        ]
        assert early == []
        overlapping = most_at_once(spans)
        assert overlapping > 1 or "--parallel" not in mode
        made.done, made.found = len(steps), {"blocked": len(blocked), "most at once": overlapping}


def span(row: tuple[Any, ...]) -> tuple[float, float]:
    """Start and end of a step, in seconds."""
    started = datetime.fromisoformat(row[1]).timestamp()
    return started, started + row[2]


def most_at_once(spans: dict[str, tuple[float, float]]) -> int:
    """The largest number of steps that ran at the same time; one that starts when another ends is not counted."""
    events = sorted(
        [(start + 0.002, 1) for start, _end in spans.values()] + [(end, -1) for _start, end in spans.values()]
    )
    running = most = 0
    for _moment, change in events:
        running += change
        most = max(most, running)
    return most
