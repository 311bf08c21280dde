# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of a vault, as Ansible itself decrypts and fills them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from rack_recipes.run import run_secrets
from rack_recipes.run.run_secrets import UNKNOWN, VaultValues, own_variables

SECRETS = [("default", VaultSecret(b"the password of the vault"))]
INLINE, DEEP, SHORT = "inline-secret", "deep-secret", "abc"


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataLoader:
    """A project with an inline value and an encrypted file."""
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(SECRETS))
    vault = VaultLib(SECRETS)
    inline = vault.encrypt(INLINE).decode()
    lines = "".join(f"    {line}\n" for line in inline.splitlines())
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(f"inline: !vault |\n{lines}open: not-secret\n")
    (tmp_path / "host_vars").mkdir()
    told = {"deep": {"list": [DEEP, 12345, True, SHORT]}, "template": "{{ open }}"}
    (tmp_path / "host_vars" / "r1.yml").write_bytes(vault.encrypt(json.dumps(told)))
    (tmp_path / "hosts.yml").write_text("all: {hosts: {r1: {}, r2: {}}}")
    made = DataLoader()
    made.set_basedir(str(tmp_path))
    made.set_vault_secrets(SECRETS)
    return made


def variables(loader: DataLoader, host: str = "r1") -> dict[str, Any]:
    inventory = InventoryManager(loader, [f"{loader.get_basedir()}/hosts.yml"])
    manager = VariableManager(loader, inventory)
    found: dict[str, Any] = manager.get_vars(host=inventory.get_host(host))
    return found


def test_all_values_of_a_host_are_found(loader: DataLoader):
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem) == (True, "")
    assert {INLINE, DEEP, "12345"} <= set(vault.values_in(variables(loader)))
    assert {SHORT, "not-secret", "True"}.isdisjoint(vault.values_in(variables(loader)))
    assert vault.values_in(variables(loader, "r2")) == [INLINE]


def test_of_all_variables_only_those_of_the_host_itself(loader: DataLoader):
    deep = {"vars": variables(loader)["inline"], "hostvars": ["open"]}
    everything = {"deep": deep, "hostvars": {"r1": 1}, "vars": 2, "groups": {"all": ["r1"]}}
    assert own_variables(everything) == {"deep": deep}
    assert VaultValues(loader).values_in(own_variables(everything)) == [INLINE]


def test_what_a_template_passes_on_is_found(loader: DataLoader):
    found = variables(loader)
    from ansible.template import trust_as_template

    args = [{"args": {"word": trust_as_template("{{ inline }}"), "other": trust_as_template("{{ deep.list[0] }}")}}]
    filled = Templar(loader=loader, variables=found).template(args)
    assert set(VaultValues(loader).values_in(filled)) == {INLINE, DEEP}


def test_without_a_password_there_is_nothing_to_hide(loader: DataLoader):
    loader.set_vault_secrets(None)
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem) == (False, "")
    assert vault.values_in({"a": ["b"]}) == []


def test_a_value_that_cannot_be_decrypted_is_passed_over(loader: DataLoader, monkeypatch: pytest.MonkeyPatch):
    others = [("default", VaultSecret(b"another password"))]
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(others))
    assert VaultValues(loader).values_in(variables(loader, "r2")) == []


@pytest.mark.parametrize("missing", ["loader", "names"])
def test_an_ansible_with_other_names_is_told_of(loader: DataLoader, missing: str, monkeypatch: pytest.MonkeyPatch):
    if missing == "names":

        def other() -> None:
            raise ImportError

        monkeypatch.setattr(run_secrets, "_finder", other)
    else:
        del loader._vault
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem, vault.values_in(["x"])) == (False, UNKNOWN, [])


def test_what_holds_itself_ends(loader: DataLoader):
    data: dict[str, Any] = variables(loader)
    data["again"] = [data]
    assert INLINE in VaultValues(loader).values_in(data)
