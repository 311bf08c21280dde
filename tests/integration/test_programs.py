# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes and scriptlets from a program: the public names, as a notebook uses them, and the proposal's own tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rack_recipes
from call_rack_recipes import call
from rack_recipes import Context, RackError, run_recipe, run_scriptlet
from ssh_hosts import Rack

CASES = Path(__file__).parent / "cases"
PLUGIN = "rack_recipes.programs.pytest_plugin.plugin"
INVENTORY = """\
all:
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  hosts: {leaf1: {}, leaf2: {}}
"""
OWN = """\
from rack_recipes import ContextView, Failed, Scriptlet, Skipped, run_program


class Own(Scriptlet):
    options = {"limit": {"type": "int", "default": 3}, "wait": {"type": "float", "default": 0}}
    reads = ("own.before_v1",)
    writes = ("own.sum_v1",)

    def run(self, ctx: ContextView, params):
        run_program(["sleep", str(params["wait"])])
        total = ctx.get("own.before_v1", 0) + int(run_program(["printf", "2"]))
        if total > 90:
            raise Skipped("too much")
        if total > params["limit"]:
            raise Failed(f"{total} is too much")
        ctx.set("own.sum_v1", total)
        ctx.check("sum", total, "ports", min=1)
"""


@pytest.fixture
def own(project: Path) -> Path:
    """A project with a scriptlet that has short imports, and two hosts."""
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/own.py").write_text(OWN)
    (project / "inventory.yml").write_text(INVENTORY)
    return project


def recipe(*steps: str, **fields: object) -> dict[str, object]:
    """A recipe whose steps use the scriptlet."""
    return {"test_meta": {"test_id": "P-1"}, "steps": [{"name": name, "module": "t.own", **fields} for name in steps]}


