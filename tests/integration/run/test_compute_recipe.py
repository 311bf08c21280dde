# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/compute.yml on this machine: healthy, and with a memory that loses a bit and wrong results."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import CHECKOUT, Results, rack_recipes, results

RECIPE = "recipes/compute.yml"
SMALL = ("-e", "memory_mib=4", "-e", "array_mib=4", "-e", "seconds=1")
# This machine may have no frequencies to read, or be slow for reasons of its own.
RUN = ("run", RECIPE, "-i", "inventory.yml", "--skip", "frequency", *SMALL)
SPOILED = {"memory_pattern": {"spoil_offset": 4099}, "memory_bandwidth": {"spoil_element": 9}}


@pytest.fixture
def run(shipped: Path) -> Any:
    """A function that runs the recipe, with further arguments of its steps, and gives its results."""
    shutil.copytree(CHECKOUT / "scriptlets", shipped / "scriptlets")
    known = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    Path("inventory.yml").write_text(json.dumps({"all": {"hosts": {"r1": known}}}), encoding="utf-8")

    def run(args: dict[str, dict[str, int]]) -> Results:
        recipe = yaml.safe_load(Path(RECIPE).read_text(encoding="utf-8"))
        for step in recipe["steps"]:
            step["args"] = {**step.get("args", {}), **args.get(step["name"], {})}
        Path(RECIPE).write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return results(rack_recipes(*RUN).answer["run_id"])

    return run


def test_a_healthy_host_and_one_with_spoiled_memory(run):
    found = run({})
    judged = ("nodes", "memory_pattern", "memory_bandwidth", "stress")
    assert {name: found.steps[name, "r1"]["verdict"] for name in judged} == dict.fromkeys(judged, "passed")
    assert found.context["memory.bandwidth_v1", "r1"]["triad_mb_s"] > 0
    assert found.context["cpu.stress_v1", "r1"]["bogo_ops"] > 0
    found = run(SPOILED)
    assert {name for name in judged if found.steps[name, "r1"]["verdict"] == "failed"} == set(SPOILED)
    assert "by walking_ones at offset 4096 of 4 MiB" in found.steps["memory_pattern", "r1"]["reason"]
    assert "the first is element 9 of array b" in found.steps["memory_bandwidth", "r1"]["reason"]
