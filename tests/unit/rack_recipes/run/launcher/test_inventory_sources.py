# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from errno import EACCES
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.launcher.ansible_playbook import IS_AN_ERROR, unreadable_is_error

YES = {IS_AN_ERROR: "1"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an inventory, a folder of some, and one that has only variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", IS_AN_ERROR):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "racks.yml").touch()
    (tmp_path / "some").mkdir()
    (tmp_path / "some/racks.yml").touch()
    (tmp_path / "none/group_vars").mkdir(parents=True)
    (tmp_path / "none/.hidden").touch()
    return tmp_path


def test_what_cannot_be_read_is_an_error():
    assert unreadable_is_error(["h1,", "racks.yml", "~/racks.yml"]) == YES
    assert unreadable_is_error([]) == {}


def test_not_every_file_in_a_folder_is_an_inventory():
    assert unreadable_is_error(["h1,", "some"]) == {}
    assert unreadable_is_error(["~/some"]) == {}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["some", "zzz"], "there is no inventory 'zzz'"),
        (["some", "rack.ini"], "there is no inventory 'rack.ini' (did you mean 'racks.yml'?)"),
        (["some/rocks.yml"], "there is no inventory 'some/rocks.yml' (did you mean 'racks.yml'?)"),
        (["absent/racks.yml"], "there is no inventory 'absent/racks.yml'"),
        (["racks.yml", "none"], "the folder 'none' has no inventory: expected a file in it"),
    ],
)
def test_one_that_is_not_there_is_an_error_also_beside_others(given: list[str], error: str):
    with pytest.raises(UsageError, match=f"^{re.escape(error)}$"):
        unreadable_is_error(given)


def test_those_of_ansible_s_settings_count_too(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "etc").mkdir()
    (folder / "etc/mine.cfg").write_text("[defaults]\ninventory = ../racks.yml, ../some\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", "etc/mine.cfg")
    assert unreadable_is_error([]) == {}
    (folder / "etc/mine.cfg").write_text("[defaults]\ninventory = ../racks.yml, {{CWD}}/racks.yml\n")
    assert unreadable_is_error([]) == YES
    monkeypatch.setenv("ANSIBLE_INVENTORY", "racks.yml,lost.yml")
    with pytest.raises(UsageError, match=r"there is no inventory .lost\.yml"):
        unreadable_is_error([])
    assert unreadable_is_error(["racks.yml"]) == YES


def test_ansible_s_own_setting_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(IS_AN_ERROR, "false")
    assert unreadable_is_error(["zzz"]) == {}
    monkeypatch.delenv(IS_AN_ERROR)
    (folder / "ansible.cfg").write_text("[inventory]\nany_unparsed_is_failed = false\n")
    assert unreadable_is_error(["zzz"]) == {}


def test_what_may_not_be_looked_at_is_an_error(monkeypatch: pytest.MonkeyPatch):
    def refused(_path: Path) -> None:
        raise PermissionError(EACCES, os.strerror(EACCES))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UsageError, match=r"^the inventory 'some' cannot be read: Permission denied$"):
        unreadable_is_error(["racks.yml", "some"])
