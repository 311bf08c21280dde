# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project
from rack_recipes.cli.authors.found_entries import as_text, to_data
from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry

FANS = GalleryEntry(
    kind="scriptlet",
    name="own.fans",
    family="own",
    sentence="Whether the fans turn",
    path=Path("scriptlets/own/fans.py"),
    source="project",
    language="Python",
    details="A line\x1b[31m.\n\nAnother.",
    arguments=(Argument("min_rpm", "int", "1/min", 500, description="The least speed"), Argument("b", required=True)),
    keys={"own.fans_v1": "speed (1/min)"},
    verdicts={"failed": "one stands still"},
    example="- name: fans\n  module: own.fans",
)


def test_a_single_one_is_shown_in_full():
    assert as_text([FANS], ["fans"], in_colour=False) == (
        "scriptlet own.fans: Whether the fans turn.\n\nA line [31m.\n\nAnother.\n\n"
        "file              scriptlets/own/fans.py\n"
        "language          Python\n"
        "needs             nothing\n"
        "sets own.fans_v1  speed (1/min)\n"
        "failed            one stands still\n\n"
        "argument  type  unit   default   meaning\n"
        "min_rpm   int   1/min  500       The least speed\n"
        "b         str          required\n\n"
        "test_meta: {test_id: TRY-001}\nsteps:\n  - name: fans\n    module: own.fans\n"
    )


def test_what_is_named_is_shown_in_full_before_the_others():
    other = replace(FANS, name="own.heat", kind="recipe")
    text = as_text([FANS, other], ["own.fans"], in_colour=False)
    assert text.startswith("scriptlet own.fans: Whether the fans turn.\n")
    assert text.endswith(
        "\nkind    name      from     what it does\nrecipe  own.heat  project  Whether the fans turn\n"
    )


def test_several_are_a_table_with_their_kinds():
    text = as_text([FANS, FANS], ["fans"], in_colour=False)
    assert text.splitlines()[1] == "scriptlet  own.fans  project  Whether the fans turn"


def test_the_words_are_bold_where_there_are_colours():
    line = as_text([FANS, FANS], ["FANS"], in_colour=True).splitlines()[1]
    assert line == "scriptlet  own.\x1b[1mfans\x1b[0m  project  Whether the \x1b[1mfans\x1b[0m turn"


def test_as_data():
    data = to_data(FANS)
    assert (data["description"], data["path"]) == ("Whether the fans turn", "scriptlets/own/fans.py")
    assert data["arguments"][0]["unit"] == "1/min"
    assert data["example"].startswith("test_meta:")


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)
    (project / "recipes").mkdir()
    (project / "good.yml").rename(project / "recipes/good.yml")
    (project / "faulty.yml").rename(project / "recipes/faulty.yml")


def test_the_command_finds_scriptlets_recipes_and_roles():
    assert "scriptlet  t.ok" in call("scriptlets", "ok").out
    assert call("scriptlets", "recipes/good.yml").out.startswith("recipe recipes/good.yml: ")
    cables = call("scriptlets", "cables").out
    assert "role       rack.recipes.cabling" in cables
    assert "recipe     rack.recipes.links " in cables, "as it is run"


def test_the_command_as_json():
    done = call("scriptlets", "disk.fio", "--json")
    names = [each["name"] for each in done.answer["found"]]
    assert (done.code, names[0]) == (0, "disk.fio")
    assert "recipes/storage.yml" in names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tempratur"], "nothing here has 'tempratur' (did you mean 'temperature'?)"),
        (["qqqqqqqq"], "nothing here has 'qqqqqqqq'"),
        (["mlag", "slurm"], "nothing here has all of mlag, slurm"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_word(words: list[str], said: str):
    done = call("scriptlets", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
