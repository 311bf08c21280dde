# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plays of a run are about to do, and that nothing is begun which the policy or the lock file refuses."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible import constants, context
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import become_loader, module_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import (
    ABOUT,
    an_inventory,
    means,
    play,
    task,
)
from rack_recipes.errors import TrustError
from rack_recipes.run.host import project_files
from rack_recipes.run.recorder.begin_run import begin_run
from rack_recipes.run.recorder.check_lock_and_policy import (
    UNLIKE_A_NAME,
    BecomeUsers,
    Compiled,
    become_users,
    trust_request_of,
)
from rack_recipes.run.recorder.play_outline import outline
from rack_recipes.run.trust.trust_request import TrustRequest, Use
from rack_recipes.settings import Settings

GUARDED = Settings(policy="policy.yml")
ME = pwd.getpwuid(os.getuid()).pw_name
ALL = ("r1", "r2", "r3")
DISK = {"name": "disk", "module": "scriptlets.disk.usage", "type": "shell"}
PING = {"name": "ping", "module": "ping", "type": "ansible"}
HOOKED = {**ABOUT, "hooks": {"pre_step": [{"module": "link.errors"}]}}


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    yield
    project_files.pin(None)


def becoming(made: Any, user: str | None = None) -> Any:
    made.become, made.become_user = True, user
    return made


def asked(*plays: Any, settings: Settings | None = None, about: Any = None, **extra_vars: Any) -> TrustRequest:
    found = means(an_inventory(**extra_vars))
    compiled = Compiled(plays, outline(plays, found.resolve), about or ABOUT, ())
    return trust_request_of(compiled, settings or GUARDED, found)


def test_what_runs_where():
    found = asked(play(task(1, DISK, {**PING, "hosts": "odd"}), task(2, {**DISK, "name": "total", "scope": "run"})))
    assert found.uses == (
        Use("disk.usage", "", (*ALL, "localhost")),
        Use("ansible.builtin.ping", "", ("r1", "r3")),
    )
    assert (found.action, found.recipe, found.digest) == ("run", "r.yml", "sha256:0")
    assert [entry.name for entry in found.entries] == ["disk.usage"]
    assert found.modules == ("ansible.builtin.ping",)


def test_hooks_run_wherever_a_step_does():
    found = asked(play(becoming(task(1, DISK)), about=HOOKED), about=HOOKED)
    assert found.uses == (Use("disk.usage", "root", ALL), Use("link.errors", "root", ALL))
    assert [entry.name for entry in found.entries] == ["disk.usage", "link.errors"]


@pytest.mark.parametrize(
    ("user", "extra", "become"),
    [
        (None, {}, "root"),
        ("postgres", {}, "postgres"),
        (trust_as_template("{{ who }}"), {"who": "oracle"}, "oracle"),
        (None, {"ansible_become": False}, ""),
        (None, {"ansible_become": "no"}, ""),
        ("postgres", {"ansible_become_user": "oracle"}, "oracle"),
        ("postgres", {"ansible_sudo_user": "oracle"}, "oracle"),
        (None, {"ansible_become_user": "nobody", "ansible_sudo_user": "oracle"}, "oracle"),
    ],
)
def test_whom_a_task_becomes(user: str | None, extra: dict[str, Any], become: str):
    made = play(becoming(task(1, DISK), user))
    assert asked(made, **extra).uses == (Use("disk.usage", become, ALL),)
    assert asked(made, settings=Settings(locked=True), **extra).uses == (Use("disk.usage", "", ALL),)


