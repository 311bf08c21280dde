# SPDX-License-Identifier: GPL-3.0-or-later

"""Untrusted code is not run, however the run is started. Trusted code cannot be exchanged while a run goes on."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from own_project import own_project

from call_rack_recipes import COMMAND, call, environment, rack_recipes, results, run_recipe, shell, write_recipe

ME = pwd.getpwuid(os.getuid()).pw_name
RUNS = Path(".rack-recipes/runs")
HOSTS = ("leaf1", "leaf2", "spine1")
INVENTORY = """\
all:
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  children: {leafs: {hosts: {leaf1: {}, leaf2: {}}}, spines: {hosts: {spine1: {}}}}
"""
WAYS = ("command", "playbook", "compiled")
DEADLINE = 60.0
TRIES = """\
#!/bin/sh
try() { "$@" >/dev/null 2>&1 && echo yes || echo no; }
wrote=$(try sh -c "echo x >>$RACK_PARAM_FOLDER/open")
made=$(try touch "$RACK_PARAM_FOLDER/new")
read=$(try cat "$RACK_PARAM_FOLDER/closed")
printf '{"status": "ok", "outputs": {"t.%s_tries_v1": "%s %s %s"}}\n' "$(id -un)" "$wrote" "$made" "$read"
"""
PROBE = """\
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}).exit_json(said=1)
"""


@pytest.fixture
def rack_of_three(steps: Path) -> Path:
    (steps / "inventory.yml").write_text(INVENTORY)
    return steps


def started(way: str, recipe: str, *words: str) -> tuple[int, str]:
    """Run a recipe by the command, as `rack.recipes.run`, or as the playbook that it was compiled to before."""
    if way == "command":
        done = run_recipe(recipe, *words, on="inventory.yml")
    elif way == "playbook":
        done = call("ansible-playbook", "-i", "inventory.yml", "rack.recipes.run", "-e", f"recipe={recipe}", *words)
    else:
        done = call("ansible-playbook", "-i", "inventory.yml", "compiled.yml", *words)
    return done.code, done.stdout + done.stderr


def compiled(recipe: str) -> str:
    Path("compiled.yml").write_text(rack_recipes("compile", recipe).stdout)
    return recipe


def configure(*lines: str) -> None:
    with Path("ansible.cfg").open("a") as file:
        file.write("\n".join(["", "[rack_recipes]", *lines, ""]))


class Ended(NamedTuple):
    """How a run ended, and what there was then."""

    code: int
    said: str
    folders: set[Path]
    journals: int


class Tried(NamedTuple):
    """Three runs: of a host too many, of the hosts that are allowed, and of what had changed since."""

    too_many: Ended
    allowed: Ended
    changed: Ended
    has_run: bool  # what was changed


@pytest.fixture(scope="module", params=WAYS)
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Three runs in a project of their own, which has a lock file and a policy."""
    way, folder = request.param, tmp_path_factory.mktemp("tried")
    with own_project(folder, settings="library = library\n"):
        recipe = recipe_with_module()
        if way == "compiled":
            compiled(recipe)
        assert rack_recipes("lock", recipe).code == 0
        allowed = f"users: [{ME}], may: [run], scriptlets: [t.*, ansible.legacy.probe], hosts: [leafs]"
        Path("policy.yml").write_text(f"rules:\n  - {{{allowed}}}\n")
        configure("locked = true", "policy = policy.yml")
        ended = [ended_as(way, recipe), ended_as(way, recipe, "--limit", "leafs")]
        with Path("scriptlets/t/ok.sh").open("a") as file:
            file.write(f"touch {folder}/ran\n")
        Path("library/probe.py").write_text(PROBE + f"open('{folder}/ran', 'w')\n")
        unlocked = () if way == "command" else ("-e", "rack_recipes_locked=false")
        ended.append(ended_as(way, recipe, "--limit", "leafs", *unlocked))
        return Tried(*ended, Path("ran").exists())


def recipe_with_module() -> str:
    """Write a recipe with a scriptlet and a module of the project's own."""
    Path("inventory.yml").write_text(INVENTORY)
    Path("library").mkdir()
    Path("library/probe.py").write_text(PROBE)
    probe = {"name": "probe", "type": "ansible", "module": "ansible.legacy.probe", "success": "none"}
    return write_recipe([shell("ok"), probe])


def ended_as(way: str, recipe: str, *words: str) -> Ended:
    code, said = started(way, recipe, *words)
    folders = {*RUNS.iterdir()} if RUNS.exists() else set()
    return Ended(code, " ".join(said.split()), folders, len([*RUNS.glob("*/journal.jsonl")]))


