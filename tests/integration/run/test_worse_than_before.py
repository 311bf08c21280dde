# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of one recipe of which the last one is worse: the baseline's gate closes, and the findings say what changed."""

from __future__ import annotations

import json
from pathlib import Path

from call_rack_recipes import rack_recipes

CRITERION = {"name": "mean", "value": "${numbers.stats_v1.mean}", "unit": "us", "max": 100}
STEP = {
    "name": "compute_numbers",
    "type": "python",
    "module": "rack.recipes.numbers_stats",
    "args": {"src": "${params.src}"},
    "success": {"values": [CRITERION]},
}


def run(source: Path) -> tuple[int, str]:
    """Run the recipe over a file; returns the exit code and the run's id."""
    done = rack_recipes("run", "night.yml", "--param", f"src={source}")
    assert done.stdout, done.stderr
    return done.code, done.answer["run_id"]


def test_a_run_that_is_worse_closes_the_gate_and_says_what_changed(project: Path) -> None:
    recipe = {"test_meta": {"test_id": "NIGHT"}, "params": {"src": {"type": "str"}}, "steps": [STEP]}
    Path("night.yml").write_text(json.dumps(recipe))
    files = [project / "good.csv", project / "worse.csv"]
    for file, shift in zip(files, (0, 60), strict=True):
        file.write_text("".join(f"{value + shift}\n" for value in (49, 50, 51)))
    good = [run(files[0]) for _night in range(4)]
    assert {code for code, _run_id in good} == {0}
    assert rack_recipes("baseline", "compare", "--exit-code").code == 0, "there is no baseline yet"
    assert rack_recipes("baseline", "accept", good[0][1], "--note", "new rack").code == 0
    gate = rack_recipes("baseline", "compare", "--exit-code")
    assert (gate.code, gate.stderr) == (0, "")

    code, worse = run(files[1])
    assert code == 1
    gate = rack_recipes("baseline", "compare", "--exit-code")
    assert gate.code == 1
    assert "worse: compute_numbers on localhost: passed -> failed" in gate.stderr
    assert "worse: mean of compute_numbers on localhost: passed -> failed" in gate.stderr
    assert "worse.csv" in gate.stdout

    titles = {one["title"]: one for one in rack_recipes("analyse", "--json").answer["findings"]}
    last = next(one for title, one in titles.items() if title.startswith("This test last passed"))
    assert last["title"].endswith(f"in run {good[-1][1]}, 1 run before this one; since then changed: params")
    baseline = next(one for one in titles.values() if one["kind"] == "baseline")
    assert baseline["advice"] == "Look first at what changed since the baseline: params."
    usual = "mean of compute_numbers (localhost) is 110 us; 4 earlier runs had 50 us"
    assert titles[usual]["grade"] == "problem"

    shown = rack_recipes("show", worse).stdout.splitlines()
    assert any(line.startswith("problem") and good[0][1] in line for line in shown[1:6])
    told = rack_recipes("trend", "numbers.stats_v1.mean", "--json").answer["series"][0]
    assert [one["value"] for one in told["values"]] == [50, 50, 50, 50, 110]
