# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.configuration_playbook import Job, check_names
from rack_recipes.integrations.awx.project_files import ANSIBLE_CORE, collections_of
from rack_recipes.recipe.load import parse

ROOT = Path(__file__).resolve().parents[5]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def job(path: str, *modules: str) -> Job:
    steps = "\n".join(
        f"  - {{name: s{n}, type: ansible, module: {name}, success: none}}" for n, name in enumerate(modules)
    )
    text = f"test_meta: {{test_id: T-1}}\nsteps:\n{steps or '  - {name: s, module: x.y, success: none}'}\n"
    return Job(parse(text.encode(), path), Path("awx"))


def test_names_of_a_job():
    found = job("recipes/Burn-in 2.yml")
    assert (found.name, found.title, found.playbook) == ("burn_in_2", "rack burn_in_2", "awx/run_burn_in_2.yml")
    assert (found.workflow, found.ending_playbook) == ("rack burn_in_2 workflow", "awx/total_burn_in_2.yml")


def test_two_recipes_of_one_name_are_refused():
    with pytest.raises(UsageError, match=r"a/x\.yml and b/x\.yml: both would be 'x' in AWX: rename one of them"):
        check_names([job("a/x.yml"), job("b/x.yml")])
    with pytest.raises(UsageError, match="expected a file name with a letter or a digit"):
        check_names([job("recipes/---.yml")])


def test_collections_of_modules_are_named():
    modules = ("arista.eos.eos_facts", "ansible.builtin.ping", "cisco.ios.ios_facts", "arista.eos.eos_vlans")
    assert collections_of([job("x.yml", *modules)]) == ["arista.eos", "cisco.ios"]


def test_an_image_gets_the_ansible_that_the_package_admits():
    assert ANSIBLE_CORE in PROJECT["dependencies"]
