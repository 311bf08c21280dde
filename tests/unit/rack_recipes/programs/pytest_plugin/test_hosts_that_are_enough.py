# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rack_recipes.programs.pytest_plugin.collect import expect, hosts_by_step
from rack_recipes.programs.pytest_plugin.hosts_that_are_enough import enough_hosts

CASES = yaml.safe_load(Path(__file__).with_name("enough_hosts.yml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_which_hosts_are_enough_for_some_tests(tmp_path, case):
    steps = [{"module": "rack.recipes.host_inventory", "success": "none", **step} for step in case["steps"]]
    recipe = {"test_meta": {"test_id": "T"}, "steps": steps, **case.get("recipe", {})}
    path = tmp_path / "t.recipe.yml"
    path.write_text(yaml.safe_dump(recipe))
    found = expect(path, tmp_path, (str(Path(__file__).with_name("enough_hosts_inventory.yml")),), {})
    wanted = hosts_by_step(result for result in found.results if result.name in case["wanted"])
    assert enough_hosts(found.plan, hosts_by_step(found.results), wanted) == case["enough"]