def test_a_policy_holds_whichever_way_a_run_is_started(tried: Tried):
    assert tried.too_many.code == 2
    assert f"policy.yml:2: {ME} may not run recipe.yml on spine1" in tried.too_many.said
    assert tried.too_many.journals == 0
    assert tried.allowed.code == 0, tried.allowed.said


def test_a_changed_scriptlet_is_refused_whichever_way_it_is_started(tried: Tried):
    assert tried.allowed.code == 0, tried.allowed.said
    assert tried.changed.code == 2
    assert "scriptlet t.ok (shell) has changed: scriptlets/t/ok.sh" in tried.changed.said
    assert "rack-recipes lock recipe.yml" in tried.changed.said
    assert tried.changed.folders == tried.allowed.folders
    assert not tried.has_run


def test_a_changed_module_of_the_project_is_refused_whichever_way_it_is_started(tried: Tried):
    """Beside a playbook Ansible finds it even where ansible.cfg does not name its folder."""
    assert tried.allowed.journals == 1, tried.allowed.said
    assert tried.changed.code == 2
    assert "module ansible.legacy.probe has changed: library/probe.py" in tried.changed.said
    assert tried.changed.journals == 1
    assert not tried.has_run


def test_a_changed_recipe_is_refused_and_locked_anew(rack_of_three: Path):
    recipe = write_recipe([shell("ok")])
    assert run_recipe(recipe, "--locked").code == 2
    assert rack_recipes("lock", recipe).code == 0
    write_recipe([shell("ok"), shell("echo", args={"value": 1})])
    done = run_recipe(recipe, "--locked")
    assert done.code == 2
    assert "recipe recipe.yml has changed: recipe.yml; scriptlet t.echo (shell) is not locked" in done.stderr
    assert not RUNS.exists()
    assert rack_recipes("lock", "--check").code == 1
    assert rack_recipes("lock").code == 0
    assert rack_recipes("lock", "--check").code == 0
    assert run_recipe(recipe, "--locked").code == 0


def test_a_scriptlet_that_changes_while_a_run_goes_on_is_not_run(rack_of_three: Path):
    """Its stage is sent when it is its turn, which may be hours later."""
    recipe = write_recipe(
        [
            shell("gate", args={"path": str(rack_of_three / "open")}),
            shell("ok", scope="run", depends_on=["gate"]),
            shell("echo", args={"value": 1}, depends_on=["ok"]),
        ]
    )
    assert rack_recipes("lock", recipe).code == 0
    command = [sys.executable, "-c", COMMAND, "run", recipe, "--locked", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as run:
        wait_for_journal()
        with Path("scriptlets/t/echo.sh").open("a") as file:
            file.write(f"touch {rack_of_three}/ran\n")
        Path("open").touch()
        run.communicate(timeout=DEADLINE * 2)
    assert run.returncode == 1
    found = results().steps
    assert found["ok", ""]["verdict"] == "passed"
    (last,) = [row for (step, _host), row in found.items() if step == "echo"]
    said = "scriptlets/t/echo.sh has changed since this run began, and the lock file does not allow it"
    assert (last["verdict"], said in last["reason"]) == ("error", True), last["reason"]
    assert not Path("ran").exists()


def wait_for_journal() -> None:
    end = time.monotonic() + DEADLINE
    while not [path for path in RUNS.glob("*/journal.jsonl") if path.stat().st_size]:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "words",
    [
        ("--become",),
        pytest.param(("-e", "ansible_become=true"), marks=pytest.mark.repeats),
        pytest.param(("-e", '{"ansible_become": true}'), marks=pytest.mark.repeats),
        ("-e", "@vars.yml"),
    ],
)
def test_no_option_gets_around_a_policy_about_become(words: tuple[str, ...], rack_of_three: Path):
    recipe = compiled(write_recipe([shell("ok")]))
    Path("vars.yml").write_text("ansible_become: yes\nrack_recipes_policy: ''\n")
    Path("policy.yml").write_text(f"rules:\n  - {{users: [{ME}], may: [run]}}\n")
    configure("policy = policy.yml")
    code, said = started("compiled", recipe, *words)
    assert code == 2
    assert f"policy.yml:2: {ME} may not run recipe.yml with become" in " ".join(said.split())
    assert not RUNS.exists()


