# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run
from rack_recipes.cli.command_table import COMMANDS, RESUME, is_group, parser_of, subcommands
from rack_recipes.cli.shell.completion_candidates import KINDS, candidates
from rack_recipes.journal.append import append

RECIPE = {
    "test_meta": {"test_id": "T"},
    "params": {"vlan": {"type": "int"}, "mtu": {}},
    "steps": [{"name": "prepare"}, {"name": "measure"}, {"name": "burn", "include": "common/burn.yml"}, 7, {"x": 1}],
}
INCLUDED = {"test_meta": {"test_id": "I"}, "steps": [{"name": "heat"}, {"name": "more", "include": "absent.yml"}]}


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    (project / "common").mkdir()
    (project / "r.yml").write_text(json.dumps(RECIPE))
    (project / "common/burn.yml").write_text(json.dumps(INCLUDED))


def words_for(*words: str) -> list[str]:
    """The candidates that begin with the last word, without their meanings."""
    kind, *lines = candidates(words)
    assert kind == "words"
    return [word for line in lines if (word := line.partition("\t")[0]).startswith(words[-1] if words else "")]


@pytest.mark.parametrize("name", ["", *(name for name in COMMANDS if is_group(name))])
def test_commands(name: str):
    found = candidates([*name.split(), ""])
    rows = {word: COMMANDS[f"{name} {word}".strip()] for word in subcommands(name)} | ({} if name else RESUME)
    assert found == ["words", *(f"{word}\t{row.summary}" for word, row in rows.items())]


@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name)])
def test_all_options_of_all_commands(name: str):
    parser = parser_of(name)
    wanted = {action.option_strings[-1] for action in parser._actions if action.option_strings}
    assert {*words_for(*name.split(), "-")} == wanted
    assert all("\t" in line for line in candidates([*name.split(), "-"])[1:])


@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name)])
def test_every_value_has_a_kind_or_none_on_purpose(name: str):
    """A new word for a value is either completed, or listed here."""
    free = "AGE ATTRIBUTE CN ADDRESS DATE FAULT GROUP HOST:PORT NODE[:PORT] PART PORT SECONDS "
    free += "SIZE WHO URL USER N P PERCENT SEQ PATTERN VARS HOST ID KEY JSON NAME TEXT CLASS WORD"
    named = {str(action.metavar) for action in parser_of(name)._actions if action.metavar}
    assert named <= {*free.split(), *KINDS}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], [*subcommands(""), "resume"]),
        (["pl"], ["plan"]),
        (["--v"], ["--version"]),
        (["zzz", ""], [*subcommands(""), "resume"]),
        (["ctx", "h"], ["history"]),
        (["run", "--res"], ["--resume", "--resume-from"]),
        (["run", "r.yml", "--only", ""], ["prepare", "measure", "burn.heat"]),
        (["run", "r.yml", "--skip", "prepare,m"], ["prepare,measure"]),
        (["run", "r.yml", "--resume-from", "b"], ["burn.heat"]),
        (["run", "absent.yml", "--only", ""], []),
        (["run", "r.yml", "--param", ""], ["vlan=", "mtu="]),
        (["plan", "--format", ""], ["tree", "json", "dot", "mermaid"]),
        (["plan", "r.yml", "--format", "d"], ["dot"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["completion", "bash", ""], []),
        (["run", "r.yml", "--", "--"], []),
        (["run", "r.yml", "--db", ""], []),
    ],
)
def test_words(words: list[str], found: list[str]):
    assert words_for(*words) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["run", ""], ["files", ".yml", ".yaml"]),
        (["run", "--stepwise", "r"], ["files", ".yml", ".yaml"]),
        (["run", "--only", "a", ""], ["files", ".yml", ".yaml"]),
        (["run", "r.yml", ""], ["words"]),
        (["validate", "r.yml", ""], ["files", ".yml", ".yaml"]),
        (["run", "r.yml", "--param-file", "x"], ["files"]),
        (["run", "r.yml", "-i", ""], ["files"]),
        (["report", "--to", ""], ["folders"]),
    ],
)
def test_files(words: list[str], found: list[str]):
    assert candidates(words) == found


def test_an_option_is_offered_once_unless_it_can_be_repeated():
    offered = words_for("run", "--stepwise", "--only", "a", "--verbose", "--")
    assert "--stepwise" not in offered
    assert {"--only", "--verbose"} <= {*offered}


def test_runs_the_newest_first(project: Path):
    for number in range(30):
        folder = project / f".rack-recipes/runs/202611{number:02}"
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").touch()
    found = words_for("show", "")
    assert (len(found), found[:3]) == (22, ["last", "last~1", "20261129"])
    assert words_for("run", "--resume", "2026112") == [f"2026112{digit}" for digit in "9876543210"]
    assert words_for("diff", "20261101", "20261129") == ["20261129"]


def test_groups_stand_before_their_parts(project: Path):
    for name, group in (("20261101", "night-1"), ("20261102", "night-2"), ("20261103", "night-2"), ("20261104", "")):
        about = {"group": {"id": group, "part": name, "info": {}}} if group else {}
        append(project / f".rack-recipes/runs/{name}/journal.jsonl", [run(name, **about)])
    assert words_for("show", "")[:3] == ["night-2", "night-1", "last"]
    assert words_for("finish", "") == ["night-2", "night-1"]
    assert words_for("run", "--resume", "")[:3] == words_for("resume", "")[:3] == ["last", "last~1", "20261104"]
    assert "night-1" not in words_for("run", "--resume", "")


def test_without_runs_there_is_nothing_to_resume(project: Path):
    assert words_for("run", "--resume", "") == []


def test_scriptlets(project: Path):
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/mine.py").write_text("broken(")
    assert words_for("debug", "t.") == ["t.mine"]
    assert "rack.recipes.numbers_stats" in words_for("debug", "")


@pytest.mark.parametrize("text", ["a: [", "[]", "steps: 7", "steps: [null]", "\0"])
def test_a_recipe_that_cannot_be_read_is_no_trouble(text: str, project: Path):
    (project / "bad.yml").write_text(text)
    assert candidates(["run", "bad.yml", "--only", ""]) == ["words"]
    assert candidates(["run", "bad.yml", "--param", ""]) == ["words"]


def test_a_wrong_setting_is_no_trouble(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "many")
    assert candidates(["show", ""]) == ["words"]


def test_a_recipe_that_includes_itself_is_no_trouble(project: Path):
    (project / "self.yml").write_text(json.dumps({"steps": [{"name": "a"}, {"name": "b", "include": "self.yml"}]}))
    assert words_for("run", "self.yml", "--only", "")[0] == "a"