def test_variables_can_make_every_task_become():
    """Whatever the recipe says: so a variable is no way around a policy."""
    for variables in ({"ansible_become": True}, {"ansible_become": "yes", "ansible_become_user": "root"}):
        assert asked(play(task(1, DISK)), **variables).uses == (Use("disk.usage", "root", ALL),)
        total = {**DISK, "scope": "run"}
        assert asked(play(task(1, total)), **variables).uses == (Use("disk.usage", "root", ("localhost",)),)
    variables = an_inventory()
    variables._inventory.get_host("r2").set_variable("ansible_become", True)
    made = play(task(1, DISK), variables=variables)
    found = means(variables)
    uses = trust_request_of(Compiled([made], outline([made], found.resolve), ABOUT, ()), GUARDED, found).uses
    assert uses == (Use("disk.usage", "", ("r1", "r3")), Use("disk.usage", "root", ("r2",)))


def of_inventory(variables: Any, *made: Any) -> tuple[Use, ...]:
    found = means(variables)
    return trust_request_of(Compiled(made, outline(made, found.resolve), ABOUT, ()), GUARDED, found).uses


def test_a_variable_of_the_host_that_it_is_delegated_to_counts():
    """What runs once for the run has those of all hosts, too; a playbook of one's own may name any host."""
    variables = an_inventory()
    variables._inventory.groups["all"].set_variable("ansible_become", True)
    variables._inventory.get_host("r2").set_variable("ansible_sudo_user", trust_as_template("{{ inventory_hostname }}"))
    total = {**DISK, "scope": "run"}
    assert of_inventory(variables, play(task(1, total))) == (Use("disk.usage", "root", ("localhost",)),)
    made = task(1, DISK)
    made.delegate_to = trust_as_template("{{ 'r' ~ 2 }}")
    assert of_inventory(variables, play(made, hosts="r1")) == (Use("disk.usage", "r2", ("r2",)),)
    made.delegate_to = "unknown"
    assert of_inventory(variables, play(made, hosts="r1")) == (Use("disk.usage", "root", ("unknown",)),)
    made.delegate_to = trust_as_template("{{ gone }}")
    assert of_inventory(variables, play(made, hosts="r1")) == (Use("disk.usage", "root", ("{{ gone }}",)),)
    made.delegate_to = trust_as_template("{{ gone | default(omit) }}")
    assert of_inventory(variables, play(made, hosts="r1")) == (Use("disk.usage", "root", ("r1",)),)


def test_what_a_policy_was_asked_about_is_kept_for_the_stages():
    made = task(1, DISK)
    made.delegate_to = trust_as_template("{{ 'r' ~ 2 }}")
    found = means(an_inventory())
    for settings, judged in ((Settings(locked=True), {}), (GUARDED, {(1, "r1"): "r2", (1, "r3"): "r2"})):
        planned = outline([play(made, hosts="odd")], found.resolve)
        trust_request_of(Compiled([play(made, hosts="odd")], planned, ABOUT, ()), settings, found)
        assert planned.judged == judged


def test_variables_of_a_task_and_of_its_play_count():
    first, second = task(1, DISK), task(2, {**DISK, "name": "again"})
    second.vars = {"ansible_become_user": "nobody"}
    plays = play(first), play(second)
    plays[1].vars = {**plays[1].vars, "ansible_become": True, "ansible_sudo_user": "daemon"}
    assert asked(*plays).uses == (Use("disk.usage", "", ALL), Use("disk.usage", "daemon", ALL))
    assert asked(*plays, ansible_sudo_user="nobody").uses[1].become == "nobody"


def test_what_debug_has_made_is_debugging():
    about = {**ABOUT, "path": ".rack-recipes/debug/usage.yml"}
    assert asked(play(task(1, DISK)), about=about).action == "debug"
    assert asked(play(task(1, DISK)), about={**about, "path": ".rack-recipes/debug/../usage.yml"}).action == "run"


def policy(*rules: str) -> Settings:
    lines = "".join(f"  - {{users: ['*'], {rule}}}\n" for rule in rules)
    Path("policy.yml").write_text(f"rules:\n{lines}")
    return Settings(policy="policy.yml")


def refusal(made: Any, settings: Settings) -> str:
    with pytest.raises(TrustError) as caught:
        begin_run([made], settings, means())
    assert not Path(".rack-recipes/runs").exists()
    return str(caught.value)


