# SPDX-License-Identifier: GPL-3.0-or-later

"""A run over eight SSH hosts of which three hang on a broken leaf: its report says so first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import rack_recipes

LEAVES = {"leaf1": ("r01", "r02", "r03"), "leaf2": ("r04", "r05", "r06"), "leaf3": ("r07", "r08")}
BROKEN = LEAVES["leaf2"]
DOWN = "uplink.down"  # in the home folder of a host whose uplink is down

STEPS = [
    {"name": "load", "type": "shell", "module": "uplink.load", "success": "none"},
    {"name": "uplink", "type": "shell", "module": "uplink.state", "success": "none"},
    {"name": "throughput", "type": "shell", "module": "uplink.load", "depends_on": ["uplink"], "success": "none"},
]
STATE = f"""\
#!/bin/sh
if [ -e "$HOME/{DOWN}" ]; then
    echo '{{"status": "failed", "reason": "the uplink is down"}}'
    exit 1
fi
echo '{{"status": "ok", "outputs": {{"links.state_v1": {{"eth1": {{"state": "up"}}}}}}}}'
"""
LOAD = """\
#!/bin/sh
echo '{"status": "ok", "outputs": {}}'
"""
TITLE = "All 3 failures of uplink are on hosts of leaf2 (3 of 3 hosts; 0 of 5 others)"


@pytest.fixture
def inventory(rack: Any) -> Iterator[Path]:
    """What hangs on which leaf, beside the inventory of the hosts; those of leaf2 are broken while the test runs."""
    children = {
        leaf: {"vars": {"leaf": leaf, "bmc_password": "never-kept"}, "hosts": {host: {} for host in hosts}}
        for leaf, hosts in LEAVES.items()
    }
    rows = {"row1": {"vars": {"row": "1"}, "hosts": {host: {} for host in (*LEAVES["leaf1"], "r04")}}}
    path = Path("leaves.yml")
    path.write_text(json.dumps({"all": {"vars": {"site": "lab"}, "children": {**children, **rows}}}))
    broken = [rack.folder / host / DOWN for host in BROKEN]
    for each in broken:
        each.touch()
    yield path
    for each in broken:
        each.unlink()


def test_the_report_says_first_what_the_failing_hosts_have_in_common(project: Path, rack: Any, inventory: Path):
    folder = project / "scriptlets" / "uplink"
    folder.mkdir(parents=True)
    for name, script, writes in (("state", STATE, "[links.state_v1]"), ("load", LOAD, "[]")):
        (folder / f"{name}.sh").write_text(script)
        (folder / f"{name}.yml").write_text(f"description: A look at {name}.\nwrites: {writes}\n")
    Path("recipe.yml").write_text(json.dumps({"test_meta": {"test_id": "LEAF"}, "steps": STEPS}))
    done = rack_recipes("run", "recipe.yml", "-i", rack.inventory, "-i", inventory, "--report")
    assert done.code == 1, done.stderr
    paths = {path.name: path for path in map(Path, done.answer["report"])}
    causes = paths["causes.csv"].read_text(encoding="utf-8-sig").splitlines()
    assert TITLE in causes[1]
    assert "3 more results are blocked by that" in causes[1]
    assert "Check leaf2: its ports to these hosts, its uplinks, and its log." in causes[1]
    findings = paths["findings.csv"].read_text(encoding="utf-8-sig").splitlines()
    assert TITLE in findings[1]
    assert TITLE in paths["report.html"].read_text(encoding="utf-8")
    markdown = paths["report.md"].read_text(encoding="utf-8")
    assert markdown.index("hosts of leaf2") < markdown.index("the uplink is down")  # before the results themselves
    hosts = paths["hosts.csv"].read_text(encoding="utf-8-sig")
    assert "leaf2" in hosts
    assert "never-kept" not in hosts + paths["report.html"].read_text(encoding="utf-8")