AS_DAEMON = ("-e", "ansible_sudo_user=daemon"), "with become as daemon"
AS_DAEMON_BY_SU = ("-e", "ansible_become_method=ansible.builtin.su", "-e", "ansible_su_user=daemon"), AS_DAEMON[1]
FLAGS = ("-e", '{"ansible_sudo_flags": "-u daemon"}'), "with become as nobody, and ansible_sudo_flags may make it"


@pytest.mark.parametrize(
    ("way", "words", "said"),
    [
        ("command", *AS_DAEMON),
        ("compiled", *AS_DAEMON_BY_SU),
        ("command", *FLAGS),
        pytest.param("compiled", *AS_DAEMON, marks=pytest.mark.repeats),
        pytest.param("command", *AS_DAEMON_BY_SU, marks=pytest.mark.repeats),
        pytest.param("compiled", *FLAGS, marks=pytest.mark.repeats),
    ],
)
def test_no_variable_makes_it_another_user(way: str, words: tuple[str, ...], said: str, rack_of_three: Path):
    recipe = write_recipe([shell("ok")])
    if way == "compiled":
        compiled(recipe)
    Path("policy.yml").write_text(f"rules:\n  - {{users: [{ME}], may: [run], become: [nobody]}}\n")
    configure("policy = policy.yml")
    code, told = started(way, recipe, "-e", "ansible_become=true", "-e", "ansible_become_user=nobody", *words)
    assert code == 2
    assert f"policy.yml:2: {ME} may not run recipe.yml {said}" in " ".join(told.split())
    assert not [*RUNS.glob("*/journal.jsonl")]


def test_a_module_needs_to_be_allowed_as_a_scriptlet_does(rack_of_three: Path):
    recipe = write_recipe(
        [{"name": "say", "type": "ansible", "module": "ansible.builtin.command", "args": {"cmd": "id"}}]
    )
    Path("policy.yml").write_text(f"rules:\n  - {{users: [{ME}], may: [run], scriptlets: [t.*]}}\n")
    configure("policy = policy.yml")
    done = run_recipe(recipe)
    assert done.code == 2
    assert done.stderr == f"policy.yml:2: {ME} may not run ansible.builtin.command in recipe.yml\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user without a password")
def test_a_step_that_becomes_nobody_cannot_write_what_is_another_s(rack_of_three: Path):
    script = Path("scriptlets/t/tries.sh")
    script.write_text(TRIES)
    script.with_suffix(".yml").write_text(
        "description: Tries\nwrites: [t.nobody_tries_v1, t.root_tries_v1]\noptions: {folder: {type: str}}\n"
    )
    with private_folder() as folder:
        args = {"folder": str(folder)}
        first = shell("first", "tries", args=args, become="nobody")
        then = shell("then", "tries", args=args, become="root", depends_on=["first"])
        done = run_recipe([first, then])
        assert done.code == 1, done.stderr  # nothing is checked
        found = results().context
        assert found["t.nobody_tries_v1", "localhost"] == "no no no"
        assert found["t.root_tries_v1", "localhost"] == "yes yes yes"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of root's that others may enter, with a file that they may read, and one that they may not."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    for name, mode in (("open", 0o644), ("closed", 0o600)):
        (folder / name).write_text("text\n")
        (folder / name).chmod(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_a_policy_guards_the_keys_of_a_run(rack_of_three: Path):
    """Declared keys are checked before a run, others when they arrive."""
    (rack_of_three / "scriptlets/t/sets.sh").write_text(
        """#!/bin/sh\necho '{"status": "ok", "outputs": {"t.open_v1": 1, "power.limit_v1": 2}}'\n"""
    )
    declared = "description: Sets keys\nreads: []\nwrites: [t.open_v1{}]\n"
    sidecar, recipe = rack_of_three / "scriptlets/t/sets.yml", write_recipe([shell("sets", scope="run")])
    rules = f"rules:\n  - {{users: [{ME}], may: [run]}}\n  - {{users: [{ME}], may: [write], keys: ['t.*']}}\n"
    Path("policy.yml").write_text(rules)
    configure("policy = policy.yml")
    sidecar.write_text(declared.format(", power.limit_v1"))
    code, said = started("command", recipe)
    refusal = f"policy.yml: {ME} may not write power.limit_v1: no rule says that they may"
    assert (code, f"{refusal} (a key of t.sets)" in " ".join(said.split())) == (2, True)
    sidecar.write_text(declared.format(""))
    code, said = started("command", recipe)
    assert code == 1, said
    found = results()
    assert found.steps["sets", ""]["verdict"] == "error"
    assert found.steps["sets", ""]["reason"] == refusal
    assert {key for key, _host in found.context} == {"t.open_v1"}
