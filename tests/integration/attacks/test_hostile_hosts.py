# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that were taken over answer whatever they like: their own steps are errors, and nobody else notices."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import Done, Results, rack_recipes, results, run_recipe, write_inventory
from ssh_hosts import Rack

HERE = Path(__file__).parent
LIES = yaml.safe_load((HERE / "cases" / "lying_hosts.yml").read_text())
SEEDS, TOGETHER = 100, 10  # answers that are changed by chance, and how many of these are in one run
FORMATS = [word for name in ("html", "json", "md", "junit") for word in ("--format", name)]
SAYS = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
class Says(Scriptlet):
    writes = ("t.said_v1", "t.run_v1")
    def run(self, ctx, params):
        ctx.set("t.said_v1", {"a": [1, "b"]})
        ctx.set("t.run_v1", 7, scope="run")
        ctx.measure("speed", 12.5, "Gbit/s")
        ctx.check("errors", 3, max=5)
        ctx.attach("a.log", b"content")
"""
RECIPE = {
    "test_meta": {"test_id": "T-1"},
    "steps": [{"name": "say", "module": "t.says", "success": {"ctx_has_keys": ["t.said_v1"]}, "tags": ["x"]}],
}


@pytest.fixture
def lying(project: Path) -> Path:
    """A project whose one step leaves a record of each kind."""
    (project / "scriptlets" / "t").mkdir(parents=True)
    (project / "scriptlets" / "t" / "says.py").write_text(SAYS)
    (project / "recipe.yml").write_text(json.dumps(RECIPE))
    return project


def inventory(rack: Rack, lies: Mapping[str, Any]) -> Path:
    """An inventory of a host for each lie, and one that is honest. They share the members of the rack."""
    hosts = {"honest": rack.variables("r01")}
    for number, (name, changes) in enumerate(lies.items()):
        member = rack.hosts[1 + number % (len(rack.hosts) - 1)]
        case, python = Path(f"{name}.json").absolute(), Path(f"{name}.sh").absolute()
        case.write_text(json.dumps(changes))
        known = rack.variables(member)
        command = [sys.executable, HERE / "lying_python.py", case, known["ansible_python_interpreter"]]
        python.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
        python.chmod(0o755)
        hosts[name] = {**known, "ansible_python_interpreter": str(python)}
    path = Path("inventory.yml")
    path.write_text(json.dumps({"all": {"hosts": hosts}}))
    return path


def ran(rack: Rack, lies: Mapping[str, Any]) -> tuple[Done, Results]:
    """A run with these lies, after an honest one, and all that shows it."""
    assert run_recipe("recipe.yml", on=inventory(rack, {})).code == 0
    before = results()
    done = run_recipe("recipe.yml", on=inventory(rack, lies), ANSIBLE_FORKS=20, RACK_RECIPES_RECONNECT_TIMEOUT=8)
    found = results()
    told = [done.stdout + done.stderr, *shown(before.run["run_id"], found.run["run_id"])]
    for text in told:
        assert "Traceback" not in text, text[-8000:]
    assert done.code in (1, 3), told[0]
    assert found.steps["say", "honest"]["verdict"] == "passed"
    assert found.context["t.said_v1", "honest"] == {"a": [1, "b"]}
    assert len([host for _step, host in found.steps]) == len(lies) + 1
    return done, found


def shown(before: str, run: str) -> Iterable[str]:
    """What all commands that show the run write."""
    commands = (
        ("show", run),
        ("show", run, "--json"),
        ("report", run, *FORMATS, "--to", "reports"),
        ("diff", before, run),
        ("ctx", "show", run),
        ("ctx", "diff", before, run),
        ("export", run),
        ("analyse", run),
    )
    for command in commands:
        done = rack_recipes(*command)
        assert done.code in (0, 1), (command, done.stderr)
        yield done.stdout + done.stderr


def by_chance(first: int) -> dict[str, Any]:
    """Answers that are changed by chance."""
    return {f"seed{number}": [{"seed": number}] for number in range(first, first + TOGETHER)}


def test_what_no_step_sends_is_an_error_of_its_step_alone(lying: Path, rack: Rack):
    _done, found = ran(rack, {name: lie["changes"] for name, lie in LIES.items()} | by_chance(0))
    for name, lie in LIES.items():
        step = found.steps["say", name]
        assert step["verdict"] == lie.get("verdict", "error"), (name, step["reason"])
        assert lie.get("says", "") in (step["reason"] or ""), name


HIDES = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
class Hides(Scriptlet):
    writes = ()
    def run(self, ctx, params):
        if ctx.host == "liar":
            ctx.secret(["passed", "pass", "honest", "said", "t.", "a", "step", "real-secret-word"])
"""
TELLS = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
class Tells(Scriptlet):
    writes = ("t.said_v1",)
    def run(self, ctx, params):
        ctx.set("t.said_v1", "this step passed on honest: a real-secret-word")
"""


def test_no_host_hides_the_words_of_the_run(lying: Path, rack: Rack):
    """A host may register anything as a secret, which all hosts hide then; but not what the run itself shows."""
    Path("scriptlets/t/hides.py").write_text(HIDES)
    Path("scriptlets/t/tells.py").write_text(TELLS)
    ask = {"name": "ask", "type": "ansible", "module": "ansible.builtin.ping", "success": "none"}
    steps = [{"name": name, "module": f"t.{name}", "success": "none"} for name in ("hides", "tells")]
    Path("words.yml").write_text(json.dumps({"test_meta": {"test_id": "T-2"}, "steps": [steps[0], ask, steps[1]]}))
    hosts = {"honest": rack.variables("r01"), "liar": rack.variables("r02")}
    write_inventory(hosts)
    done = run_recipe("words.yml", on="inventory.yml")
    found = results()
    assert found.verdicts() == {(name, host): "passed" for name in ("hides", "ask", "tells") for host in hosts}, done
    assert found.context["t.said_v1", "honest"] == "this step passed on honest: a ********"
    [journal] = Path(".rack-recipes/runs").glob("*/journal.jsonl")
    assert "5 of the texts that liar has registered as secret are shorter than 4 characters, or" in journal.read_text()
    assert "********" not in done.stdout


@pytest.mark.repeats  # the first of these are among the lies above
@pytest.mark.parametrize("first", range(TOGETHER, SEEDS, TOGETHER))
def test_whatever_a_host_answers_the_run_goes_on(lying: Path, rack: Rack, first: int):
    ran(rack, by_chance(first))
