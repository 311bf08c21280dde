# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the project that a `src` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe import trusted_files as module
from rack_recipes.recipe.trusted_files import is_there, source_files

FILES = ("checks/conftest.py", "checks/gpu/test_gpu.py", "checks/.hidden", "checks/.git/x", "checks/__pycache__/a.pyc")


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    for path in FILES:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("1")
    Path("checks/empty").mkdir()


def test_a_folder_has_its_files_but_no_hidden_ones_and_no_caches():
    assert source_files("checks/") == ["checks/conftest.py", "checks/gpu/test_gpu.py"]
    assert source_files("./checks/gpu/") == ["checks/gpu/test_gpu.py"]


def test_a_file_is_itself():
    assert source_files("./checks/conftest.py") == ["checks/conftest.py"]


@pytest.mark.parametrize(
    ("src", "there"),
    [
        ("checks/", True),
        ("checks", False),
        ("checks/conftest.py", True),
        ("checks/conftest.py/", False),
        ("x/", False),
        ("\0/", False),
    ],
)
def test_whether_it_is_there(src, there):
    assert is_there(src) is there


def refusal(src: str) -> str:
    with pytest.raises(CatalogError) as caught:
        source_files(src)
    return str(caught.value)


def test_what_cannot_be_sent_is_said(monkeypatch):
    assert refusal("checks/empty/") == "checks/empty/: there is no file in this folder (hidden ones are not sent)"
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert refusal("checks/") == "checks/: it has 0 MiB, more than the 0 that a step can send"
    monkeypatch.setattr(module, "MOST_FILES", 1)
    assert refusal("checks/") == "checks/: it has more than 1 files, the most that a step can send"


def test_a_link_out_of_the_project_is_refused(tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret"
    secret.write_text("1")
    Path("checks/gpu/link").symlink_to(secret)
    assert refusal("checks/").startswith("checks/gpu/link is not trusted: the link leads out of the project's folder")
