# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, delta, planned, step
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import encode
from rack_recipes.run import store_writer as module
from rack_recipes.run.current_run import Run
from rack_recipes.run.store_writer import LONGEST_PAUSE, LOOK, DeltaCounter, FlushPolicy, flush_once, uncollected
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs


def test_no_search_for_garbage_goes_through_what_lasts():
    gc.unfreeze()
    with uncollected():
        assert not gc.isenabled()
        assert not gc.get_freeze_count()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def flush_of(run: Run) -> str:
    return flush_once(str(run.path), run.settings.db, run.settings.store_timeout)


def test_what_the_journal_has_is_stored(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs", planned("a"), db=f"sqlite:///{tmp_path}/results.db")
    for host in ("r1", "r2"):
        append(run.path, [step("a", host)])
        assert flush_of(run) == ""
    store = connect_store(run.settings.db)
    assert [row["host"] for row in recorded_runs.steps(store, run.run_id)] == ["r1", "r2"]
    assert recorded_runs.run(store, run.run_id)["status"] == "running"
    store.dispose()


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs", planned("a"), db=f"sqlite:///{tmp_path}", store_timeout=1.0)
    assert str(tmp_path) in flush_of(run)


DELTA = delta("a.key_v1", {"kind": "delta", 'kind":"delta"': 1})


class Clock:
    """The time as the test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "R1" / "journal.jsonl"


def test_deltas_are_counted_once(journal: Path):
    deltas = DeltaCounter(str(journal))
    assert deltas.count() == 0
    append(journal, [DELTA, step("a", "r1"), DELTA])
    assert [deltas.count(), deltas.count()] == [2, 2]
    append(journal, [DELTA])
    assert deltas.count() == 3
    deltas.reset()
    assert deltas.count() == 0
    append(journal, [step("b", "r1"), DELTA])
    assert deltas.count() == 1


def test_a_delta_counts_when_its_line_is_whole(journal: Path):
    deltas = DeltaCounter(str(journal))
    append(journal, [DELTA])
    line = encode(DELTA)
    for size in (1, 20, len(line) - 1):
        with journal.open("ab") as file:
            file.write(line[:size])
        assert deltas.count() == 1
        journal.write_bytes(journal.read_bytes()[:-size])
    with journal.open("ab") as file:
        file.write(line)
    assert deltas.count() == 2


def test_a_flush_is_due_after_the_interval(journal: Path, clock: Clock):
    pace = FlushPolicy(str(journal), 2.0, 10)
    assert (pace.is_due(), pace.pause()) == (False, LOOK)
    clock.now += 1.8
    assert (pace.is_due(), pace.pause()) == (False, pytest.approx(0.2))
    clock.now += 0.3
    assert (pace.is_due(), pace.pause()) == (True, 0.0)
    pace.flushed(succeeded=True)
    assert not pace.is_due()
    clock.now += 2.0
    assert pace.is_due()


def test_a_flush_is_due_when_many_deltas_wait(journal: Path, clock: Clock):
    pace = FlushPolicy(str(journal), 3600.0, 3)
    append(journal, [DELTA, DELTA])
    assert not pace.is_due()
    append(journal, [DELTA])
    assert pace.is_due()
    pace.flushed(succeeded=True)
    assert not pace.is_due()


@pytest.mark.parametrize(
    ("interval", "pauses"),
    [(0.2, [0.4, 0.8, 1.6, 3.2]), (10.0, [20.0, LONGEST_PAUSE, LONGEST_PAUSE]), (100.0, [100.0, 100.0])],
)
def test_a_store_that_is_away_is_tried_less_and_less_often(
    journal: Path, clock: Clock, interval: float, pauses: list[float]
):
    pace = FlushPolicy(str(journal), interval, 1)
    append(journal, [DELTA])
    for pause in pauses:
        pace.flushed(succeeded=False)
        append(journal, [DELTA])  # does not hurry it
        clock.now += pause - 0.01
        assert not pace.is_due()
        clock.now += 0.02
        assert pace.is_due()
    pace.flushed(succeeded=True)
    assert not pace.is_due()
    append(journal, [DELTA])
    assert pace.is_due()
