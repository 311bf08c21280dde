# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gallery reads of files, its pages and its search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry, nearest_word, search
from rack_recipes.recipe.gallery.markdown_pages import pages
from rack_recipes.recipe.gallery.read_gallery import whole_gallery

PYTHON = '''\
from scriptlets.own.tools.bmc import ask

from rack_recipes import Scriptlet


class Fans(Scriptlet):
    """Whether the fans turn.

    What more is
    to say.
    """

    options = {
        "address": {"type": "str", "required": True},
        "min_rpm": {"type": "int", "default": 500, "unit": "1/min", "description": "The least speed", "source": "ours"},
        "password": {"type": "str", "no_log": True},
        "user": {"type": "str", "description": "Its own words"},
    }
    reads = ()
    writes = {"own.fans_v1": "speed of each fan (1/min)"}
    needs = ("a BMC",)
    verdicts = {"failed": "a fan stands still"}
    example = """
        - name: fans
          module: own.fans
    """
'''
TOOL = 'ARGUMENTS = {"address": {"description": "Where it is"}, "user": {"description": "Not taken"}}\n'
SIDECAR = """\
description: Says hello
options:
  text: {description: What to say, default: hi}
writes: [own.hello_v1]
"""
RECIPE = """\
---
# The first paragraph
# of the comment.
#
# The second.
test_meta: {test_id: OWN-1, description: Fans and greetings.}
params:
  address: {type: str, description: Where the BMC is}
  secret: {type: str, secret: true}
  speed: {type: int, default: 3, one_of: [3, 4], description: How fast}
steps:
  - {name: fans, module: own.fans, args: {address: "${params.address}"}}
  - {name: hello, type: shell, module: scriptlets.own.hello, hosts: leafs}
"""
SPECS = """\
argument_specs:
  main:
    short_description: Burn in
    description: [First., "Of C(this)."]
    options:
      burn_hours: {type: float, default: 1, description: For how long.}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for name, text in {
        "scriptlets/own/fans.py": PYTHON,
        "scriptlets/own/tools/bmc.py": TOOL,
        "scriptlets/own/hello.sh": "#!/bin/sh\n",
        "scriptlets/own/hello.yml": SIDECAR,
        "recipes/own.yml": RECIPE,
        "roles/burn/meta/argument_specs.yml": SPECS,
        "roles/burn/README.md": "# burn\n\n```yaml\n- hosts: all\n```\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def found(project: Path) -> dict[str, GalleryEntry]:
    entries, left_out = whole_gallery((project / "scriptlets",), project)
    assert left_out == []
    return {entry.name: entry for entry in entries}


def test_a_class_with_all_that_it_says(own: Path):
    fans = found(own)["own.fans"]
    assert (fans.kind, fans.sentence, fans.details) == ("scriptlet", "Whether the fans turn", "What more is to say.")
    assert (fans.source, fans.language, fans.family, fans.function) == ("project", "Python", "own", "")
    assert fans.arguments == (
        Argument("address", required=True, description="Where it is"),
        Argument("min_rpm", "int", "1/min", 500, description="The least speed", source="ours"),
        Argument("password", secret=True),
        Argument("user", description="Its own words"),
    )
    assert (fans.keys, fans.needs) == ({"own.fans_v1": "speed of each fan (1/min)"}, ("a BMC",))
    assert (fans.verdicts, fans.example) == ({"failed": "a fan stands still"}, "- name: fans\n  module: own.fans")


def test_a_sidecar_that_says_little(own: Path):
    hello = found(own)["own.hello"]
    assert (hello.sentence, hello.language, hello.needs) == ("Says hello", "POSIX shell", None)
    assert (hello.keys, hello.example) == ({"own.hello_v1": ""}, "")


def test_a_recipe_has_what_its_scriptlets_need_and_set(own: Path):
    recipe = found(own)["recipes/own.yml"]
    assert (recipe.kind, recipe.sentence) == ("recipe", "Fans and greetings")
    assert recipe.details == "The first paragraph of the comment.\n\nThe second."
    assert recipe.steps == (("fans", "own.fans", "all"), ("hello", "scriptlets.own.hello", "leafs"))
    assert (recipe.needs, [*recipe.keys]) == (("a BMC",), ["own.fans_v1", "own.hello_v1"])
    assert [argument.choices for argument in recipe.arguments or ()] == [(), (), (3, 4)]
    assert recipe.example == (
        "rack-recipes run recipes/own.yml -i inventory.yml --param address=ADDRESS --param-file secrets.yml"
    )


def test_a_role_by_its_argument_specs(own: Path):
    role = found(own)["burn"]
    assert (role.kind, role.sentence, role.details) == ("role", "Burn in", "First.\n\nOf `this`.")
    assert (role.example, role.source) == ("- hosts: all", "project")
    assert role.arguments == (Argument("burn_hours", "float", default=1, description="For how long."),)


def test_what_cannot_be_read_is_left_out_with_the_reason(own: Path):
    (own / "recipes/broken.yml").write_text("steps: [\n")
    (own / "roles/burn/meta/argument_specs.yml").write_text("main: {}\n")
    entries, left_out = whole_gallery((own / "scriptlets",), own)
    assert not {"burn", "recipes/broken.yml"} & {entry.name for entry in entries}
    broken, specs = left_out
    assert "recipes/broken.yml:" in broken
    assert "argument_specs.yml: expected argument_specs with an entry point main" in specs


def test_what_is_shipped_is_there_too(own: Path):
    entries = found(own)
    assert entries["recipes/storage.yml"].source == "collection"
    assert entries["rack.recipes.cabling"].kind == "role"
    assert "cpu.stress_v1" in entries["rack.recipes.server_burn_in"].keys, "of the recipe inside"
    assert entries["rack.recipes.flush"].kind == "module"


FANS = GalleryEntry(
    kind="scriptlet",
    name="own.fans",
    family="own",
    sentence="Whether the fans turn",
    path=Path("fans.py"),
    source="project",
    language="Python",
    arguments=(
        Argument("min_rpm", "int", "1/min", 500, description="a | b", source="ours"),
        Argument("password", required=True, secret=True, description="Who asks?"),
        Argument("mode", choices=("on", "off"), description="What"),
    ),
    keys={"own.fans_v1": "speed (1/min)"},
    verdicts={"failed": "one stands still"},
    example="- name: fans\n  module: own.fans",
)


def test_a_scriptlet():
    index, page = pages([FANS], "`make`").values()
    assert "| [`own.fans`](own.md#ownfans) | Whether the fans turn |" in index
    for text in (
        "<!-- written by `make` from",
        "| [`own.fans`](#ownfans) | Whether the fans turn |",
        "## own.fans\n\nWhether the fans turn.\n\n- Language: Python\n- Needs: nothing\n",
        "| `min_rpm` | int | 1/min | `500` | a \\| b. Default: ours. |",
        "| `password` | str |  | required | Who asks? A secret: it is shown nowhere. |",
        "| `mode` | str |  |  | What. One of `on`, `off`. |",
        "| `own.fans_v1` | speed (1/min). |",
        "| `failed` | one stands still. |",
        "```yaml shown\ntest_meta: {test_id: TRY-001}\nsteps:\n  - name: fans\n    module: own.fans\n```\n",
    ):
        assert text in page


def test_two_in_one_file_have_a_section_each():
    page = pages([replace(FANS, function="Mark"), replace(FANS, function="Log")], "")["own.md"]
    assert "[`own.fans Log`](#ownfans-log)" in page
    assert "\n## own.fans Mark\n" in page


def test_what_takes_any_argument_or_is_deprecated_says_so():
    page = pages([replace(FANS, arguments=None, deprecated="use own.fans_v2", scope="run")], "")["own.md"]
    for text in ("It takes any argument.", "Deprecated: use own.fans_v2.", "- Runs: once for the run"):
        assert text in page


def test_a_recipe_names_its_steps_and_keys():
    steps = (("fans", "scriptlets.own.fans", "all"), ("ping", "ansible.builtin.ping", "leafs"))
    recipe = replace(FANS, kind="recipe", name="recipes/own.yml", family="recipes", steps=steps, example="run it")
    page = pages([FANS, recipe], "")["recipes.md"]
    for text in (
        "# Recipes\n",
        "| `fans` | [`own.fans`](own.md#ownfans) | `all` |",
        "| `ping` | `ansible.builtin.ping` | `leafs` |",
        "- Keys: `own.fans_v1`",
        "```text\nrun it\n```",
    ):
        assert text in page


def entry(name: str, sentence: str = "It tests", kind: Any = "scriptlet", **more: Any) -> GalleryEntry:
    path = Path(name if kind == "recipe" else name.replace(".", "/"))
    return GalleryEntry(kind, name, "family", sentence, path, "collection", **more)


FAN = entry("host.fan", "Whether the fans turn")
FOUND_FANS = entry("rack.fan_speed")
COOLING = entry("cooling.leaks", "Fan and coolant of a node")
POWER = entry("power.load", arguments=(Argument("max_fan_watts", unit="W", description="What fans may take"),))
FOUND_RECIPE = entry("recipes/fan.yml", "All about cooling", "recipe", keys={"host.heat_v1": "temperature (Cel)"})
ROLE = entry("rack.recipes.burn_in", "Runs a server hot", "role", needs=("stress-ng",), verdicts={"failed": "too hot"})
ALL = [ROLE, POWER, COOLING, FOUND_RECIPE, FOUND_FANS, FAN]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["fan"], [FAN, FOUND_RECIPE, FOUND_FANS, COOLING, POWER]),  # name, part of the name, sentence, rest
        (["FAN"], [FAN, FOUND_RECIPE, FOUND_FANS, COOLING, POWER]),
        (["host.fan"], [FAN]),
        (["recipes/fan.yml"], [FOUND_RECIPE]),
        (["cooling"], [COOLING, FOUND_RECIPE]),
        (["fan", "coolant"], [COOLING]),
        (["host.heat_v1"], [FOUND_RECIPE]),
        (["cel"], [FOUND_RECIPE]),
        (["max_fan_watts"], [POWER]),
        (["stress-ng"], [ROLE]),
        (["too", "hot"], [ROLE]),
        (["fan", "absent"], []),
    ],
)
def test_what_has_all_words_is_found_the_best_first(words: list[str], found: list[GalleryEntry]):
    assert [each.name for each in search(ALL, words)] == [each.name for each in found]


def test_of_two_in_one_file_each_is_found():
    several = [entry("redfish.log", function=name) for name in ("Mark", "Log")]
    assert [each.function for each in search(several, ["redfish"])] == ["Log", "Mark"]
    assert [each.function for each in search(several, ["mark"])] == ["Mark"]


@pytest.mark.parametrize(
    ("words", "lost", "near"),
    [
        (["temprature"], "temprature", "temperature"),
        (["fan", "coolent"], "coolent", "coolant"),
        (["xyzzy"], "xyzzy", ""),
        (["fan", "stress-ng"], "", ""),
    ],
)
def test_the_word_that_nothing_has_is_told_with_the_nearest_one(words: list[str], lost: str, near: str):
    assert search(ALL, words) == []
    assert nearest_word(ALL, words) == (lost, near)
