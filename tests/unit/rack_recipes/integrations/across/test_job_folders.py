# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a project a controller gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.integrations.across.job_folders import project_files


@pytest.mark.parametrize("inventory", ["lab.yml", "lab/", "lab/hosts.yml"])
def test_a_controller_gets_the_project_without_the_inventory(own_folder: Path, inventory: str):
    left_out, kept = Path(inventory), Path("recipes/r.yml")
    for path in (left_out / "hosts.yml" if inventory.endswith("/") else left_out, kept, Path(".hidden/x")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert project_files([left_out.absolute()]) == [kept]


def test_an_inventory_that_is_the_folder_itself_leaves_the_project(own_folder: Path):
    Path("r.yml").touch()
    assert project_files([own_folder]) == [Path("r.yml")]
