# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run in every way to get it: at the run's end, by command, by role and by module."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from call_rack_recipes import CHECKOUT, Done, call, rack_recipes

NAMES = {"report.html", "report.xlsx", "report.md", "summary.csv", "not_passed.csv", "verdicts.csv"}


WRONG = {
    "Of no run": ({"run": "nobody"}, "the newest are "),
    "Of which run": ({}, "or name it: option `run`, in the role the variable `report_run`"),
    "In no format": (
        {"run": "x", "formats": ["odt"]},
        "value of formats must be one or more of: html, xlsx, csv, md, md-full, json, ",
    ),
    "Of no store": ({"run": "x", "db": "sqlite:///missing.db"}, "there is no store yet"),
}


class Reported(NamedTuple):
    """A run that wrote its report, and the folder of its project."""

    folder: Path
    done: Done


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("reported")
    for name in ("recipes", "data"):
        shutil.copytree(CHECKOUT / name, folder / name)
    (folder / "ansible.cfg").write_text("[defaults]\n")
    with chdir(folder):
        done = rack_recipes("run", "recipes/numbers.yml", "--report")
    assert done.code == 0, done.stderr
    return Reported(folder, done)


@pytest.fixture
def run_id(reported: Reported, project: Path) -> str:
    """A run in the project's store: a copy, without its report."""
    ignored = shutil.ignore_patterns("report", "ansible.cfg")
    shutil.copytree(reported.folder / ".rack-recipes", project / ".rack-recipes", ignore=ignored)
    return str(reported.done.answer["run_id"])


def play(*tasks: dict[str, Any], **options: str) -> Any:
    """Play the tasks on this machine; the outcome of the last one as Ansible's JSON shows it."""
    play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
    Path("play.yml").write_text(json.dumps([play]), encoding="utf-8")
    arguments = [f"--{name}" for name in options]
    return call("ansible-playbook", "play.yml", *arguments)


def report(**arguments: Any) -> dict[str, Any]:
    return {"name": "Write the report", "rack.recipes.report": arguments, "register": "written"}


def say(text: str) -> dict[str, Any]:
    return {"name": "Say", "ansible.builtin.debug": {"msg": text}}


def test_a_run_ends_with_its_report(reported: Reported):
    paths = [reported.folder / path for path in reported.done.answer["report"]]
    assert {path.name for path in paths} >= NAMES
    assert "✓</span> passed" in next(path for path in paths if path.suffix == ".html").read_text()


def test_the_role_writes_the_report_once(run_id: str):
    include = {
        "name": "Include the role",
        "ansible.builtin.include_role": {"name": "rack.recipes.report"},
        "vars": {"report_run": run_id, "report_dest": "out/rack1", "report_formats": ["html", "csv"]},
    }
    first = play(include, say("{{ report_written.files | length }} files of {{ report_written.run_id }}"))
    assert first.code == 0, first.stdout
    files = [path for path in Path("out/rack1").rglob("*") if path.is_file()]
    assert f"{len(files)} files of {run_id}" in first.stdout
    assert "changed=1" in first.stdout
    assert {path.name for path in Path("out/rack1").iterdir()} == {"report.html", "csv"}
    assert "changed=0" in play(include).stdout


def test_the_module_writes_into_the_folder_of_the_run(run_id: str):
    done = play(report(run=run_id, formats=["md"]), say("{{ written.files }}"))
    assert done.code == 0, done.stdout
    path = f".rack-recipes/runs/{run_id}/report/report.md"
    assert path in done.stdout
    assert Path(path).read_text().startswith("# ✓ passed")


def test_no_run_is_taken_from_a_fact_that_may_be_of_another(run_id: str):
    """As the cached ones of a run before this playbook."""
    fact = {"name": "Know the run", "ansible.builtin.set_fact": {"rack_recipes": {"run_id": run_id}, "cacheable": True}}
    done = play(fact, report(formats=["md"]))
    assert done.code == 2
    assert "which run? no run " in done.stdout
    assert not Path(f".rack-recipes/runs/{run_id}/report").exists()


def test_what_is_wrong_is_said(run_id: str):
    wrong = [{**report(**arguments), "name": name, "ignore_errors": True} for name, (arguments, _said) in WRONG.items()]
    done = play(*wrong)
    assert f"failed=0    skipped=0    rescued=0    ignored={len(WRONG)}" in done.stdout
    for name, (_arguments, said) in WRONG.items():
        own = done.stdout.partition(f"TASK [{name}]")[2].partition("TASK [")[0]
        assert "FAILED!" in own, name
        assert said in own, name
    assert not Path("report").exists()


def test_check_mode_writes_nothing(run_id: str):
    done = play(report(run=run_id, dest="out"), check="")
    assert done.code == 0, done.stdout
    assert not Path("out").exists()
