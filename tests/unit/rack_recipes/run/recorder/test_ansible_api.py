# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that begins is told of the inventory's vaults, and what it has Ansible do for all workers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.plugins.loader import connection_loader, shell_loader
from ansible.vars.manager import VariableManager

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import play
from rack_recipes.run.recorder.ansible_api import ansible_api_of, fill_caches

SECRETS = [("default", VaultSecret(b"the password of the vault"))]


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataLoader:
    """A project with an encrypted file of variables for one of two hosts."""
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(SECRETS))
    (tmp_path / "host_vars").mkdir()
    told = {"word": "of-r2-alone", "deep": {"list": ["of-r2-deep"]}}
    (tmp_path / "host_vars" / "r2.yml").write_bytes(VaultLib(SECRETS).encrypt(json.dumps(told)))
    (tmp_path / "hosts.yml").write_text("all: {hosts: {r1: {}, r2: {}}}")
    made = DataLoader()
    made.set_basedir(str(tmp_path))
    made.set_vault_secrets(SECRETS)
    return made


def test_values_of_hosts_that_are_not_in_the_run_are_known_too(loader: DataLoader):
    inventory = InventoryManager(loader, [f"{loader.get_basedir()}/hosts.yml"])
    inventory.subset("r1")
    made = play(variables=VariableManager(loader, inventory))
    made._loader = loader
    found, problem = ansible_api_of(made).vaulted(["r1", "localhost"])
    assert ({**found}, problem) == ({"r1": [], "localhost": [], "r2": ["of-r2-alone", "of-r2-deep"]}, "")
    loader.set_vault_secrets(None)
    assert ansible_api_of(made).vaulted(["r1"]) == ({}, "")


def test_workers_look_into_no_folder_for_plugins(monkeypatch: pytest.MonkeyPatch):
    for loader in (connection_loader, shell_loader):
        loader._plugin_path_cache.clear()
        loader._searched_paths.clear()
    fill_caches()
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail(f"{path} is read"))
    assert connection_loader.find_plugin("local")
    assert shell_loader.find_plugin("sh")


@pytest.mark.parametrize("make", ["from_action_result_dict", "from_module_result_dict"])
def test_workers_find_the_fields_of_a_result(make: str):
    """They are in a cache of Ansible's, under the same key that Ansible itself asks for."""
    results = pytest.importorskip("ansible._internal._task", reason="this release has no such cache").UnifiedTaskResult
    found = results.get_result_key_to_resolved_field_mapping
    if not hasattr(results, make):
        pytest.skip(f"this release has no {make}")
    found.cache_clear()
    fill_caches()
    before = found.cache_info().misses
    getattr(results, make)({"changed": False})
    assert (found.cache_info().misses, found.cache_info().hits) == (before, 1)
