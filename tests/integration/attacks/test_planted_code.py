# SPDX-License-Identifier: GPL-3.0-or-later

"""Code that somebody else has planted where a run passes by is not run: each planted file would say so."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from call_rack_recipes import Done, call, results, write_recipe, write_scriptlet
from ssh_hosts import Rack

HOSTS = ("r01", "r05")  # the oldest Python and the newest
CONFIG = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\nhost_key_checking = false\npipelining = true\n"
MODULES = (
    *("json", "secrets", "yaml", "os", "re", "select", "selectors", "signal", "socket", "random", "runpy", "zipimport"),
    *("gc", "marshal", "tempfile", "subprocess", "pwd", "uuid", "sitecustomize", "usercustomize"),
    *("ansible/__init__", "ansible_collections/__init__", "encodings/__init__", "rack_recipes/__init__"),
)
# Where the user's PYTHONPATH names the working folder, these are taken from there before the command begins.
BEFORE_THE_COMMAND = (
    *("re", "sitecustomize", "usercustomize", "encodings/__init__"),
    *("ansible_collections/__init__", "rack_recipes/__init__"),
)
PLANTED = "with open({seen!r}, 'a') as file:\n    file.write(__file__ + chr(10))\n"
PLANT = """\
#!/bin/sh
cp -R "$RACK_PARAM_FROM"/. .
echo '{"status": "ok"}'
"""
IMPORTS = """\
from rack_recipes import Scriptlet


class Imports(Scriptlet):
    \"\"\"Imports what nothing has imported before it.\"\"\"

    options = {"key": {"type": "str", "required": True}}
    writes = ("t.free_v1", "t.boxed_v1", "t.here_v1")

    def run(self, ctx, params):
        import random, runpy, secrets, selectors, uuid

        ctx.set(params["key"], len(secrets.token_hex(4)))
