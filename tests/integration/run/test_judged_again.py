# SPDX-License-Identifier: GPL-3.0-or-later

"""A real run is judged again: by other limits, with changed outputs, and by what it covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from call_rack_recipes import rack_recipes

LIMITS = """\
limits:
  - {measurement: used, max: 0}
"""
RECIPE = """\
test_meta: {test_id: USED-1}
hosts: all
steps:
  - name: disk
    type: shell
    module: disk.usage
    args: {path: /}
    success: {values: [{name: used, value: "${disk.usage_v1.used_percent}", max: 100, unit: "%"}]}
"""


def test_a_run_is_judged_again_and_no_host_is_touched(project: Path, rack: Any):
    Path("used.yml").write_text(RECIPE)
    Path("limits.yml").write_text(LIMITS)
    done = rack_recipes("run", "used.yml", "-i", rack.inventory)
    assert done.code == 0, done.stderr
    run_id, hosts = done.answer["run_id"], len(rack.hosts)
    judged = rack_recipes("rejudge", run_id, "--limits", "limits.yml", "--json", "--exit-code")
    assert (judged.code, judged.answer["counts"], judged.answer["worse"]) == (1, {"failed": hosts}, hosts)
    shown = rack_recipes("show", run_id, "--json").answer
    assert {row["verdict"] for row in shown["measurements"] if row["name"] == "used"} == {"passed"}
    assert len(shown["judgements"]) == 1
    mutated = rack_recipes("mutate", run_id, "--json").answer
    (disk,) = mutated["steps"]
    assert disk["host"] in rack.hosts
    assert 0 < disk["noticed"] < disk["mutants"]
    missed = {(one["name"], one["what"]) for one in disk["unnoticed"]}
    assert ("disk.usage_v1.used_percent", "/ 2") in missed  # at most 100 % is all that is asked
    assert ("disk.usage_v1.used_percent", "null") not in missed
    covered = rack_recipes("coverage", "--json", "-i", str(rack.inventory)).answer
    (step,) = covered["steps"]
    assert (step["results"], step["failed"], step["never_on"], covered["hosts_without_run"]) == (hosts, 0, [], [])
