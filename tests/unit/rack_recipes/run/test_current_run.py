# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    TIME,
    a_run,
    delta,
    log,
    planned,
    step,
)
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.step_results_and_end_status import StepEnd
from rack_recipes.run import current_run as module
from rack_recipes.run.current_run import Run, current, refuse, set_current


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path, planned("a"), planned("odd", "r1"), planned("total", ""))


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HOLDER", module._Holder())


def told(run: Run, *records: dict[str, Any]) -> None:
    append(run.path, records)
    run.catch_up()


def test_the_journal_makes_verdicts_and_context(run: Run):
    told(run, delta("a.key_v1", 7), step("a", "r1", "failed", 2, "too hot"))
    assert run.results.ended == {("a", "r1"): StepEnd("failed", "too hot")}
    assert run.context.get("a.key_v1", "r1") == 7
    told(run, step("a", "r2"))
    assert set(run.results.ended) == {("a", "r1"), ("a", "r2")}


def test_what_is_only_there_to_be_read_is_shown_once(run: Run):
    shown: list[dict[str, Any]] = []
    append(run.path, [log("start", "x"), delta("a.key_v1", 7), log("end", "y")])
    run.catch_up(shown.append)
    run.catch_up(shown.append)
    assert [record["event"] for record in shown] == ["start", "end"]


def test_a_step_whose_write_was_refused_has_its_last_word(run: Run):
    head = {"kind": "run", "run": "R1", "time": TIME, "merge": [{"keys": "*", "policy": "fail"}]}
    told(run, head, *(delta("a.key_v1", host, host, scope="run") for host in ("r1", "r2")))
    assert run.to_append() == []
    told(run, step("a", "r1", n=2), step("a", "r2", n=2))
    assert run.results.ended["a", "r2"].is_final
    (last,) = run.to_append()
    assert (last["host"], last["verdict"], last["n"], last["final"]) == ("r2", "error", 0, True)
    told(run, last, step("a", "r2", "failed", n=3))
    assert run.results.ended["a", "r2"].verdict == "error"
    assert [each["n"] for each in run.to_append()] == [0]  # of the record that came later


def test_damaged_lines_are_passed_over(run: Run):
    with run.path.open("ab") as journal:
        journal.write(b'\n{"_":"0000000000000000","kind":"step"}\nnoise\n')
    told(run, step("a", "r1"))
    assert ("a", "r1") in run.results.ended


def test_what_has_no_verdict_yet(run: Run):
    told(run, step("a", "r1"))
    assert [(each.name, host) for each, host in run.missing()] == [("a", "r2"), ("odd", "r1"), ("total", "")]


def test_without_the_recorder_it_is_said_what_to_do():
    with pytest.raises(UsageError, match=r"callbacks_enabled = rack\.recipes\.recorder"):
        current()


def test_a_refused_run_has_its_reason():
    refuse(UsageError("no host matches 'x' here"))
    with pytest.raises(UsageError, match="no host matches 'x' here"):
        current()


def test_the_run_of_this_process(run: Run):
    set_current(run)
    assert current() is run
    set_current(None)
    with pytest.raises(UsageError):
        current()