"""


def plant(folder: Path, seen: Path, *, without: tuple[str, ...] = ()) -> Path:
    """Put modules with the names of Python's, Ansible's and ours into a folder."""
    for name in MODULES:
        if name not in without:
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PLANTED.format(seen=str(seen)))
    return folder


@contextmanager
def project_in(folder: Path) -> Iterator[None]:
    """A project with two scriptlets, which is the working folder meanwhile."""
    (folder / "scriptlets/t").mkdir(parents=True)
    (folder / "ansible.cfg").write_text(CONFIG)
    write_scriptlet("t.plant", PLANT, "description: Plants\noptions: {from: {type: path}}\n", folder / "scriptlets")
    (folder / "scriptlets/t/imports.py").write_text(IMPORTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def hosts_in(folder: Path, rack: Rack) -> Path:
    """An inventory whose hosts log in to a planted folder."""
    lines = ["all:", "  hosts:"]
    for name in HOSTS:
        python = folder / f"python-of-{name}"
        home = shlex.quote(str(folder / "home"))
        python.write_text(f'#!/bin/sh\ncd {home} || exit\nexec {shlex.quote(str(rack.members[name].python))} "$@"\n')
        python.chmod(0o755)
        lines.append(f"    {name}: {{ansible_python_interpreter: {python}}}")
    path = folder / "inventory.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def recipe_of(planted: Path) -> str:
    imports = {"type": "python", "module": "t.imports", "depends_on": ["plant"]}
    boxed = {"args": {"key": "t.boxed_v1"}, "sandbox": {"write": [str(planted.parent)]}}
    return write_recipe(
        [
            {"name": "plant", "type": "shell", "module": "t.plant", "args": {"from": str(planted)}},
            {**imports, "name": "free", "args": {"key": "t.free_v1"}},
            {**imports, "name": "boxed", **boxed},
            {"name": "module", "type": "ansible", "module": "ansible.builtin.ping"},
            {**imports, "name": "here", "scope": "run", "args": {"key": "t.here_v1"}},
        ]
    )


class Passed(NamedTuple):
    """A run by folders in which others had planted code: how it ended, and which planted file was run."""

    done: Done
    verdicts: set[str]
    seen: list[str]


@pytest.fixture(
    scope="module",
    params=[pytest.param(":", id="empty PYTHONPATH"), pytest.param("", id="usual", marks=pytest.mark.repeats)],
)
def passed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, rack: Rack) -> Passed:
    """A run in a project, on hosts and with a temporary folder in which others have planted code."""
    folder = tmp_path_factory.mktemp("planted")
    seen = folder / "seen"
    seen.touch()
    env = {"PYTHONPATH": request.param} if request.param else {}
    for name in ("home", "tmp", "stage"):
        plant(folder / name, seen)
    with project_in(folder / "project"):
        plant(Path.cwd(), seen, without=BEFORE_THE_COMMAND if request.param else ())
        inventories = ("-i", rack.inventory, "-i", hosts_in(folder, rack), "--limit", ",".join(HOSTS))
        done = call(
            "rack-recipes", "run", recipe_of(folder / "stage"), *inventories, "--serve", TMPDIR=folder / "tmp", **env
        )
        called = seen.read_text().splitlines()
        seen.write_text("")
        verdicts = {row["verdict"] for row in results().steps.values()} if done.code in (0, 1) else set()
        return Passed(done, verdicts, called)


def test_no_process_of_a_run_imports_what_others_have_planted(passed: Passed):
    """The command, Ansible, the store writer, the server, hosts by ssh, steps in a sandbox, what a step leaves."""
    assert passed.seen == []
    assert passed.verdicts == {"passed"}, passed.done


WAYS = {
    "playbook": ("ansible-playbook", "rack.recipes.run", "-i", "localhost,", "-c", "local", "-e", "recipe=recipe.yml"),
    "dry run": ("rack-recipes", "run", "recipe.yml", "-i", "localhost,", "--dry-run"),
    "program": (sys.executable, "-P", "-c", "from rack_recipes import run_recipe\nrun_recipe('recipe.yml')"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_other_way_to_start_imports_it(way: str, tmp_path: Path):
    """What a playbook, a program and a command that asks for hosts start, is started as what the command starts."""
    seen = tmp_path / "seen"
    seen.touch()
    with project_in(tmp_path / "project"):
        imports = {"name": "imports", "module": "t.imports", "args": {"key": "t.free_v1"}}
        write_recipe([{**imports, "success": {"ctx_has_keys": ["t.free_v1"]}}])
        plant(Path.cwd(), seen)
        done = call(*WAYS[way])
    assert seen.read_text() == ""
    assert done.code == 0, done


@pytest.mark.parametrize("words", [("-v",), pytest.param((), marks=pytest.mark.repeats)])
def test_ansible_loads_nothing_from_a_folder_that_everybody_may_write_to(words: tuple[str, ...], tmp_path: Path):
    """Neither what its ansible.cfg names, which is refused, nor plugins for shells, which Ansible always looks for."""
    seen = tmp_path / "seen"
    seen.touch()
    with project_in(tmp_path / "project"):
        for kind in ("shell", "filter", "callback"):
            plant(Path(f"{kind}_plugins"), seen)
            Path(f"{kind}_plugins/sh.py").write_text(PLANTED.format(seen=str(seen)))
        Path("ansible.cfg").write_text(
            "[defaults]\nfilter_plugins = filter_plugins\ncallback_plugins = callback_plugins\n"
        )
        write_recipe([{"name": "module", "type": "ansible", "module": "ansible.builtin.ping"}])
        Path.cwd().chmod(0o777)
        refused = call("rack-recipes", "run", "recipe.yml", *words)
        Path("ansible.cfg").unlink()
        done = call("rack-recipes", "run", "recipe.yml", *words)
        verdicts = {row["verdict"] for row in results().steps.values()}
    assert seen.read_text() == ""
    assert (refused.code, "so Ansible ignores the ansible.cfg in it: chmod o-w" in refused.stderr) == (2, True), refused
    assert verdicts == {"passed"}, done


SAYS = """\
#!/bin/sh
printf '%s\\n' '{"status": "ok", "outputs": {"t.name_v1": "a; touch ran; $(touch ran) `touch ran`"}}'
"""


def test_a_command_of_a_host_is_text_in_the_forms_that_validate_names(tmp_path: Path):
    """The forms that it has a notice for run it."""
    lookup = "{{ lookup('rack.recipes.context', 't.name_v1') | quote }}"
    forms = {
        "word": ("ansible.builtin.command", {"argv": ["printf", "%s", "${t.name_v1}"]}),
        "quoted": ("ansible.builtin.shell", {"cmd": f"printf %s {lookup}"}),
        "bare": ("ansible.builtin.shell", {"cmd": "printf %s '' ${t.name_v1}"}),
    }
    with project_in(tmp_path / "project"):
        write_scriptlet("t.says", SAYS, "description: Says\nwrites: [t.name_v1]\n")
        steps = [{"name": "says", "type": "shell", "module": "t.says"}]
        for name, (module, args) in forms.items():
            place = {"chdir": str(tmp_path / name)}
            Path(place["chdir"]).mkdir()
            writes = {f"t.{name}_v1": "stdout"}
            steps.append(
                {"name": name, "type": "ansible", "module": module, "args": {**args, **place}, "writes": writes}
            )
        done = call("rack-recipes", "run", write_recipe(steps))
        found = results().context
    assert done.code == 1, done  # nothing is checked
    assert found["t.word_v1", "localhost"] == found["t.quoted_v1", "localhost"] == found["t.name_v1", "localhost"]
    assert {name: (tmp_path / name / "ran").exists() for name in forms} == {
        "word": False,
        "quoted": False,
        "bare": True,
    }
    assert done.stderr.count("the shell runs what ${t.name_v1} holds, too") == 1


def lock_differs(done: Done) -> str:
    """Why the lock file does not allow a run, in one line."""
    assert done.code == 2, done
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("way", ["command", pytest.param("compiled", marks=pytest.mark.repeats)])
def test_a_locked_run_loads_no_plugin_that_nobody_has_reviewed(way: str, tmp_path: Path):
    """Ansible loads plugins beside a playbook, and those that the environment names; a script is sent as it is."""
    seen = tmp_path / "seen"
    seen.touch()
    starts = {
        "command": ("rack-recipes", "run", "recipe.yml", "--locked"),
        "compiled": ("ansible-playbook", "-i", "localhost,", "-c", "local", "compiled.yml"),
    }
    with project_in(tmp_path / "project"):
        Path("ansible.cfg").write_text(f"{CONFIG}[rack_recipes]\nlocked = true\n")
        Path("files").mkdir()
        Path("files/hello.sh").write_text("#!/bin/sh\necho hello\n")
        sent = {"name": "sent", "type": "ansible", "module": "ansible.builtin.script"}
        write_recipe(
            [
                {**sent, "args": {"cmd": "hello.sh"}},
                {**sent, "name": "later", "args": {"cmd": "{{ 'other' }}.sh"}},
            ]
        )
        Path("compiled.yml").write_text(call("rack-recipes", "compile", "recipe.yml").stdout)
        assert call("rack-recipes", "lock", "recipe.yml").code == 0
        Path("files/other.sh").write_text(f"#!/bin/sh\necho other.sh >> {seen}\n")
        call(*starts[way])
        steps = {name: (row["verdict"], row["reason"]) for (name, _host), row in results().steps.items()}
        not_locked = "files/other.sh is not in the lock file of this run, which began without it"
        assert steps == {"sent": ("passed", ""), "later": ("error", not_locked)}
        Path("files/hello.sh").write_text(f"#!/bin/sh\necho hello.sh >> {seen}\n")
        script = "files/hello.sh (run by ansible.builtin.script) has changed: files/hello.sh"
        assert script in lock_differs(call(*starts[way]))
        assert call("rack-recipes", "lock").code == 0
        assert seen.read_text() == ""
        Path("filter_plugins").mkdir()
        Path("filter_plugins/json.py").write_text(PLANTED.format(seen=str(seen)))
        assert "plugin filter_plugins/json.py is not locked" in lock_differs(call(*starts[way]))
        Path("filter_plugins").rename(tmp_path / "elsewhere")
        done = call(*starts[way], ANSIBLE_FILTER_PLUGINS=tmp_path / "elsewhere")
        assert f"plugin {tmp_path}/elsewhere/json.py is not locked" in lock_differs(done)
        collection = Path("collections/ansible_collections/my/own/plugins/filter/f.py")
        collection.parent.mkdir(parents=True)
        collection.write_text(PLANTED.format(seen=str(seen)))
        said = lock_differs(call(*starts[way]))
        assert f"plugin {collection.parents[1]} is not locked" in said
    if way == "command":  # Ansible itself has loaded what is beside its playbook before anybody can look
        assert seen.read_text() == ""
