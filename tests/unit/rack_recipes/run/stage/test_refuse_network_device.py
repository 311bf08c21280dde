# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage of scriptlets for a network device, which Ansible would run on the controller: nothing of it is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, planned, step
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.stage.scripted_host import Host
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.current_run import Run
from rack_recipes.run.delegates import needs_delegate
from rack_recipes.run.stage.run_stage import run_stage

VARS = {"inventory_hostname": "r1", "groups": {}, "hostvars": {"r1": {}, "sw2": {}}, "ansible_delegated_vars": {}}
WHY = needs_delegate("test.net.cli")
TOUCH = "#!/bin/sh\ntouch started\n"
PYTHON = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class S(Scriptlet):
    def run(self, ctx, params):
        open("started", "w").close()
"""
A = {"name": "a", "type": "shell", "module": "s"}
LOCKS = {"bus": {"of": "host", "settle_sec": 60}}


@pytest.fixture(autouse=True)
def run(begin: Callable[..., Run]) -> Run:
    """A run of two steps, whose scriptlet leaves a file."""
    return begin(planned("a"), planned("b"), planned("before"), script=TOUCH)


def a_device(delegate: str = "", **flags: bool) -> Host:
    host = Host()
    host._connection = SimpleNamespace(transport="test", become=None, ansible_name="test.net.cli", **flags)
    host._task.delegate_to = delegate or None
    return host


def ended(run: Run, host: Host, *steps: dict[str, Any], locks: Any = None) -> list[tuple[str, str, str]]:
    """The steps with verdict and reason, as the journal has them."""
    run_stage(host, 2, steps, locks or {}, VARS)
    assert not Path("started").exists()
    assert not host.asked
    records = [*JournalReader(run.path).records()]
    return [(each["step"], each["verdict"], each["reason"]) for each in records if each["kind"] == "step"]


@pytest.mark.parametrize("flags", [{"force_persistence": True}, {"_remote_is_local": True}])
@pytest.mark.parametrize("kind", ["shell", "python"])
def test_nothing_is_started_for_it(run: Run, flags: dict[str, bool], kind: str):
    Path("scriptlets/s.py").write_text(PYTHON)
    assert ended(run, a_device(**flags), {**A, "type": kind}) == [("a", "error", WHY)]


def test_the_connection_of_the_delegate_counts(run: Run):
    found = ended(run, a_device("sw2", _remote_is_local=True), A)
    assert found == [("a", "error", f"{WHY} (through sw2)")]


def test_what_would_not_be_started_has_its_usual_verdict(run: Run):
    run.steps = {**run.steps, "before": planned("before", "r1")}
    append(run.path, [delta("a.key_v1", 1), step("before", "r1", "failed", blocks=True)])
    run.catch_up()
    found = ended(
        run,
        a_device(_remote_is_local=True),
        {**A, "when": [{"value": "${a.key_v1}", "eq": 2}], "locks": ["bus"]},
        {**A, "name": "b", "depends_on": ["before"]},
        locks=LOCKS,
    )
    assert [each[:2] for each in found[1:]] == [("a", "skipped"), ("b", "blocked")]


def test_its_steps_wait_for_no_lock_and_are_not_tried_again(run: Run):
    step = {**A, "locks": ["bus"], "retry": {"max": 5, "delay_sec": 60}, "loop": [1, 2]}
    assert ended(run, a_device(_remote_is_local=True), step, locks=LOCKS) == [("a", "error", WHY)]


@pytest.mark.parametrize("more", [{}, {"loop": "${none.such_v1}"}])
def test_check_mode_says_so_too(run: Run, more: dict[str, Any]):
    host = a_device(_remote_is_local=True)
    host._task.check_mode = True
    assert ended(run, host, {**A, **more}) == [("a", "error", WHY)]


def test_a_delegate_that_is_a_device_runs_nothing_for_any_of_its_hosts(run: Run):
    run.steps = {**run.steps, "a": planned("a", "r1", "r2", stage=2)}
    run.delegates.find = lambda _number, hosts: [(name, "sw2", {**VARS, "inventory_hostname": name}) for name in hosts]
    run.representatives(2)
    host = a_device("sw2", _remote_is_local=True)
    host._loader = DataLoader()
    assert ended(run, host, A) == [("a", "error", f"{WHY} (through sw2)")] * 2
