# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, end, first, planned, step
from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

RECIPE = """\
test_meta: {test_id: T}
steps:
  - name: a
    module: t.a
    success: {values: [{name: temp, value: "${a.state_v1.temp}", max: 80}]}
  - {name: b, module: t.b, success: none}
"""


@pytest.fixture(autouse=True)
def _run(project: Path) -> None:
    """A project with one run, whose recipe is kept in its folder."""
    folder = Path(".rack-recipes/runs/R1")
    begun = {
        **first(planned("a", stage=1), planned("b"), run_id="R1"),
        "recipe": {"path": "recipes/a.yml", "test_id": "T"},
    }
    records = [begun, delta("a.state_v1", {"temp": 50}), step("a", "r1", n=2), step("b", "r1", n=3), end()]
    append(folder / "journal.jsonl", records)
    store = connect_store("sqlite:///.rack-recipes/results.db")
    import_journal(store, folder / "journal.jsonl")
    store.dispose()
    kept = folder / "begun/recipe/recipes/a.yml"
    kept.parent.mkdir(parents=True)
    kept.write_text(RECIPE)


def test_what_nobody_would_notice_is_told_by_step():
    lines = call("mutate").out.splitlines()
    assert lines[0].split() == ["step", "outputs", "of", "noticed"]
    assert " ".join(lines[1].split()) == "a r1 6 of 11"
    assert "it has no outputs" in lines[2]
    assert lines[4] == "a: nobody would notice"
    assert lines[6].split("  ") == ["a.state_v1.temp = 50", "/ 2, sign, + 1, - 1, 0"]
    assert lines[-1] == "6 of 11 changes would be noticed: 55 %"


def test_the_same_as_json():
    answer = call("mutate", "R1", "--step", "a", "--json").answer
    assert (answer["run"], answer["mutants"], answer["noticed"], answer["score"]) == ("R1", 11, 6, 0.5455)
    (told,) = answer["steps"]
    assert told["unnoticed"][0] == {
        "kind": "value", "name": "a.state_v1.temp", "what": "/ 2", "before": 50, "after": 25.0,
    }  # fmt: skip


def test_a_step_that_there_is_not():
    done = call("mutate", "--step", "c", "--json")
    assert (done.code, done.answer["reason"]) == (2, "run R1 has no step 'c': there are a, b")


def test_a_run_whose_recipe_is_not_kept():
    Path(".rack-recipes/runs/R1/begun/recipe/recipes/a.yml").unlink()
    done = call("mutate", "--json")
    where = ".rack-recipes/runs/R1/begun/recipe"
    reason = f"the recipe of run R1 is not in {where}: without it nobody knows its criteria"
    assert (done.code, done.answer["reason"]) == (2, reason)


def test_a_recipe_from_another_folder_is_kept_under_a_number():
    kept = Path(".rack-recipes/runs/R1/begun/recipe")
    (kept / "recipes/a.yml").rename(kept / "0-a.yml")
    assert call("mutate", "--json").answer["mutants"] == 11
