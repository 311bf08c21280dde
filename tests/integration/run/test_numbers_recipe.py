# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe numbers.yml gives the same results in the store, however it is started."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import rack_recipes, results, run_recipe

RECIPE = "recipes/numbers.yml"
CONTEXT = {
    "numbers.stats_v1": {"mean": 25, "variance": 125, "count": 4, "min": 10, "max": 40},
    "numbers.median_v1": {"median": 25, "count": 4},
}
STEPS = ("compute_numbers", "compute_median")
FEW = ["r01", "r02"]


def expected(hosts: list[str]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    verdicts = {(step, host): "passed" for step in STEPS for host in hosts}
    return verdicts, {(key, host): value for key, value in CONTEXT.items() for host in hosts}


def test_on_this_machine_prints_one_json_object(shipped: Path):
    done = run_recipe(RECIPE)
    assert done.code == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.answer["status"] == "ok"
    assert done.answer["ctx_keys"] == ["numbers.median_v1", "numbers.stats_v1"]
    assert done.answer["counts"] == {"passed": 2}
    assert "\x1b" not in done.stderr
    assert "stage 1" not in done.stderr  # progress is for terminals
    found = done.results
    assert (found.verdicts(), found.context) == expected(["localhost"])


def test_over_eight_hosts_into_both_databases_gives_the_same_rows(shipped: Path, rack: Any, mariadb: Any):
    """The run writes into one of them while it goes on, `flush` into the other one afterwards."""
    done = run_recipe(RECIPE, on=rack, RACK_RECIPES_DB=mariadb.url)
    assert done.code == 0, done.stderr
    flushed = rack_recipes("flush", done.run_id, RACK_RECIPES_DB=f"sqlite:///{shipped}/r.db")
    assert flushed.code == 0, flushed.stderr
    written, later = (results(done.run_id, RACK_RECIPES_DB=db) for db in (mariadb.url, f"sqlite:///{shipped}/r.db"))
    assert (written.verdicts(), written.context) == expected(rack.hosts)
    assert (later.steps, later.context, later.measurements) == (written.steps, written.context, written.measurements)


@pytest.mark.filterwarnings("default")
def test_by_ansible_runner(shipped: Path, rack: Any, tmp_path_factory: Any, monkeypatch: Any):
    import ansible_runner

    private = tmp_path_factory.mktemp("runner")
    shutil.copytree(shipped, private / "project")
    (private / "inventory").mkdir()
    shutil.copy(rack.inventory, private / "inventory" / "hosts.yml")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    run = ansible_runner.run(
        private_data_dir=str(private),
        playbook="rack.recipes.run",
        extravars={"recipe": RECIPE},
        limit=",".join(FEW),
        quiet=True,
    )
    assert (run.status, run.rc) == ("successful", 0)
    monkeypatch.chdir(private / "project")
    assert (results().verdicts(), results().context) == expected(FEW)


def test_of_the_first_proposal_runs_unchanged(tmp_path: Path, monkeypatch: Any):
    compat = Path(__file__).parents[2] / "compat" / "v1"
    for frozen in sorted(path for path in compat.iterdir() if path.is_dir()):
        project = tmp_path / frozen.name
        shutil.copytree(frozen, project)
        monkeypatch.chdir(project)
        wanted = json.loads((project / "expected.json").read_text())
        done = run_recipe(wanted["recipe"])
        assert done.code == 0, done.stderr
        assert done.answer["counts"] == wanted["counts"]
        assert {key: value for (key, _host), value in results().context.items()} == wanted["context"]


def test_the_printed_recipe_of_the_first_proposal_runs_in_an_empty_project(project: Path):
    printed = Path(__file__).parents[2] / "compat/v1/walkthrough/recipes/example_numbers.yaml"
    recipe = project / "orchestrator/recipes/example_numbers.yaml"
    recipe.parent.mkdir(parents=True)
    shutil.copy(printed, recipe)
    (project / "data").mkdir()
    (project / "data/numbers.csv").write_text("10\n20\n30\n40\n")
    done = run_recipe("orchestrator/recipes/example_numbers.yaml")
    assert done.code == 0, done.stderr
    assert done.answer["ctx_keys"] == ["numbers.median_v1", "numbers.stats_v1"]
    assert results().context == {(key, "localhost"): value for key, value in CONTEXT.items()}
