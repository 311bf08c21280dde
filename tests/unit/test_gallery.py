# SPDX-License-Identifier: GPL-3.0-or-later

"""The gallery in docs/gallery/ has all that is shipped, and each entry tells what a reader needs.

`--update` writes the pages. What they say comes from the files themselves: a test that fails here names the file and
what its documentation lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from rack_recipes.errors import RackError
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.recipe.catalog.find_scriptlet import list_scriptlets
from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry
from rack_recipes.recipe.gallery.markdown_pages import example, pages, title
from rack_recipes.recipe.gallery.read_gallery import helpers, short_name, whole_gallery
from rack_recipes.recipe.load import parse
from rack_recipes.recipe.recipe_names import shipped_names

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "docs/gallery"
COMMAND = "`pytest tests/unit/test_gallery.py --update`"
ENTRIES, LEFT_OUT = whole_gallery((), CHECKOUT)
PAGES = pages(ENTRIES, COMMAND)
NUMBERS = ("int", "float")
JUDGES = re.compile(r"check\(|judge\(|rack_check|checks")
LIMIT = re.compile(r"(max|min|warn)_")


def of_kind(*kinds: str) -> list[GalleryEntry]:
    return [entry for entry in ENTRIES if entry.kind in kinds]


SCRIPTLETS = pytest.mark.parametrize("entry", of_kind("scriptlet"), ids=title)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_files_say(name: str, golden: Callable[[Path, str], None]):
    golden(FOLDER / name, PAGES[name])


def test_no_page_is_left_of_what_is_gone():
    assert {path.name for path in FOLDER.iterdir()} <= {*PAGES}, "delete the pages of families that are gone"


def test_all_that_is_shipped_is_in_it():
    names = {entry.name for entry in ENTRIES}
    scriptlets = {entry.name for entry in list_scriptlets(())}
    modules = {f"rack.recipes.{path.stem}" for path in (CHECKOUT / "plugins/modules").glob("*.py")}
    recipes = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "recipes").glob("*.yml")}
    roles = {f"rack.recipes.{path.name}" for path in (CHECKOUT / "roles").iterdir()}
    assert names == scriptlets | modules | recipes | roles
    assert LEFT_OUT == []


@pytest.mark.parametrize("entry", ENTRIES, ids=title)
def test_it_says_what_it_does_and_what_it_takes(entry: GalleryEntry):
    assert entry.sentence
    assert [argument.name for argument in entry.arguments or () if not argument.description] == []
    assert entry.example


@SCRIPTLETS
def test_a_scriptlet_says_what_it_needs_sets_and_how_it_ends(entry: GalleryEntry):
    assert entry.needs is not None, "needs: the tools, devices and rights, or () for nothing"
    assert [key for key, text in entry.keys.items() if not text] == [], "writes: say what each key holds, with units"
    assert entry.verdicts or not entry.arguments, "verdicts: when is it failed, marginal, skipped or an error?"


@SCRIPTLETS
def test_numbers_have_units_and_limits_a_source(entry: GalleryEntry):
    own = [] if entry.family == "rack.recipes" else list(entry.arguments or ())  # Ansible's documentation has no units
    assert [argument.name for argument in own if argument.type in NUMBERS and not argument.unit] == []
    assert [argument.name for argument in own if is_limit(argument) and not argument.source] == []


def is_limit(argument: Argument) -> bool:
    return bool(LIMIT.match(argument.name)) and argument.default is not None


@SCRIPTLETS
def test_a_printed_example_is_a_recipe_that_uses_it(entry: GalleryEntry):
    try:
        plan = make_plan(parse(example(entry).encode(), f"{title(entry)}.yml"), (CHECKOUT / "scriptlets",))
    except RackError as error:
        pytest.fail(f"the example is no valid recipe: {error}")
    last = plan.steps[-1]
    if last.serve and short_name(last.module) != entry.name:  # it is the serving side
        assert short_name(last.serve.module) == entry.name
        return
    assert short_name(last.module) == entry.name
    assert last.function == entry.function


@SCRIPTLETS
def test_no_step_of_an_example_checks_nothing(entry: GalleryEntry):
    """A step that checks nothing is an error of its run, unless it says `success: none`."""
    steps = yaml.safe_load(entry.example)
    unjudged = [step["name"] for step in steps if "success" not in step and not judges(short_name(step["module"]))]
    assert unjudged == [], "give these steps success criteria, or `success: none`"


@cache
def judges(module: str) -> bool:
    """Whether a scriptlet, or a helper of it, has words that judge what was found."""
    files = [entry.path for entry in of_kind("scriptlet") if entry.name == module]
    more = [one for file in files if file.suffix == ".py" for one in helpers(file, CHECKOUT / "scriptlets")]
    return any(JUDGES.search(file.read_text(encoding="utf-8")) for file in (*files, *more))


def test_the_command_of_a_recipe_is_one():
    words = [entry.example.split()[:3] for entry in of_kind("recipe")]
    assert sorted(words) == [["rack-recipes", "run", name] for name in shipped_names()]


@pytest.mark.parametrize("entry", of_kind("role"), ids=title)
def test_the_playbook_of_a_role_gives_it_variables_that_it_has(entry: GalleryEntry):
    [play] = yaml.safe_load(entry.example)
    used = [*play.get("roles", ()), *(task.get("ansible.builtin.include_role", {}) for task in play.get("tasks", ()))]
    assert entry.name in {each.get("role") or each.get("name") for each in used}
    given = {name for each in (*play.get("roles", ()), *play.get("tasks", ())) for name in each.get("vars", ())}
    assert given <= {argument.name for argument in entry.arguments or ()}


def test_the_library_names_every_scriptlet_and_every_recipe():
    """On its page, or on one of the pages beside it that it links: nobody finds what stands only in the gallery."""
    library = CHECKOUT / "docs/library.md"
    beside = {library, *(library.parent / name for name in re.findall(r"\]\(([\w-]+\.md)", library.read_text()))}
    text = "\n".join(page.read_text() for page in beside)
    names = {entry.name.removeprefix("rack.recipes.") for entry in of_kind("scriptlet")}
    names |= {Path(entry.name).stem for entry in of_kind("recipe")}
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)} == set()
