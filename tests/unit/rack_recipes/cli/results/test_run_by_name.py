# SPDX-License-Identifier: GPL-3.0-or-later

"""Each command that takes a run takes `last`, `last~1` and the beginning of an id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.analysis.data_frames import load_run
from rack_recipes.cli.command_table import COMMANDS, command_of, is_group, parse_command_line, parser_of

ELSEWHERE = {"stop", "serve", "mutate", "upload"}  # their runs go on, keep a recipe, or go to a server
NAMES = ("last", "last~1")


def takes_run(name: str) -> bool:
    return not is_group(name) and any(action.metavar == "RUN" for action in parser_of(name)._get_positional_actions())


WITH_RUN = [name for name in COMMANDS if takes_run(name) and name.split()[0] not in ELSEWHERE]


@pytest.mark.parametrize("name", WITH_RUN)
@pytest.mark.parametrize("word", NAMES)
def test_last_is_never_an_unknown_run(name: str, word: str, stored: Path) -> None:
    takes = parser_of(name)._get_positional_actions()
    done = call(*name.split(), *(word if action.metavar == "RUN" else "t.ok_v1" for action in takes))
    for lack in ("there is no run", "there are no runs", "begin with"):
        assert lack not in done.err, done.err


def test_last_is_the_newest_and_the_one_before_it(stored: Path) -> None:
    newest, older = (row["run_id"] for row in call("runs", "--json").answer["runs"][:2])
    assert [call("show", word, "--json").answer["run"]["run_id"] for word in NAMES] == [newest, older]
    assert call("diff", "last~1", "last", "--json").answer["runs"] == [older, newest]
    assert json.loads(call("watch", "last~1", "--json").out)["run_id"] == older
    done = call("show", "last~7")
    assert (done.code, "last~7: there are only 2 runs in the store" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("file", "begins"),
    [("out.csv", "\ufeffstep,"), ("out.json", "{"), ("out.xml", "<?xml"), ("out.md", "# ")],
)
def test_a_report_is_one_file_where_that_is_asked_for(file: str, begins: str, stored: Path) -> None:
    done = call("report", "last", "--out", file)
    assert (done.code, done.out) == (0, f"{file}\n")
    assert Path(file).read_text(encoding="utf-8").startswith(begins)


@pytest.mark.parametrize(
    ("words", "lack"),
    [
        (["--out", "x.foo"], "expected a file that ends with .html"),
        (["--out", "x.csv", "--to", "y"], "leave out --to and --format"),
    ],
)
def test_an_ending_names_the_format(words: list[str], lack: str, stored: Path) -> None:
    done = call("report", *words)
    assert (done.code, lack in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["resume", "20261125"], ["run", "--resume", "20261125"]),
        (["resume"], ["run", "--resume", "last"]),
        (["resume", "-i", "inventory.yml"], ["run", "--resume", "last", "-i", "inventory.yml"]),
        (["run", "--recipe", "host_health"], ["run", "--recipe", "host_health"]),
    ],
)
def test_other_spellings(words: list[str], same: list[str]) -> None:
    assert parse_command_line(words) == parse_command_line(same)
    assert command_of(words).handles_signals


def test_a_recipe_is_named_once(project: Path) -> None:
    done = call("run", "--recipe", "a.yml", "b.yml")
    assert (done.code, "got RECIPE and --recipe" in done.err) == (2, True)
    assert "a.yml:1:1: expected a file that can be read" in call("run", "--recipe", "a.yml").err


def test_a_run_as_data_frames_prints_a_summary(stored: Path) -> None:
    run = load_run("last")
    text = repr(run)
    assert text.startswith(f"<run {run.run['run_id']} of ")
    assert f": {run.run['status']}, " in text
    assert f"results {len(run.results)}, measurements " in text
    assert len(text) < 400
