# SPDX-License-Identifier: GPL-3.0-or-later

"""One task a step gives the same results as one task a stage, for random recipes and for those that we ship."""

from __future__ import annotations

import json
import shutil
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
from run_outcome import Outcome, outcome

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
