# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from rack_recipes.archive.pins_and_baselines import pin, pin_stored
from rack_recipes.archive.prune_runs import TRASH, IndexedRun, all_runs, utc_text
from rack_recipes.journal.compressed_journal import compress_journal


def test_all_runs_wherever_they_are(store: Engine, runs: Path, make):
    make("both", 3, stored=store)
    make("here", 2)
    make("row", 1, stored=store)
    (runs / "row").rename(runs.parent / "row")
    (runs / "refused").mkdir()
    (runs / "refused/ansible.log").write_text("no host")
    (runs / TRASH).mkdir()
    (runs / "a file").touch()
    pin(runs / "here", pinned=True)
    pin_stored(store, "row", pinned=True)
    found = {run.run_id: run for run in all_runs(runs, store)}
    assert [*found] == ["row", "here", "both", "refused"]  # by their start, the last one today
    moment = "2026-11-01T12:00:00.000000Z"
    assert found["row"] == IndexedRun("row", None, 0, moment, pinned=True, status="passed", changes=12)
    assert [run.run_id for run in found.values() if not run.has_begun] == ["refused"]
    assert (found["here"].pinned, found["here"].status) == (True, "")
    size = sum(path.stat().st_size for path in (runs / "both").iterdir())
    assert found["both"] == IndexedRun(
        "both", runs / "both", size, "2026-11-03T12:00:00.000000Z", pinned=False, status="passed", changes=12
    )
    assert (found["refused"].size, found["refused"].journal) == (7, None)
    assert found["refused"].started > "2026-11-03"


def test_a_compressed_journal_is_one(store: Engine, runs: Path, make):
    compress_journal(make("R1", 1))
    [run] = all_runs(runs, store)
    assert (run.run_id, run.started, run.journal) == ("R1", "2026-11-01T12:00:00.000000Z", runs / "R1/journal.jsonl")


def test_a_folder_that_was_made_again_has_its_run_s_start(store: Engine, runs: Path, make):
    """As by the report of a run whose folder was pruned: it is from today, and has no journal."""
    for day, run_id in enumerate(("R1", "R2"), 1):
        make(run_id, day, stored=store)
    (runs / "R1").rename(runs.parent / "R1")
    (runs / "R1/report").mkdir(parents=True)
    found = all_runs(runs, store)
    moments = [f"2026-11-0{day}T12:00:00.000000Z" for day in (1, 2)]
    assert [(run.run_id, run.started, run.has_begun) for run in found] == [
        ("R1", moments[0], True),
        ("R2", moments[1], True),
    ]


def test_a_run_whose_first_record_is_lost_has_begun(store: Engine, runs: Path, make):
    journal = make("R1")
    (runs / "torn").mkdir()
    (runs / "torn/journal.jsonl").write_bytes(journal.read_bytes()[:60])
    journal.write_bytes(journal.read_bytes().replace(b"lab-1", b"lab-2"))
    assert {run.run_id: run.has_begun for run in all_runs(runs, store)} == {"R1": True, "torn": False}


def test_a_project_without_runs(store: Engine, runs: Path):
    assert all_runs(runs, store) == []


def test_a_moment_as_records_write_it():
    assert utc_text(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)) == "2026-01-02T03:04:05.000006Z"


def test_the_group_of_a_part_here_and_of_one_in_the_store(store: Engine, runs: Path, make):
    group = {"id": "g", "part": "1", "parts": 2}
    make("here", 1, group=group)
    make("row", 2, stored=store, group=group)
    (runs / "row").rename(runs.parent / "row")
    assert [(run.run_id, run.group) for run in all_runs(runs, store)] == [("here", "g"), ("g", "g"), ("row", "g")]
