# SPDX-License-Identifier: GPL-3.0-or-later

"""What the analysis says of a run: what failing hosts have in common, and what a scriptlet's own analysis finds."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from call_rack_recipes import rack_recipes, results, run_recipe, shell
from rack_recipes.analysis.analyse_run import analyse_run
from rack_recipes.analysis.findings import FINDING_KINDS, Finding
from rack_recipes.store.database_engine import connect_for_reading

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
    done = run_recipe("recipe.yml", "-i", inventory, "--report", on=rack)
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
    again = rack_recipes("report", done.run_id, "--to", "elsewhere", "--json")
    assert again.code == 0, again.stderr
    assert {Path(path).suffix for path in again.answer["files"]} == {path.suffix for path in paths.values()}
    assert {".html", ".xlsx", ".csv", ".md"} <= {path.suffix for path in paths.values()}


LOOK = '''
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Look(Scriptlet):
    """Which results did not pass, and what the total was before."""

    reads = ()
    scope = "run"
    reads_results = True
    reads_history = ("t.ok_v1", "hosts")

    def run(self, ctx, params):
        bad = [row for row in ctx.results() if row["verdict"] == "failed"]
        figures = {"before": [row["value"] for row in ctx.history("t.ok_v1")], "results": len(ctx.results())}
        ctx.finding(f"{len(bad)} failed", bad, grade="problem", advice="look at it", figures=figures)
'''
STEPS_OWN_ANALYSIS = [
    shell("ok", writes=["t.ok_v1"]),
    shell("fail"),
    {"name": "look", "module": "t.look", "scope": "run", "always": True},
]
IN_THE_MIDDLE = [*STEPS_OWN_ANALYSIS[:2], {"name": "look", "module": "t.look", "scope": "run"}, shell("last", "ok")]


def found() -> list[Finding]:
    """What the scriptlet has found in the newest run."""
    store: Engine = connect_for_reading("sqlite:///.rack-recipes/results.db")
    try:
        return [one for one in analyse_run(store, results().run["run_id"]) if one.kind == "own"]
    finally:
        store.dispose()


def reported(kind: str) -> list[str]:
    """The titles of the findings of a kind in the report of the newest run, which has a summary by rules."""
    done = rack_recipes("report", "--format", "csv", "--to", "out", "--summary")
    assert done.code == 0, done.stderr
    with Path("out/csv/findings.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert "The run ended as failed. 1 of 3 results did not pass, on 1 of 1 host." in [row["title"] for row in rows]
    return [row["title"] for row in rows if row["kind"] == FINDING_KINDS[kind].title]


def run_once(steps: list[dict[str, Any]], *options: str, expected: int = 1) -> str:
    done = run_recipe(steps, *options)
    assert done.code == expected, done.stderr
    return done.stderr


def test_it_finds_what_failed_and_knows_the_earlier_run(steps: Path) -> None:
    (steps / "scriptlets" / "t" / "look.py").write_text(LOOK)
    assert "there is no history for the analysis of this run" in run_once(STEPS_OWN_ANALYSIS)
    (first,) = found()
    assert (first.title, first.grade, first.origin) == ("1 failed", "problem", "scriptlet look")
    assert [tuple(result) for result in first.results] == [("localhost", "fail", "")]
    assert first.figures == {"before": [], "results": 2}
    assert "no history" not in run_once(STEPS_OWN_ANALYSIS)
    assert reported("own") == ["1 failed"]
    (second,) = found()
    assert second.figures == {"before": [1], "results": 2}


def test_in_the_middle_of_a_run_it_sees_the_results_so_far(steps: Path) -> None:
    (steps / "scriptlets" / "t" / "look.py").write_text(LOOK)
    run_once(IN_THE_MIDDLE)
    seen = results()
    assert seen.span("look", "")[1] <= seen.span("last", "localhost")[0]
    (one,) = found()
    assert (one.title, one.figures) == ("1 failed", {"before": [], "results": 2})


def test_it_is_refused_in_a_step_of_a_host(steps: Path) -> None:
    (steps / "scriptlets" / "t" / "look.py").write_text(LOOK)
    assert "scope: run, for which t.look is meant" in run_once([{"name": "look", "module": "t.look"}], expected=2)
