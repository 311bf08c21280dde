# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages for contributors name files and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TABLE = CONTRIBUTING.partition("## What to change where")[2].partition("\n## ")[0]
FOLDERS = ("", "plugins", "rack_recipes", "rack_recipes/recipe/schema", "plugins/module_utils", "docs")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", TABLE))))
def test_a_test_in_the_table_of_changes_exists(named: str):
    path, _colons, name = named.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(\w[\w/]*(?:/|\.py|\.json))`", TABLE + ARCHITECTURE))))
def test_a_file_that_is_named_exists(named: str):
    runs = ("artifacts/", "begun/")  # in the folder of a run
    beside = ("test_command_reference.py", "step_run.py")  # named after a file or folder that they are beside or in
    assert named in (*runs, *beside) or any((ROOT / folder / named).exists() for folder in FOLDERS)
