# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    a_run,
    artifact,
    end,
    planned,
    step,
)
from rack_recipes.cli.running import watch_and_stop as watching
from rack_recipes.journal.append import append
from rack_recipes.run.missing_results_and_artifacts import transfer_record
from rack_recipes.run.run_folders import hold_run


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACK_RECIPES_RUNS", str(project / "runs"))


def watched(*records: object) -> Path:
    path = a_run(Path("runs"), planned("a", "r1")).path
    append(path, records)  # type: ignore[arg-type]
    return path


def test_it_tells_how_a_run_ended():
    watched(step("a", "r1", "failed", 1, "hot"), end("failed", 1, failed=1))
    done = call("watch", "R1")
    assert (done.code, done.answer["status"], done.answer["counts"]) == (1, "failed", {"failed": 1})
    assert done.err == "r1  a  failed: hot\nrun R1 failed: 1 failed on 2 hosts\n"
    assert call("watch", "R1", "--json")[::2] == (1, "")


def test_it_waits_for_the_end():
    path = watched(step("a", "r1", "unreachable", 0, "gone"))
    last = end("unreachable", 3, unreachable=1)
    threading.Timer(0.4, append, (path, [last])).start()
    done = call("watch")
    assert (done.code, done.answer["status"]) == (3, "unreachable")
    assert done.err == "r1  a  unreachable: gone\nrun R1 unreachable: 1 unreachable on 2 hosts\n"


def test_a_run_whose_process_is_gone_was_interrupted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "GONE", 0.5)
    path = watched(step("a", "r1"))
    (path.parent / "lock").touch()
    done = call("watch")
    assert (done.code, done.answer["status"]) == (1, "interrupted")
    assert done.answer["reason"] == "its process is gone, and has written no end"
    assert done.err.splitlines()[1:] == [
        "its process is gone, and has written no end",
        "to go on from here: rack-recipes run --resume R1",
    ]


def test_a_run_whose_process_is_there_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "GONE", 0.1)
    path = watched(step("a", "r1"))
    with hold_run(path.parent):
        threading.Timer(1.0, append, (path, [end(passed=1)])).start()
        assert call("watch").answer["status"] == "ok"


def test_many_problems_are_not_all_told():
    records = [step(f"s{n}", "", "failed", n, f"{n} C") for n in range(1, 14)]
    watched(*records, end("failed", 1, failed=13))
    lines = call("watch").err.splitlines()
    assert lines[0] == "run  s1  failed: 1 C"
    assert lines[10:] == ["and 3 more: rack-recipes show R1", "run R1 failed: 13 failed on 2 hosts"]


def test_an_artifact_that_did_not_arrive_is_told():
    one = artifact(b"one")
    watched(one, step("a", "r1", n=2), transfer_record(one, "the host cannot read it: gone"), end(passed=1))
    done = call("watch")
    warning = "artifact a.log of step a on r1 is missing: the host cannot read it: gone"
    assert (done.code, done.answer["warnings"]) == (0, [warning])
    assert done.err == f"warning: {warning}\nrun R1 ok: 1 passed on 2 hosts\n"


def test_a_host_does_not_steer_the_terminal():
    watched(step("a", "r1", "failed", 1, "hot\x1b[2J\nand more"), end("failed", 1, failed=1))
    assert call("watch").err.splitlines()[0] == "r1  a  failed: hot [2J and more"
