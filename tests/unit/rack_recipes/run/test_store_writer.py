# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned, step
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import Run
from rack_recipes.run.store_writer import flush_once, uncollected
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
