# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible shows of a stage that one process has run on many hosts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rack_recipes.run.missing_results_and_artifacts import UNRECORDED
from rack_recipes.run.stage import stage_on_hosts
from rack_recipes.run.stage.stage_on_hosts import Outcome, outcome_of


def summarise(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return stage_on_hosts.summarise({host: outcome_of(result) for host, result in results.items()})


GOOD = {"msg": "2 passed in 0.100 s"}
BAD: dict[str, Any] = {"msg": "disk failed: it is full (1 failed)", "failed": True}
GONE: dict[str, Any] = {"msg": "disk unreachable: no route (1 unreachable)", "unreachable": True}


def test_hosts_that_passed_are_a_number():
    found = summarise({"r1": GOOD, "r2": GOOD, "r3": {"msg": "no step", "skipped": True}})
    assert found == {"changed": False, "msg": "3 hosts: 1 skipped, 2 passed", "_ansible_verbose_always": False}


def test_others_are_named_with_their_reasons_and_the_task_has_failed():
    found = summarise({"r1": GOOD, "r2": BAD, "r3": GONE})
    assert found["msg"] == (
        "3 hosts: 1 failed, 1 unreachable, 1 passed "
        "(r2: disk failed: it is full (1 failed), r3: disk unreachable: no route (1 unreachable))"
    )
    assert found["not_passed"] == {"r2": BAD["msg"], "r3": GONE["msg"]}
    assert found["failed"]
    assert "unreachable" not in found


def test_the_hosts_of_each_python_that_was_found():
    hosts = {"r1": "/usr/bin/python3", "r2": "/opt/python3.9", "r3": "/usr/bin/python3"}
    facts = {"ansible_facts": {}}
    results = {name: {**GOOD, "ansible_facts": {"discovered_interpreter_python": path}} for name, path in hosts.items()}
    found = summarise({**results, "r4": {**GOOD, **facts}})
    assert found["found_pythons"] == {"/usr/bin/python3": ["r1", "r3"], "/opt/python3.9": ["r2"]}


def test_warnings_name_their_host():
    found = summarise({"r1": {**GOOD, "warnings": ["a.png did not arrive"]}, "r2": GOOD})
    assert found["warnings"] == ["r1: a.png did not arrive"]


def test_a_warning_of_ansible_s_own_is_a_text():
    """It names its host itself."""
    text = "Host 'r1' is using the discovered Python interpreter"
    told = SimpleNamespace(event=SimpleNamespace(msg=text))
    assert summarise({"r1": {**GOOD, "warnings": [told]}, "r2": GOOD})["warnings"] == [text]


def test_results_that_could_not_be_recorded_are_a_failure():
    lost = {"failed": True, "msg": "journal.jsonl: No space left on device", UNRECORDED: True}
    found = summarise({"r1": GOOD, "r2": lost})
    assert (found["failed"], found["msg"], found[UNRECORDED]) == (True, lost["msg"], True)


def test_of_a_result_only_what_is_shown_is_kept():
    """A thousand hosts with a hundred steps have a hundred thousand lines."""
    kept = outcome_of({**GOOD, "steps": ["passed 0.1 s  disk"] * 100, "invocation": {"module_args": {}}})
    assert kept == Outcome("passed")
    assert outcome_of({**BAD, "warnings": ["late"]}) == Outcome("failed", BAD["msg"], warnings=("late",))
