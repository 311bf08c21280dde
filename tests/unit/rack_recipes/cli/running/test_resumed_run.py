# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import first, step
from rack_recipes.cli.running.prepare_run import ResumedRun, earlier_run
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append

PARAMS, OPTIONS = {"vlan": 7}, {"only": ["a"], "seed": 3}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs of two recipes, and a folder of a run that was never begun."""
    for name, recipe in (("20261101", "a.yml"), ("20261102", "b.yml"), ("20261103", "a.yml")):
        record = {**first(run_id=name), "recipe": {"path": recipe}, "params": PARAMS, "options": OPTIONS}
        append(tmp_path / name / "journal.jsonl", [record])
    append(tmp_path / "20261104/journal.jsonl", [step("a", "r1")])
    return tmp_path


@pytest.mark.parametrize(
    ("start", "recipe", "found"),
    [
        ("20261101", "", "20261101"),
        ("20261102", "a.yml", "20261102"),
        ("last", "", "20261103"),
        ("last", "b.yml", "20261102"),
        ("", "a.yml", "20261103"),
    ],
)
def test_the_run_that_is_meant(start: str, recipe: str, found: str, runs: Path):
    assert earlier_run(runs, start, recipe).run_id == found


@pytest.mark.parametrize("recipe", ["", "a.yml"])
def test_the_last_of_one_second_is_the_one_that_began_last(recipe: str, runs: Path):
    for name, fraction in (("20261127-074533-ff37d7", "1"), ("20261127-074533-0a11ce", "9")):
        record = {**first(run_id=name), "recipe": {"path": "a.yml"}, "time": f"2026-11-27T07:45:33.{fraction}00000Z"}
        append(runs / name / "journal.jsonl", [record])
    assert earlier_run(runs, "last", recipe).run_id == "20261127-074533-0a11ce"


def test_what_its_record_says(runs: Path):
    assert earlier_run(runs, "last", "a.yml") == ResumedRun("20261103", "a.yml", PARAMS, OPTIONS)


@pytest.mark.parametrize(
    ("start", "recipe", "text"),
    [
        ("1999", "", "there is no run '1999' in "),
        ("2026", "", "4 runs begin with '2026': "),
        ("20261104", "", "no run was begun there"),
        ("last", "c.yml", "there is no run of c.yml in "),
    ],
)
def test_no_run_is_meant(start: str, recipe: str, text: str, runs: Path):
    with pytest.raises(UsageError) as refused:
        earlier_run(runs, start, recipe)
    assert text in str(refused.value)
