# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a task becomes, by Ansible's own rules for the become plugin that it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants, context
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import become_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import play, task
from rack_recipes.errors import TrustError
from rack_recipes.run.recorder.check_lock_and_policy import UNLIKE_A_NAME, BecomeUsers, become_users

METHOD = """\
DOCUMENTATION = '''
name: {name}
short_description: Its own
description: Its own.
options:
  become_user: {{description: A user, vars: [{{name: ansible_become_user}}, {{name: ansible_{name}_user}}]}}
'''
from ansible.plugins.become import BecomeBase

class BecomeModule(BecomeBase):
    name = "{name}"

    def build_become_command(self, cmd, shell):
        return cmd
"""


@pytest.fixture(autouse=True)
def _no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())


def becomes(said: dict[str, Any] | None = None, **keywords: Any) -> BecomeUsers:
    made = task(1)
    play(made)
    for name, value in {"become": True, **keywords}.items():
        setattr(made, name, value)
    variables = {f"ansible_{name}": value for name, value in (said or {}).items()}
    return become_users(made, variables, Templar(loader=DataLoader(), variables=variables).template)


@pytest.mark.parametrize(
    ("variables", "keywords", "user"),
    [
        ({}, {}, "root"),
        ({}, {"become": None}, ""),
        ({"become": False}, {}, ""),
        ({"become": "yes"}, {"become": False}, "root"),
        ({"become": trust_as_template("{{ 1 == 2 }}")}, {}, ""),
        ({}, {"become_user": "nobody"}, "nobody"),
        ({"become_user": "daemon"}, {"become_user": "nobody"}, "daemon"),
        ({"become_user": "nobody", "sudo_user": "daemon"}, {}, "daemon"),
        ({"sudo_user": "nobody", "become_user": "daemon"}, {}, "nobody"),
        ({"become_user": "nobody", "su_user": "daemon"}, {}, "nobody"),
        ({"become_user": "nobody", "su_user": "daemon", "become_method": "su"}, {}, "daemon"),
        ({"become_user": "nobody", "su_user": "daemon"}, {"become_method": "su"}, "daemon"),
        (
            {"become_user": "nobody", "runas_user": "NT AUTHORITY\\SYSTEM"},
            {"become_method": "runas"},
            "NT AUTHORITY\\SYSTEM",
        ),
        ({"become_user": trust_as_template("{{ ansible_other }}"), "other": "daemon"}, {}, "daemon"),
        ({"become_user": trust_as_template("{{ omit }}")}, {"become_user": "nobody"}, "nobody"),
        ({"become_user": ""}, {}, "root"),
        ({"become_method": "ansible.legacy.sudo", "sudo_user": "daemon"}, {}, "daemon"),
    ],
)
def test_the_plugin_that_is_used_is_asked(variables: dict[str, Any], keywords: dict[str, Any], user: str):
    assert becomes(variables, **keywords) == BecomeUsers(user)


def test_the_environment_and_ansible_cfg_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    configured(monkeypatch, tmp_path, "[sudo_become_plugin]\nuser = daemon\n")
    assert becomes() == BecomeUsers("daemon")
    monkeypatch.setenv("ANSIBLE_BECOME_USER", "nobody")
    monkeypatch.setenv("ANSIBLE_SUDO_USER", "games")
    assert becomes() == BecomeUsers("games")
    assert becomes(become_user="root") == BecomeUsers("root")


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    file = folder / "ansible.cfg"
    file.write_text(text)
    monkeypatch.setattr(constants.config, "_config_file", str(file))
    monkeypatch.setattr(constants, "CONFIG_FILE", str(file))


def test_a_method_of_somebody_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever its variables are called, as those of a collection's."""
    for name in ("hop", "own_doas"):
        (tmp_path / f"{name}.py").write_text(METHOD.format(name=name))
    monkeypatch.setattr(become_loader, "_extra_dirs", [str(tmp_path)])
    monkeypatch.setattr(become_loader, "_paths", None)
    assert becomes({"become_method": "hop", "become_user": "nobody", "hop_user": "daemon"}) == BecomeUsers("daemon")
    assert becomes({"become_method": "own_doas", "hop_user": "daemon"}) == BecomeUsers("root")
    assert becomes({"become_method": "own_doas", "become_flags": "-u games"}) == BecomeUsers("root")  # it knows none


@pytest.mark.parametrize("user", ["nobody -u daemon", "#0", "-1", "+0", "no body", "nobody;id", "$(id)"])
def test_what_is_no_plain_name_may_be_anybody(user: str):
    assert becomes({"become_user": user}) == BecomeUsers(user, UNLIKE_A_NAME)


@pytest.mark.parametrize(
    ("variables", "keywords", "option"),
    [
        ({"sudo_flags": "-u daemon"}, {}, "ansible_sudo_flags"),
        ({"become_flags": "-Hu daemon"}, {}, "ansible_become_flags"),
        ({"become_flags": "-H --user=daemon"}, {}, "ansible_become_flags"),
        ({"become_exe": "/tmp/sudo"}, {}, "ansible_become_exe"),
        ({"su_flags": "-l"}, {"become_method": "su"}, "ansible_su_flags"),
        ({}, {"become_flags": "-u daemon"}, "become_flags"),
        ({}, {"become_exe": trust_as_template("{{ 'sudo' }} -u daemon")}, "become_exe"),
    ],
)
def test_flags_and_a_program_may_make_it_anybody(variables: dict[str, Any], keywords: dict[str, Any], option: str):
    found = becomes({"become_user": "nobody", **variables}, **keywords)
    kind = "become_exe" if option.endswith("exe") else "become_flags"
    assert found == BecomeUsers("nobody", f"and {option} may make it another user: only ansible.cfg may set {kind}")


def test_flags_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANSIBLE_SUDO_FLAGS", "-u daemon")
    assert becomes().unsure.startswith("and ANSIBLE_SUDO_FLAGS may make it another user")


@pytest.mark.parametrize("flags", ["", "-H -S -n", "-i", "-HSn  -E "])
def test_flags_that_do_not(flags: str):
    assert becomes({"become_flags": flags, "become_exe": "sudo"}) == BecomeUsers("root")


def test_what_ansible_cfg_says_of_flags_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    configured(monkeypatch, tmp_path, "[privilege_escalation]\nbecome_flags = -u daemon\nbecome_exe = /opt/sudo\n")
    assert becomes() == BecomeUsers("root")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"become_method": "ansible.legacy.gone"}, "there is no become method 'ansible.legacy.gone'"),
        ({"become_method": "runas"}, "become_user"),
        ({"become_user": trust_as_template("{{ nothing }}")}, "'nothing' is undefined"),
        ({"become": trust_as_template("{{ nothing }}")}, "'nothing' is undefined"),
    ],
)
def test_where_nobody_can_tell(variables: dict[str, Any], said: str):
    with pytest.raises(TrustError) as caught:
        becomes(variables)
    assert str(caught.value).startswith("the policy needs to know whom a step becomes, and nobody can tell: ")
    assert said in str(caught.value)


def test_a_method_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "needy.py").write_text(f"import not_here\n{METHOD.format(name='needy')}")
    monkeypatch.setattr(become_loader, "_extra_dirs", [str(tmp_path)])
    monkeypatch.setattr(become_loader, "_paths", None)
    with pytest.raises(TrustError, match=r"whom a step becomes, and nobody can tell: .*not_here"):
        becomes({"become_method": "needy"})
