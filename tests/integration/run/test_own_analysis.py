# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that analyses its run: it reads the results and the history, and its finding is in the analysis."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from call_rack_recipes import rack_recipes, results, shell, write_recipe
from rack_recipes.analysis.analyse_run import analyse_run
from rack_recipes.analysis.findings import FINDING_KINDS, Finding
from rack_recipes.store.database_engine import connect_for_reading

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
STEPS = [
    shell("ok", writes=["t.ok_v1"]),
    shell("fail"),
    {"name": "look", "module": "t.look", "scope": "run", "always": True},
]


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
    done = rack_recipes("run", write_recipe(steps), *options)
    assert done.code == expected, done.stderr
    return done.stderr


def test_it_finds_what_failed_and_knows_the_earlier_run(steps: Path) -> None:
    (steps / "scriptlets" / "t" / "look.py").write_text(LOOK)
    assert "there is no history for the analysis of this run" in run_once(STEPS)
    (first,) = found()
    assert (first.title, first.grade, first.origin) == ("1 failed", "problem", "scriptlet look")
    assert [tuple(result) for result in first.results] == [("localhost", "fail", "")]
    assert first.figures == {"before": [], "results": 2}
    assert "no history" not in run_once(STEPS)
    assert reported("own") == ["1 failed"]
    (second,) = found()
    assert second.figures == {"before": [1], "results": 2}


def test_it_is_refused_in_a_step_of_a_host(steps: Path) -> None:
    (steps / "scriptlets" / "t" / "look.py").write_text(LOOK)
    assert "scope: run, for which t.look is meant" in run_once([{"name": "look", "module": "t.look"}], expected=2)
