# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rack_recipes.recipe.catalog import find_scriptlet as module
from rack_recipes.recipe.catalog.find_scriptlet import builtin_modules, is_missing_builtin


@pytest.fixture
def no_ansible(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which Ansible is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    builtin_modules.cache_clear()
    yield
    builtin_modules.cache_clear()


def test_modules_and_actions_are_known():
    assert {"ansible.builtin.command", "ansible.builtin.add_host", "ansible.builtin.ping"} <= {*builtin_modules()}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ansible.builtin.comand", True),
        ("ansible.builtin.command", False),
        ("ansible.builtin.docker_container", False),  # it has moved, and Ansible finds it
        ("arista.eos.eos_comand", False),  # the collection may be where the recipe is run
    ],
)
def test_what_ansible_itself_does_not_have(name: str, missing: bool):
    assert is_missing_builtin(name) == missing


def test_nothing_is_known_without_ansible(no_ansible: None):
    assert builtin_modules() == ()
    assert not is_missing_builtin("ansible.builtin.comand")
