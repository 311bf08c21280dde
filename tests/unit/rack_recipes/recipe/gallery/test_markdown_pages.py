# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry
from rack_recipes.recipe.gallery.markdown_pages import pages

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
