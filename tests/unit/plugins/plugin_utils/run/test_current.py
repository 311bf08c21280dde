# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run import current as module
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import (
    Ended,
    Run,
    current,
    refuse,
    set_current,
)
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.journals import a_run, delta, planned, step


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
    assert run.ended == {("a", "r1"): Ended("failed", "too hot", sure=True)}
    assert run.context.get("a.key_v1", "r1") == 7
    told(run, step("a", "r2"))
    assert set(run.ended) == {("a", "r1"), ("a", "r2")}


def test_a_result_of_the_host_counts_more_than_the_recorder_s_guess(run: Run):
    told(run, step("a", "r1", "unreachable", 0), step("a", "r1", "passed", 2), step("a", "r1", "error", 0))
    assert run.ended["a", "r1"] == Ended("passed", "", sure=True)


def test_damaged_lines_are_passed_over(run: Run):
    with run.path.open("ab") as journal:
        journal.write(b'\n{"_":"0000000000000000","kind":"step"}\nnoise\n')
    told(run, step("a", "r1"))
    assert ("a", "r1") in run.ended


def test_what_has_no_verdict_yet(run: Run):
    told(run, step("a", "r1"))
    assert [(each.name, host) for each, host in run.missing()] == [("a", "r2"), ("odd", "r1"), ("total", "")]


@pytest.mark.parametrize(
    ("records", "name", "host", "verdict"),
    [
        ([step("a", "r1"), step("a", "r2", "failed")], "a", "r1", "passed"),
        ([step("a", "r1", "marginal")], "a", "r1", "passed"),
        ([step("a", "r1"), step("a", "r2", "failed")], "a", "r2", "failed"),
        ([step("a", "r1"), step("a", "r2", "failed")], "a", "", "failed"),
        ([step("a", "r1"), step("a", "r2")], "a", "", "passed"),
        ([step("a", "r1")], "a", "", "skipped"),
        ([], "a", "r1", "skipped"),
        ([step("odd", "r1", "error")], "odd", "r2", "error"),
        ([step("odd", "r1")], "odd", "r2", "passed"),
        ([step("total", "", "failed")], "total", "r2", "failed"),
        ([step("total", "")], "total", "r2", "passed"),
    ],
)
def test_what_an_earlier_step_means_for_a_host(
    run: Run, records: list[dict[str, Any]], name: str, host: str, verdict: str
):
    told(run, *records)
    assert run.verdict_of(name, host) == verdict


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
