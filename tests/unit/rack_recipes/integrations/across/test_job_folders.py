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


def test_variables_that_are_kept_elsewhere_are_sent(own_folder: Path):
    for path in (Path("lab/group_vars/all.yml"), Path("lab/r.yml"), Path("lab/back")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("..") if path.name == "back" else path.touch()
    Path("group_vars").symlink_to("lab/group_vars")
    Path("host_vars").symlink_to(".")  # no end to it, if links in it were followed
    assert {*project_files([Path("lab")])} >= {Path("group_vars/all.yml")}


def test_an_inventory_that_is_the_folder_itself_leaves_the_project(own_folder: Path):
    Path("r.yml").touch()
    assert project_files([own_folder]) == [Path("r.yml")]
