# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that were learned from real runs: a recipe names their file, and a fault fails by them where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import call, rack_recipes, results

SCRIPT = """\
#!/bin/sh
speed=$((8000 + $(od -An -N2 -tu2 /dev/urandom) % 200))
grep -qs "$RACK_PARAM_HOST" "$RACK_PARAM_BROKEN" && speed=6500
echo '{"status": "ok", "measurements": [{"name": "speed", "value": '$speed', "unit": "rpm"}],' \\
  '"checks": [{"name": "fans", "value": 8, "min": 1}]}'
"""
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
HOSTS = {"leaf1": {"model": "h100", "position": 7}, "leaf2": {"model": "a100", "position": 7}}
RUN = ("run", "fans.yml", "-i", "inventory.yml")


@pytest.fixture
def recipe(project: Path) -> dict[str, Any]:
    """A project whose only step measures a fan; a host whose name is in the file `broken` has a slow one."""
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/fans.sh").write_text(SCRIPT)
    (project / "scriptlets/t/fans.yml").write_text("description: Fans\nreads: []\nwrites: []\n")
    Path("inventory.yml").write_text(yaml.safe_dump({"all": {"vars": LOCAL, "hosts": HOSTS}}))
    args = {"host": "{{ inventory_hostname }}", "broken": str(project / "broken")}
    recipe = {
        "test_meta": {"test_id": "FANS"},
        "steps": [{"name": "fans", "type": "shell", "module": "t.fans", "args": args}],
    }
    Path("fans.yml").write_text(yaml.safe_dump(recipe))
    return recipe


def test_good_runs_teach_limits_by_which_a_fault_fails(recipe: dict[str, Any]) -> None:
    Path("playbook.yml").write_text(rack_recipes("compile", "fans.yml").stdout)
    good = call("ansible-playbook", "-i", "inventory.yml", *["playbook.yml"] * 10)  # each is a run
    assert good.code == 0, good.stdout + good.stderr
    learned = rack_recipes("learn", "last", "--last", "10", "--to", "limits/fans.yml", "--json")
    assert [(one["measurement"], one["where"]) for one in learned.answer["limits"]] == [
        (name, where) for where in HOSTS.values() for name in ("speed", "fans")
    ], learned.stderr
    Path("fans.yml").write_text(yaml.safe_dump({**recipe, "limits": "limits/fans.yml"}))
    assert rack_recipes(*RUN).code == 0
    Path("broken").write_text("leaf2")
    done = rack_recipes(*RUN)
    found = results(done.answer["run_id"])
    assert (done.code, {host: found.steps["fans", host]["verdict"] for host in HOSTS}) == (
        1,
        {"leaf1": "passed", "leaf2": "failed"},
    )
    assert "speed: 6500 rpm is below min " in found.steps["fans", "leaf2"]["reason"]
    refused = rack_recipes("learn", "last", "--json")
    assert (refused.code, "is no good one (failed)" in refused.answer["reason"]) == (2, True)
