# SPDX-License-Identifier: GPL-3.0-or-later

"""Each command that takes a run, given the id of a group of two parts, and one that is mistyped."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import (
    call,
    forget_settings,
    make_project,
)
from rack_recipes.cli.command_table import COMMANDS, is_group, parser_of
from rack_recipes.run.run_folders import ACROSS

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("group_cases.yml").read_text(encoding="utf-8"))
PAGE = Path(__file__).resolve().parents[4] / "docs/server.md"
GROUP, MISTYPED = "night-42", ("nigth-42", "@night-42")
INVENTORY = {"all": {"hosts": {"h1": {}, "h2": {}}, "vars": {"ansible_connection": "local"}}}
LIMITS = {"limits": [{"measurement": "*", "max": 5}]}


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a group: both of its parts have really run."""
    folder = tmp_path_factory.mktemp("group")
    make_project(folder)
    (folder / "ansible.cfg").write_text("[defaults]\n")
    (folder / "inventory.yml").write_text(json.dumps(INVENTORY))
    (folder / "limits.yml").write_text(json.dumps(LIMITS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        forget_settings(patch)
        for host in ("h1", "h2"):
            done = call("run", "good.yml", "-i", "inventory.yml", "--limit", host, "--group", GROUP, "--parts", "2")
            assert done.code == 0, done.err
    return folder


@pytest.fixture
def parts(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The ids of the parts, in a copy of the project that is the working folder."""
    shutil.copytree(_made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    forget_settings(monkeypatch)
    names = sorted(path.parent.name for path in Path(".rack-recipes/runs").glob("*/journal.jsonl"))
    return dict(zip(("first", "second"), names, strict=True))


def command_of(case: dict[str, Any]) -> str:
    """The command's name, of one or two words."""
    two = " ".join(case["words"][:2])
    return two if two in COMMANDS else str(case["words"][0])


@pytest.mark.parametrize("case", CASES, ids=command_of)
def test_a_command_of_a_group(parts: dict[str, str], case: dict[str, Any]):
    done = call(*case["words"])
    told = case["told"]
    for name, run_id in parts.items():
        told = told.replace(f"{{{name}}}", run_id)
    assert told in done.out + done.err
    assert done.code == case["code"]


@pytest.mark.parametrize("case", CASES, ids=command_of)
@pytest.mark.usefixtures("parts")
def test_a_command_of_a_mistyped_group(case: dict[str, Any]):
    for mistyped in MISTYPED:
        done = call(*(mistyped if word == GROUP else word for word in case["words"]))
        assert f"{mistyped!r}" in done.err
        assert done.err.endswith(f"(did you mean {GROUP!r}?)\n")
        assert done.code == 2


@pytest.mark.parametrize("words", [("pin", GROUP), ("baseline", "accept", GROUP)], ids=" ".join)
def test_the_parts_of_a_pinned_group_are_kept(parts: dict[str, str], words: tuple[str, ...]):
    assert call(*words).code == 0
    pruned = call("prune", "--keep", "0", "--store", "--json").answer
    assert sorted(run["run_id"] for run in pruned["kept"]) == sorted([GROUP, *parts.values()])
    assert call("pin", GROUP, "--off").code == 0
    pruned = call("prune", "--keep", "0", "--store", "--json").answer
    assert sorted(run["run_id"] for run in pruned["removed"]) == sorted([GROUP, *parts.values()])


def test_a_group_is_exported_with_its_parts(parts: dict[str, str]):
    done = call("export", GROUP, "--to", "night.zip", "--json")
    packs = [f"night{name}.zip" for name in ("", *(f"-{part}" for part in parts.values()))]
    assert [path for path in done.answer["paths"] if not path.endswith(".sha256")] == packs
    assert done.answer["parts"] == [*parts.values()]
    assert {*done.answer["missing"].values()} == {"the packs of the parts have it"}
    checked = [call("verify", pack, "--json").answer for pack in packs]
    assert [(one["run_id"], one["status"]) for one in checked] == [(run, "ok") for run in (GROUP, *parts.values())]
    assert call("export", GROUP, "--to", "night.zip").err == "night.zip: it is there already, and nothing is replaced\n"


def test_the_recipe_of_a_group_is_that_of_any_part_here(parts: dict[str, str]):
    shutil.rmtree(Path(".rack-recipes/runs", parts["first"]))
    assert call("mutate", GROUP).code == 0
    shutil.rmtree(Path(".rack-recipes/runs", parts["second"]))
    done = call("mutate", GROUP)
    assert (done.code, "/begun/recipe, nor in the folders of its parts: without it nobody" in done.err) == (2, True)


def test_a_part_is_resumed_in_its_group(parts: dict[str, str]):
    again = call("run", "--resume", parts["first"], "-i", "inventory.yml", "--group", GROUP)
    assert again.code == 0, again.err
    run = call("show", GROUP, "--json").answer["run"]
    assert run["counts"] == {"passed": 2}
    assert [one["note"] for one in run["group_info"]["told"]] == [
        "",
        "",
        "hosts of an earlier part again: h1; what this part says of them counts",
    ]


def test_parts_of_a_killed_command_are_brought_and_resumed_where_they_were(parts: dict[str, str]):
    command = "rack-recipes run -i inventory.yml --resume {} --group night-42 --across c.yml --on NAME"
    for run_id in parts.values():
        Path(".rack-recipes/runs", run_id, ACROSS).write_text(command.format(run_id))
    journal = Path(".rack-recipes/runs", parts["second"], "journal.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b'"kind":"end"' not in line))
    Path(".rack-recipes/results.db").unlink()  # it says how this part has ended
    done = call("flush")
    assert done.answer["parts"] == [*parts.values()]
    assert done.err == f"{parts['second']}: to go on from here: {command.format(parts['second'])}\n"
    asked = call("run", "--resume", GROUP, "-i", "inventory.yml")
    assert f"`{command.format('PART')}`; its parts here" in asked.err


def test_no_command_that_takes_a_run_is_left_out():
    takes = {
        name
        for name in COMMANDS
        if not is_group(name) and {action.metavar for action in parser_of(name)._actions} & {"RUN", "GROUP"}
    }
    assert takes == {command_of(case) for case in CASES}


def test_the_page_has_each_of_them():
    _head, _title, table = PAGE.read_text(encoding="utf-8").partition("| command | of a group's id |")
    rows = re.findall(r"^\| (.*?) \|", table.partition("\n\n")[0], re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`([^`]+)`", row)}
    named |= {word.partition(" -")[0] for word in named}
    missing = [name for name in map(command_of, CASES) if not {name, name.partition(" ")[0]} & named]
    assert missing == []
