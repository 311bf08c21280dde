# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gallery in docs/gallery/ has all that is shipped, as its own documentation says it; `--update` writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.resolve import list_all
from ansible_collections.rack.recipes.plugins.plugin_utils.gallery.pages import pages
from ansible_collections.rack.recipes.plugins.plugin_utils.gallery.read_gallery import whole_gallery

CHECKOUT = Path(__file__).resolve().parents[5]
FOLDER = CHECKOUT / "docs/gallery"
COMMAND = "`pytest tests/unit/plugins/plugin_utils/gallery --update`"
ENTRIES, LEFT_OUT = whole_gallery((), CHECKOUT)
PAGES = pages(ENTRIES, COMMAND)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_files_say(name: str, golden: Callable[[Path, str], None]):
    golden(FOLDER / name, PAGES[name])


def test_no_page_is_left_of_what_is_gone():
    assert {path.name for path in FOLDER.iterdir()} <= {*PAGES}, "delete the pages of families that are gone"


def test_all_that_is_shipped_is_in_it():
    names = {entry.name for entry in ENTRIES}
    scriptlets = {entry.name for entry in list_all(())}
    modules = {f"rack.recipes.{path.stem}" for path in (CHECKOUT / "plugins/modules").glob("*.py")}
    recipes = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "recipes").glob("*.yml")}
    roles = {f"rack.recipes.{path.name}" for path in (CHECKOUT / "roles").iterdir()}
    assert names == scriptlets | modules | recipes | roles
    assert LEFT_OUT == []
