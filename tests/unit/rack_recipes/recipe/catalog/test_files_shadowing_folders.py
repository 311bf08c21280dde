# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.recipe.catalog.find_scriptlet import hidden_folder, hiding_file


@pytest.fixture(autouse=True)
def _files(own_folder: Path) -> None:
    for name in ("f/a.py", "f/a/b/c.py", "f/d/e.py", "f/shell/x.sh"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("f/folder.py").mkdir()


@pytest.mark.parametrize(
    ("place", "hider"),
    [("a.py", ""), ("a/b.py", "f/a.py"), ("a/b/c.py", "f/a.py"), ("d/e.py", ""), ("d/e/g.py", "f/d/e.py")],
)
def test_what_hides_a_file(place, hider):
    assert hiding_file("f", place) == hider


def test_a_folder_hides_nothing():
    assert hiding_file("f", "folder/a.py") == ""


@pytest.mark.parametrize(
    ("file", "folder"),
    [("f/a.py", "f/a"), ("f/d.py", "f/d"), ("f/d/e.py", None), ("f/shell.py", None), ("f/absent.py", None)],
)
def test_what_a_file_hides(file, folder):
    assert hidden_folder(Path(file)) == (folder and Path(folder))
