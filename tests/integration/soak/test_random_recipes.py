# SPDX-License-Identifier: GPL-3.0-or-later

"""Random recipes: order and blocked steps, and the same results in every way to run them."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings

import random_recipes
import reliability_sweeps
from call_rack_recipes import CHECKOUT, rack_recipes
from rack_recipes.errors import RecipeErrors
from rack_recipes.plan.compile.playbook_file import plan_of
from run_outcome import STORE, Outcome, outcome

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


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    ("mode", "size", "whole"),
    [(("--parallel", "8"), 300, 1000), (("--stepwise",), 30, 1000), (("--seed", "7"), 100, 1000), ((), 300, 1000)],
    ids=["parallel", "stepwise", "shuffled", "fused"],
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


TOGETHER = {"live_convergence.yml"}  # its steps wait for each other: tests/integration/live
# Those for any host. The others are run where there are BMCs, switches or a hall: tests/integration/rack, test_hall.py.
SHIPPED = sorted(
    path.name
    for path in (CHECKOUT / "recipes").glob("*.yml")
    if path.name not in TOGETHER and yaml.safe_load(path.read_text(encoding="utf-8")).get("hosts", "all") == "all"
)
# Their steps `processes` look at all processes of the machine, of which others may end between the two runs.
OF_THE_MACHINE = {"gpu_node.yml", "host_setup.yml"}

# Where a default is none, or takes long.
PARAMS = {
    "compute.yml": ("seconds=1", "memory_mib=4"),
    "gpu_node.yml": ("gpus=1",),
    "service_checks.yml": ("wait=0.5",),
    "soak.yml": ("seconds=2", "round_seconds=1"),
    "storage.yml": ("seconds=0.2", "size_mib=4"),
}


def ran(recipe: str, rack: Any, *options: str) -> Outcome:
    where = ("-i", rack.inventory, "--limit", ",".join(random_recipes.HOSTS))
    done = rack_recipes("run", "--json", recipe, *where, *options)
    assert done.code in (0, 1), done.stdout + done.stderr
    return outcome(done.code, done.answer)


def can_be_planned(recipe: str) -> bool:
    """Two steps may read what the other one writes, which nobody can put in order."""
    problems: list[str] = []
    try:
        plan_of(recipe)
    except RecipeErrors as error:
        problems = [one.got for one in error.errors]
    assert all("cycle" in problem for problem in problems)
    return not problems


def test_generated_recipes(swept: Path, rack: Any):
    with reliability_sweeps.sweep(
        "stepwise and fused", "same verdicts, context, history of each host, measurements and exit code"
    ) as made:

        @hypothesis.seed(reliability_sweeps.seed())
        @settings(
            max_examples=reliability_sweeps.count(2, 500),
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(random_recipes.recipes())
        def same(recipe: dict[str, Any]) -> None:
            Path("generated.yml").write_text(json.dumps(recipe, indent=1))
            assume(can_be_planned("generated.yml"))
            fused, stepwise = (ran("generated.yml", rack, *options) for options in ((), ("--stepwise",)))
            assert fused == stepwise
            made.done += 1

        same()


@pytest.mark.repeats  # generated recipes
@pytest.mark.parametrize("name", SHIPPED)
def test_recipes_that_we_ship(name: str, swept: Path, rack: Any):
    for folder in ("recipes", "data"):
        shutil.copytree(CHECKOUT / folder, folder)
    params = [word for param in PARAMS.get(name, ()) for word in ("--param", param)]
    params += ["--skip", "processes"] if name in OF_THE_MACHINE else []
    fused, stepwise = (ran(f"recipes/{name}", rack, *params, *options) for options in ((), ("--stepwise",)))
    assert (fused.code, fused.counts) == (stepwise.code, stepwise.counts)
    assert [row[:3] for row in fused.steps] == [row[:3] for row in stepwise.steps]
    # Parallel steps of one stage have no order among each other.
    assert sorted(row[:6] for row in fused.history) == sorted(row[:6] for row in stepwise.history)