def test_hosts_are_known_when_a_run_begins():
    settings = policy("may: [run], recipes: ['*.yml'], hosts: [odd]")
    assert refusal(play(task(1, DISK)), settings) == f"policy.yml:2: {ME} may not run r.yml on r2"
    assert begin_run([play(task(1, DISK), hosts="odd")], settings, means())


def test_what_runs_once_for_the_run_runs_on_the_controller():
    total = {**DISK, "scope": "run"}
    said = f"policy.yml:2: {ME} may not run r.yml on localhost"
    assert refusal(play(task(1, total)), policy("may: [run], hosts: [all]")) == said
    assert begin_run([play(task(1, total))], policy("may: [run], hosts: [localhost]"), means())


def test_no_variable_gets_around_a_policy_about_become():
    settings = policy("may: [run], become: [nobody]")
    made = becoming(task(1, DISK))
    for name in ("ansible_become_user", "ansible_sudo_user"):
        made.vars = {"ansible_become_user": "nobody", name: "daemon"}
        said = f"policy.yml:2: {ME} may not run r.yml with become as daemon"
        assert refusal(play(made), settings) == said
    made.vars = {"ansible_become_user": "nobody", "ansible_sudo_flags": "-u daemon"}
    assert refusal(play(made), settings) == (
        f"policy.yml:2: {ME} may not run r.yml with become as nobody, "
        "and ansible_sudo_flags may make it another user: only ansible.cfg may set become_flags"
    )
    assert "with become as nobody, and ansible_sudo_flags" in refusal(
        play(made), policy("may: [run], become: true", "may_not: [run], become: [root]")
    )
    assert begin_run([play(made)], policy("may: [run], become: true"), means())


def test_whom_a_task_becomes_has_to_be_known():
    made = becoming(task(1, DISK))
    made.vars = {"ansible_become_user": trust_as_template("{{ unknown }}")}
    assert refusal(play(made), policy("may: [run], become: [nobody]")).startswith(
        "the policy needs to know whom a step becomes, and nobody can tell: "
    )
    assert begin_run([play(made)], Settings(), means())


def test_a_module_of_the_project_does_not_count_as_ansible_core_s(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module_loader, "config", [str(Path("library").absolute())])
    monkeypatch.setattr(module_loader, "_paths", None)
    Path("library").mkdir()
    Path("library/command.py").touch()
    settings = policy("may: [run], scriptlets: ['ansible.builtin.*']")
    said = f"policy.yml:2: {ME} may not run ansible.legacy.command in r.yml"
    for name in ("ansible.legacy.command", "ansible.builtin.shell"):
        assert refusal(play(task(1, {**PING, "module": name})), settings) == said
    Path("library/command.py").unlink()
    assert begin_run([play(task(1, {**PING, "module": "ansible.legacy.command"}))], settings, means())


def test_a_playbook_that_was_compiled_elsewhere_is_looked_at_as_it_is():
    settings = policy("may: [run], scriptlets: ['disk.*']")
    assert refusal(play(becoming(task(1, DISK))), settings) == f"policy.yml:2: {ME} may not run r.yml with become"
    assert refusal(play(task(1, DISK, PING)), settings) == (
        f"policy.yml:2: {ME} may not run ansible.builtin.ping in r.yml"
    )
    assert refusal(play(task(1, DISK), about=HOOKED), settings).endswith("may not run link.errors in r.yml")


def test_a_locked_run_needs_its_lock_file():
    made = play(task(1, DISK))
    assert refusal(made, Settings(locked=True)).startswith("there is no rack-recipes.lock in ")
    assert begin_run([made], Settings(), means())
    assert project_files._HOLDER.pins is None


def test_a_run_without_either_pays_nothing(monkeypatch: pytest.MonkeyPatch):
    """Not even for looking up its scriptlets."""
    assert begin_run([play(task(1, {"name": "a", "module": "gone"}))], Settings(), means())


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
