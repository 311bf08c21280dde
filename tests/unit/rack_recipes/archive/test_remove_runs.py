# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything
from rack_recipes.archive import prune_runs
from rack_recipes.archive.pins_and_baselines import pin, pin_stored
from rack_recipes.archive.prune_runs import IndexedRun, all_runs
from rack_recipes.errors import RackError, StoreError, UsageError
from rack_recipes.run.run_folders import journals

TABLES = ("runs", "steps", "context", "measurements", "conflicts", "artifacts")


def test_a_folder_goes_as_a_whole(runs: Path, make):
    make("R1")
    make("R2")
    prune_runs.remove_folder(runs / "R1")
    assert [path.parent.name for path in journals(runs)] == ["R2"]
    assert [*(runs / prune_runs.TRASH).iterdir()] == []


def test_what_a_killed_prune_left_is_no_run_and_goes_next(runs: Path, make, monkeypatch: pytest.MonkeyPatch):
    make("R1")

    def killed(path: Path, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prune_runs.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune_runs.remove_folder(runs / "R1")
    assert journals(runs) == []
    assert len([*(runs / prune_runs.TRASH).iterdir()]) == 1
    prune_runs.remove_leftovers(runs)
    assert [*runs.iterdir()] == []
    prune_runs.remove_leftovers(runs)


def test_two_at_once(runs: Path, make, monkeypatch: pytest.MonkeyPatch):
    """What the other one has removed is no fault."""
    make("R1")
    unlink = os.unlink

    def unlink_twice(*path: object, **options: object) -> None:
        unlink(*path, **options)
        unlink(*path, **options)

    monkeypatch.setattr(prune_runs.shutil.os, "unlink", unlink_twice)
    prune_runs.remove_folder(runs / "R1")
    assert [*(runs / prune_runs.TRASH).iterdir()] == []


@pytest.mark.parametrize("change", ["removed", "compressed"])
def test_a_run_that_was_pinned_or_went_on_meanwhile_stays(change: str, runs: Path, make):
    journal = make("R1")

    def call() -> None:
        if change == "removed":
            prune_runs.remove_folder(runs / "R1")
        else:
            prune_runs.compress(runs / "R1", journal)

    with (runs / "R1/lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="run R1 still goes on"):
            call()
    pin(runs / "R1", pinned=True)
    with pytest.raises(UsageError, match="pinned"):
        call()
    assert journal.exists()


def test_a_folder_that_cannot_be_removed(runs: Path):
    with pytest.raises(RackError, match="R1/lock: No such file or directory"):
        prune_runs.remove_folder(runs / "R1")
    with pytest.raises(RackError, match="R1/lock: No such file or directory"):
        prune_runs.compress(runs / "R1", runs / "R1/journal.jsonl")


def counts(store: Engine) -> list[int]:
    with store.connect() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def test_all_rows_of_a_run_go_with_it(store: Engine, runs: Path, make, evidence: Path):
    from rack_recipes.store.writing.import_journal import import_journal

    import_journal(store, evidence)
    make("R2", stored=store)
    before, done = everything(store, "R2"), []
    gone = [run for run in all_runs(runs, store) if run.run_id == "R1"]
    assert min(counts(store)) > 0
    assert prune_runs.remove_rows(store, gone, done.append) == 1
    assert done == [1]
    assert everything(store, "R2") == before
    prune_runs.remove_rows(store, all_runs(runs, store), done.append)
    assert counts(store) == [0] * len(TABLES)


def test_in_several_transactions(store: Engine, runs: Path, make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prune_runs, "MAX_CHANGES", 30)  # each run has 12
    monkeypatch.setattr(prune_runs, "MAX_RUNS", 4)
    for number in range(5):
        make(f"R{number}", stored=store)
    pin_stored(store, "R3", pinned=True)
    done: list[int] = []
    assert prune_runs.remove_rows(store, [*all_runs(runs, store), IndexedRun("R9")], done.append) == 4
    assert done == [2, 3, 4]
    assert counts(store)[0] == 1
    assert list(prune_runs._batches([IndexedRun(f"E{n}") for n in range(6)])) == [
        ["E0", "E1", "E2", "E3"],
        ["E4", "E5"],
    ]
    assert list(prune_runs._batches([])) == []


def test_room_in_the_file(store: Engine, runs: Path, make):
    for number in range(20):
        make(f"R{number}", stored=store)
    if store.dialect.name != "sqlite":
        with pytest.raises(StoreError, match="only a SQLite store has to be vacuumed"):
            prune_runs.vacuum(store)
        return
    prune_runs.remove_rows(store, all_runs(runs, store), lambda _number: None)
    before = prune_runs._size(Path(str(store.url.database)))
    freed = prune_runs.vacuum(store)
    assert before > freed > 0
    assert Path(str(store.url.database)).stat().st_size == before - freed
    make("R99", stored=store)
    assert len(all_runs(runs, store)) == 21
