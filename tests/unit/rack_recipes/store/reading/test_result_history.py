# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import step
from rack_recipes.store.reading import several_runs
from rack_recipes.store.writing.import_journal import import_journal

RUNS = ("R1", "R2", "R3")


@pytest.fixture
def three(store: Engine, journal: Callable[..., Path]) -> Engine:
    """Three runs of the steps a and b on two hosts."""
    for run_id in RUNS:
        results = [
            step(name, host, n=n, inputs=f"{name} {host}", flake=run_id == "R2")
            for n, (name, host) in enumerate((name, host) for name in "ab" for host in ("r1", "r2"))
        ]
        import_journal(store, journal([run(run_id), *results], run_id))
    return store


@pytest.mark.parametrize("at_once", [1, 400])
def test_single_results_in_some_runs(three: Engine, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many statements that takes."""
    monkeypatch.setattr(several_runs, "AT_ONCE", at_once)
    found = [*several_runs.outcomes(three, ["R1", "R2"], [("r1", "a"), ("r2", "a"), ("r2", "b"), ("r9", "z")])]
    places = {(row["run_id"], row["host"], row["step"], row["inputs"], row["flake"]) for row in found}
    assert places == {
        (run_id, host, name, f"{name} {host}", run_id == "R2")
        for run_id in ("R1", "R2")
        for host, name in (("r1", "a"), ("r2", "a"), ("r2", "b"))
    }


@pytest.mark.parametrize("at_once", [1, 400])
def test_all_results_of_some_hosts(three: Engine, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_runs, "AT_ONCE", at_once)
    found = [*several_runs.results_on(three, ["R3"], ["r1", "r2"])]
    assert sorted((row["run_id"], row["host"], row["step"], row["verdict"]) for row in found) == [
        ("R3", host, name, "passed") for host in ("r1", "r2") for name in "ab"
    ]


def test_without_an_earlier_analysis_nothing_is_told(three: Engine) -> None:
    assert several_runs.subjects_of_findings(three, RUNS, "flake") == []
