# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from rack_recipes.archive import pins_and_baselines
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal


def test_a_mark_in_the_folder(tmp_path: Path):
    assert not pins_and_baselines.is_pinned(tmp_path)
    for _again in range(2):
        pins_and_baselines.pin(tmp_path, pinned=True)
        assert pins_and_baselines.is_pinned(tmp_path)
    assert (tmp_path / "pinned").stat().st_mode & 0o077 == 0
    for _again in range(2):
        pins_and_baselines.pin(tmp_path, pinned=False)
        assert not pins_and_baselines.is_pinned(tmp_path)


def test_a_mark_in_the_store(store: Engine, make):
    journal = make("R1", stored=store)
    assert not recorded_runs.run(store, "R1")["pinned"]
    for _again in range(2):
        assert pins_and_baselines.pin_stored(store, "R1", pinned=True)
        assert recorded_runs.run(store, "R1")["pinned"] is True
    journal.write_bytes(journal.read_bytes() + b"\n")
    import_journal(store, journal)  # which writes the run's row anew
    assert recorded_runs.run(store, "R1")["pinned"] is True
    assert pins_and_baselines.pin_stored(store, "R1", pinned=False)
    assert not recorded_runs.run(store, "R1")["pinned"]
    assert not pins_and_baselines.pin_stored(store, "R2", pinned=True)