def test_the_tests_of_the_proposal_run_as_they_stand(project: Path):
    shutil.copytree(CASES / "proposal", project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("conftest.py"))
    (project / "pytest.ini").write_text("[pytest]\n")
    ours = ("-p", "no:rack_recipes", "-p", PLUGIN, "-p", "no:cacheprovider")
    done = call(sys.executable, "-m", "pytest", "-q", *ours, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.code == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_run_over_hosts_and_all_that_is_known_of_it(own: Path):
    context = Context()
    context.set("own.before_v1", 5, host="leaf1")
    context.set("own.before_v1", 1, host="leaf2", who="night shift")
    given = {"inventory": "inventory.yml", "context": context, "only": ["first", "second"], "skip": "second"}
    result = run_recipe(recipe("first", "second", "third"), report=True, **given)
    assert (result.exit_code, result.status) == (1, "failed")
    assert result.verdicts["first", "leaf1"] == "failed"
    assert result.reasons["first", "leaf1"] == "7 is too much"
    assert result.verdicts["first", "leaf2"] == "passed"
    assert result.verdicts["second", "leaf2"] == "skipped"
    assert {name for name, _host in result.steps} == {"first", "second"}
    assert result.measurements["first", "leaf2"]["sum"]["unit"] == "ports"
    assert result.to_dict("leaf2") == {"own.before_v1": 1, "own.sum_v1": 3}
    assert result.get_history("own.sum_v1")[0]["step"] == "first"
    assert [change["who"] for change in result.get_history("own.before_v1")] == ["program", "night shift"]
    assert context.diff(result.ctx) == [{"key": "own.sum_v1", "host": "leaf2", "field": "", "after": 3}]
    assert Path(result.report).is_file()
    assert result.report.startswith(result.folder)
    assert rack_recipes.load_run(result.run_id).run["status"] == "failed"


ALL_NAMES = """\
import sys

import rack_recipes
from rack_recipes import ContextView, Scriptlet, ShellScriptlet, debug_trace, register_scriptlet, run_program
from rack_recipes import timeout_enforce, track_resources


@register_scriptlet
class Names(Scriptlet):
    reads = ()
    writes = ("names.python_v1",)

    @track_resources
    @timeout_enforce(30)
    @debug_trace
    def run(self, ctx: ContextView, params):
        ctx.set("names.python_v1", f"{sys.version_info.major}.{sys.version_info.minor}")
        ctx.check("said", run_program(["echo", "yes"]).strip(), eq="yes")
        ctx.check("is there without being installed", rack_recipes.__spec__ is None, eq=True)
        ctx.check("an error is the one that the executor knows", issubclass(rack_recipes.Failed, Exception), eq=True)


class Kernel(ShellScriptlet):
    command = ("uname", "-r")

    def parse(self, stdout, ctx, params):
        if "" in rack_recipes.__all__:
            raise rack_recipes.Skipped("never")
        raise rack_recipes.Failed(f"no kernel is good enough: {stdout.strip()}")
"""


def test_short_names_work_on_hosts_with_any_python(own: Path, rack: Rack):
    Path("scriptlets/t/names.py").write_text(ALL_NAMES)
    steps = [{"name": name, "module": "t.names", "function": name} for name in ("Names", "Kernel")]
    by_version = {host.version: name for name, host in rack.members.items()}
    recipe = {"test_meta": {"test_id": "N-1"}, "steps": steps}
    result = run_recipe(recipe, inventory=rack.inventory, limit=",".join(by_version.values()))
    hosts = {host for _step, host in result.steps}
    assert hosts == {*by_version.values()}
    assert {result.verdicts["Names", host] for host in hosts} == {"passed"}, result
    assert {result.verdicts["Kernel", host] for host in hosts} == {"failed"}, result
    assert all(result.reasons["Kernel", host].startswith("no kernel is good enough: ") for host in hosts)
    pythons = {".".join(host.version.split(".")[:2]) for host in rack.members.values()}
    assert {*result.ctx.values("names.python_v1").values()} == pythons


def test_in_a_running_loop_and_from_several_threads_at_once(own: Path):
    async def notebook() -> list[rack_recipes.RecipeResult]:
        here = run_recipe(recipe("here"))
        others = (asyncio.to_thread(run_recipe, recipe(name), project=own) for name in ("a", "b"))
        return [here, *await asyncio.gather(*others)]

    found = asyncio.run(notebook())
    assert [[*result.verdicts.items()] for result in found] == [
        [((name, "localhost"), "passed")] for name in ("here", "a", "b")
    ]
    assert len({result.run_id for result in found}) == 3


WRONG = """\
test_meta: {test_id: A}
steps:
  - {name: a, modul: t.own}
"""


def test_a_recipe_that_cannot_be_run_says_where_and_why(own: Path):
    Path("wrong.yml").write_text(WRONG)
    Path("scriptlets/t/typo.py").write_text("from rack_recipes import Scriptlett\n")
    for given, expected in (
        ("wrong.yml", "wrong.yml:3:15: expected a key of step 'a', got 'modul' (did you mean 'module'?)"),
        ("wrnog.yml", "got no such file (did you mean 'wrong.yml'?); paths are relative to"),
        ({"test_meta": {"test_id": "A"}, "steps": [{"name": "a", "module": "t.typo"}]}, "scriptlets/t/typo.py:1:26: "),
    ):
        with pytest.raises(RackError) as error:
            run_recipe(given)
        assert expected in str(error.value)
    assert not list(own.glob(".rack-recipes/runs/*/journal.jsonl"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"project": "absent"}, "project: there is no folder "),
        ({"context": {"foo": 1}}, "context: expected a context key such as numbers.stats_v1, got 'foo'; a run takes"),
        ({"params": {"a": {1}}}, "params.a: expected JSON data, got a set"),
        ({"params": {"no": 1}}, "params: expected the name of a parameter of the recipe, got 'no'"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_started(own: Path, given: dict[str, object], expected: str):
    with pytest.raises(RackError) as error:
        run_recipe(recipe("a"), **given)
    assert str(error.value).startswith(expected)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C raises, whatever ran before in this process: ansible-runner leaves a handler of its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_run_and_leaves_the_program(own: Path, heard: None):
    slow = recipe("slow", args={"wait": 60})
    begun = time.monotonic()

    def interrupt() -> None:
        while not list(own.glob(".rack-recipes/runs/*/journal.jsonl")):
            time.sleep(0.1)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_recipe(slow)
    thread.join()
    (journal,) = own.glob(".rack-recipes/runs/*/journal.jsonl")
    last = json.loads(journal.read_text().splitlines()[-1])
    assert (last["kind"], last["status"]) == ("end", "interrupted")
    assert time.monotonic() - begun < 50


def test_one_scriptlet_here_and_on_a_host(own: Path):
    here = run_scriptlet("t.own", {"limit": 1})
    assert (here.verdict, here.reason, here.context) == ("failed", "2 is too much", {})
    shipped = run_scriptlet("disk.usage", {"path": "/", "max_percent": 100})
    assert shipped.verdict == "passed"
    assert shipped.context["disk.usage_v1"]["path"] == "/"
    there = run_scriptlet("t.own", host="leaf1", inventory="inventory.yml", context={"own.before_v1": 1})
    assert (there.verdict, there.context) == ("passed", {"own.sum_v1": 3})
    assert (there.measured, there.checked) == ({"sum": 3}, {"sum": "passed"})


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("t.won", {}, "did you mean 't.own'"),
        ("t.own", {"inventory": "inventory.yml"}, "inventory: it has no effect without a host"),
    ],
)
def test_a_scriptlet_that_cannot_be_run(own: Path, name: str, given: dict[str, object], expected: str):
    with pytest.raises(RackError, match=expected):
        run_scriptlet(name, **given)
