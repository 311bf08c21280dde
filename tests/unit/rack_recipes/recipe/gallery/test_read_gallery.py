# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gallery reads of a user's own project."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry
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
    assert entries["rack.recipes.flush"].kind == "module"
