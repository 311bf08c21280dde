# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.scriptlet_files import find_merge_hook

FOLDERS = [Path("scriptlets"), Path("more")]


@pytest.fixture(autouse=True)
def _project(own_folder: Path) -> None:
    for path in ("scriptlets/site/merge.py", "more/site/merge.py", "more/site/other.py", "scriptlets/site/shell.sh"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


@pytest.mark.parametrize(
    ("name", "path"), [("site.merge", "scriptlets/site/merge.py"), ("site.other", "more/site/other.py")]
)
def test_the_first_folder_counts(name: str, path: str) -> None:
    assert find_merge_hook(name, FOLDERS) == (path, path.encode())


@pytest.mark.parametrize("name", ["site.gone", "site.shell", "merge", "other.site.merge"])
def test_one_that_is_not_there(name: str) -> None:
    expected = f"no merge hook {name!r}: there is no {name.replace('.', '/')}.py in scriptlets, more, "
    with pytest.raises(CatalogError) as caught:
        find_merge_hook(name, FOLDERS)
    assert str(caught.value).startswith(expected)


def test_one_that_anybody_can_change() -> None:
    Path("scriptlets/site/merge.py").chmod(0o666)
    with pytest.raises(CatalogError, match="is not trusted: everyone can write to it"):
        find_merge_hook("site.merge", FOLDERS)
