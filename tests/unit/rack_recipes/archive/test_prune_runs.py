# SPDX-License-Identifier: GPL-3.0-or-later

"""Which runs are listed, selected, pinned and removed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, whole_run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything
from rack_recipes.archive import pins_and_baselines, prune_runs
from rack_recipes.archive.pins_and_baselines import pin, pin_stored
from rack_recipes.archive.prune_runs import (
    TRASH,
    Choice,
    IndexedRun,
    PruneRules,
    all_runs,
    select,
    to_compress,
    utc_text,
    why_kept,
)
from rack_recipes.errors import RackError, StoreError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import compress_journal
from rack_recipes.run.run_folders import journals
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal


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


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
# One a day, the oldest first.
RUNS = [
    IndexedRun(f"R{day}", Path(f"R{day}"), 10 * day, f"2026-11-{day:02}T12:00:00.000000Z", status="passed")
    for day in range(1, 6)
]


def names(rules: PruneRules, kept: Mapping[str, str] | None = None) -> list[str]:
    """The runs that go."""
    return [choice.run.run_id for choice in choices(rules, kept or {}) if not choice.kept]


def choices(rules: PruneRules, kept: Mapping[str, str]) -> list[Choice]:
    return [*select(RUNS, rules, lambda run: kept.get(run.run_id, ""), NOW)]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (PruneRules(), []),
        (PruneRules(older_than=timedelta(days=22)), ["R1", "R2"]),
        (PruneRules(older_than=timedelta(days=22, microseconds=-1)), ["R1", "R2", "R3"]),
        (PruneRules(older_than=timedelta(days=400)), []),
        (PruneRules(keep=5), []),
        (PruneRules(keep=3), ["R1", "R2"]),
        (PruneRules(keep=0), ["R1", "R2", "R3", "R4", "R5"]),
        (PruneRules(max_size=150), []),
        (PruneRules(max_size=149), ["R1"]),
        (PruneRules(max_size=120), ["R1", "R2"]),
        (PruneRules(max_size=0), ["R1", "R2", "R3", "R4", "R5"]),
        (PruneRules(keep=4, max_size=130), ["R1", "R2"]),
        (PruneRules(keep=4, max_size=140), ["R1"]),
        (PruneRules(older_than=timedelta(days=24, microseconds=-1), keep=3), ["R1", "R2"]),
    ],
)
def test_what_is_asked_for(rules: PruneRules, gone: list[str]):
    assert names(rules) == gone


def empty(day: int, size: int = 0) -> IndexedRun:
    """What an invocation left that ended before any run began."""
    return IndexedRun(f"E{day}", Path(f"E{day}"), size, f"2026-11-{day:02}T13:00:00.000000Z", has_begun=False)


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (PruneRules(keep=5), []),
        (PruneRules(keep=2), ["R1", "E1", "R2", "R3", "E3"]),
        (PruneRules(keep=1), ["R1", "E1", "R2", "R3", "E3", "R4"]),
        (PruneRules(keep=0), ["R1", "E1", "R2", "R3", "E3", "R4", "R5", "E5", "E6"]),
        (PruneRules(max_size=150), []),
        (PruneRules(max_size=149), ["R1"]),
        (PruneRules(max_size=0), ["R1", "R2", "R3", "R4", "R5"]),
        (PruneRules(older_than=timedelta(days=22)), ["R1", "E1", "R2"]),
    ],
)
def test_folders_in_which_no_run_began_take_no_run_s_place(rules: PruneRules, gone: list[str]):
    runs = sorted([*RUNS, empty(1), empty(3, 1000), empty(5), empty(6, 1000)], key=lambda run: run.started)
    assert [choice.run.run_id for choice in select(runs, rules, lambda _run: "", NOW)] == gone


def with_a_group() -> list[IndexedRun]:
    """The runs, of which two are the parts of a group; this has a row of its own."""
    parts = {"R2": "g", "R4": "g"}
    row = replace(RUNS[1], run_id="g", folder=None, size=0, group="g")
    known = [*(replace(run, group=parts.get(run.run_id, "")) for run in RUNS), row]
    return sorted(known, key=lambda run: (run.started, run.run_id))


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (PruneRules(keep=4), []),
        (PruneRules(keep=3), ["R1"]),
        (PruneRules(keep=2), ["R1", "R3"]),
        (PruneRules(keep=1), ["R1", "R3", "R2", "g", "R4"]),
        (PruneRules(older_than=timedelta(days=22)), ["R1"]),
        (PruneRules(older_than=timedelta(days=21)), ["R1", "R3"]),
        (PruneRules(older_than=timedelta(days=20)), ["R1", "R3", "R2", "g", "R4"]),
        (PruneRules(max_size=140), ["R1"]),
        (PruneRules(max_size=110), ["R1", "R3"]),
        (PruneRules(max_size=109), ["R1", "R3", "R2", "g", "R4"]),
    ],
)
def test_the_parts_of_a_group_and_its_own_row_are_one_run(rules: PruneRules, gone: list[str]):
    """It is as old as its newest part."""
    assert [choice.run.run_id for choice in select(with_a_group(), rules, lambda _run: "", NOW)] == gone


def test_of_a_group_all_is_kept_where_one_part_is():
    kept = {"R4": "pinned"}
    found = select(with_a_group(), PruneRules(max_size=60), lambda run: kept.get(run.run_id, ""), NOW)
    assert [(choice.run.run_id, choice.kept) for choice in found] == [
        ("R1", ""),
        ("R3", ""),
        ("R2", "R4 of its group is kept: pinned"),
        ("g", "R4 of its group is kept: pinned"),
        ("R4", "pinned"),
        ("R5", ""),
    ]


def test_what_is_kept_makes_room_for_nothing():
    assert names(PruneRules(max_size=120), {"R1": "pinned"}) == ["R2", "R3"]
    assert names(PruneRules(keep=3), {"R1": "pinned"}) == ["R2"]


def test_each_choice_has_its_reason():
    found = choices(PruneRules(older_than=timedelta(days=23), keep=3, max_size=100), {"R2": "pinned"})
    assert [(choice.run.run_id, choice.why, choice.kept) for choice in found] == [
        ("R1", "started 2026-11-01 12:00:00 UTC", ""),
        ("R2", "3 are newer", "pinned"),
        ("R3", "the folders are too large", ""),
        ("R4", "the folders are too large", ""),
    ]


def test_a_run_that_nobody_asks_for_is_not_looked_at():
    def look(run: IndexedRun) -> str:
        raise AssertionError(run)

    assert [*select(RUNS, PruneRules(keep=5), look, NOW)] == []


def test_a_run_without_a_start_is_not_old():
    [run] = [replace(RUNS[0], started="")]
    assert [*select([run], PruneRules(older_than=timedelta(days=1)), lambda _run: "", NOW)] == []


def found(store: Engine, runs: Path) -> IndexedRun:
    [run] = all_runs(runs, store)
    return run


def test_a_run_that_is_stored_may_go(store: Engine, runs: Path, make):
    journal = make("R1", stored=store)
    assert why_kept(found(store, runs), store, NOW) == ""
    compress_journal(journal)
    assert why_kept(found(store, runs), store, NOW) == ""


def test_a_pinned_run_is_kept(store: Engine, runs: Path, make):
    make("R1", stored=store)
    assert why_kept(replace(found(store, runs), pinned=True), store, NOW) == "pinned"


def test_a_run_that_goes_on_is_kept(store: Engine, runs: Path, make):
    make("R1", stored=store)
    with (runs / "R1/lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert why_kept(found(store, runs), store, NOW) == "it still goes on, or another run goes on from it"
    assert why_kept(found(store, runs), store, NOW) == ""


@pytest.mark.parametrize("packed", [False, True])
def test_a_run_with_more_than_the_store_has_is_kept(packed: bool, store: Engine, runs: Path, make):
    journal = make("R1", stored=store)
    append(journal, [delta(99, key="late_v1")])
    if packed:
        compress_journal(journal)
    text = "its results are not all in the store: rack-recipes flush R1"
    assert why_kept(found(store, runs), store, NOW) == text


def test_a_run_without_an_end_is_kept(store: Engine, runs: Path):
    """Its controller and its follower were killed together; only the folder can still bring an end."""
    journal = runs / "R1" / "journal.jsonl"
    append(journal, whole_run()[:-1])
    import_journal(store, journal)
    assert why_kept(found(store, runs), store, NOW) == "it has no end in the store: rack-recipes flush R1"
    append(journal, [end()])
    import_journal(store, journal)
    assert why_kept(found(store, runs), store, NOW) == ""


def test_a_run_of_which_the_store_lost_rows_is_kept(store: Engine, runs: Path, make):
    make("R1", stored=store)
    with store.begin() as connection:
        connection.execute(text("DELETE FROM context WHERE seq = 3"))
    assert "not all in the store" in why_kept(found(store, runs), store, NOW)


def test_a_journal_that_cannot_be_read_is_kept(store: Engine, runs: Path, make):
    journal = make("R1", stored=store)
    compress_journal(journal)
    packed = journal.with_name("journal.jsonl.gz")
    run = found(store, runs)
    packed.write_bytes(packed.read_bytes()[:-10])
    assert why_kept(run, store, NOW).startswith("its journal cannot be read: ")


@pytest.mark.parametrize("packed", [False, True])
def test_a_run_with_altered_lines_is_kept_until_it_is_asked_for(packed: bool, store: Engine, runs: Path, make):
    journal = make("R1", stored=store)
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[7] = lines[7].replace(b'"host"', b'"hosT"', 1)
    journal.write_bytes(b"".join(lines))
    if packed:
        compress_journal(journal)
    run = found(store, runs)
    text = "its journal has damaged lines (1): rack-recipes flush R1 names them, prune --damaged lets it go"
    assert why_kept(run, store, NOW) == text
    assert why_kept(run, store, NOW, even_damaged=True) == ""


def test_a_torn_end_is_no_result(store: Engine, runs: Path, make):
    journal = make("R1", stored=store)
    journal.write_bytes(journal.read_bytes() + b'\n{"_":"0000')
    assert why_kept(found(store, runs), store, NOW) == ""


def test_a_folder_without_a_journal(store: Engine):
    run = IndexedRun("R1", Path("nowhere"), started="2026-11-25T11:30:00.000000Z")
    assert why_kept(run, store, NOW) == "it has no journal yet, and may be starting"
    assert why_kept(run, store, NOW + timedelta(hours=1)) == ""


def test_a_folder_without_a_journal_of_a_run_in_the_store(store: Engine):
    """It is not starting: its folder was removed, and somebody made it again."""
    run = IndexedRun("R1", Path("nowhere"), started="2026-11-25T11:30:00.000000Z", status="passed")
    assert why_kept(run, store, NOW) == ""
    text = "the store has no end of it, and its journal is not here"
    assert why_kept(replace(run, status="running"), store, NOW) == text


def test_a_run_that_is_elsewhere(store: Engine):
    run = IndexedRun("R1", status="running")
    assert why_kept(run, store, NOW) == "the store has no end of it, and its folder is not here"
    assert why_kept(replace(run, status="failed"), store, NOW) == ""
    group = replace(run, run_id="g", group="g")
    assert why_kept(group, store, NOW) == "it has no end in the store: rack-recipes finish g"


def test_plain_journals_are_compressed(store: Engine, runs: Path, make):
    make("R1")
    compress_journal(make("R2"))
    make("R3")
    (runs / "R4").mkdir()
    found = to_compress(all_runs(runs, store), lambda run: "pinned" if run.run_id == "R3" else "")
    assert {choice.run.run_id: choice.kept for choice in found} == {"R1": "", "R3": "pinned"}


def test_a_mark_in_the_folder(tmp_path: Path):
    assert not pins_and_baselines.is_pinned(tmp_path)
    for _again in range(2):
        pins_and_baselines.pin(tmp_path, pinned=True)
        assert pins_and_baselines.is_pinned(tmp_path)
    assert (tmp_path / "pinned").stat().st_mode & 0o077 == 0
    for _again in range(2):
        pins_and_baselines.pin(tmp_path, pinned=False)
        assert not pins_and_baselines.is_pinned(tmp_path)


def test_a_mark_in_the_store(each_store: Engine, make):
    journal = make("R1", stored=each_store)
    assert not recorded_runs.run(each_store, "R1")["pinned"]
    for _again in range(2):
        assert pins_and_baselines.pin_stored(each_store, "R1", pinned=True)
        assert recorded_runs.run(each_store, "R1")["pinned"] is True
    journal.write_bytes(journal.read_bytes() + b"\n")
    import_journal(each_store, journal)  # which writes the run's row anew
    assert recorded_runs.run(each_store, "R1")["pinned"] is True
    assert pins_and_baselines.pin_stored(each_store, "R1", pinned=False)
    assert not recorded_runs.run(each_store, "R1")["pinned"]
    assert not pins_and_baselines.pin_stored(each_store, "R2", pinned=True)


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


def test_all_rows_of_a_run_go_with_it(each_store: Engine, runs: Path, make, evidence: Path):
    import_journal(each_store, evidence)
    make("R2", stored=each_store)
    before, done = everything(each_store, "R2"), []
    gone = [run for run in all_runs(runs, each_store) if run.run_id == "R1"]
    assert min(counts(each_store)) > 0
    assert prune_runs.remove_rows(each_store, gone, done.append) == 1
    assert done == [1]
    assert everything(each_store, "R2") == before
    prune_runs.remove_rows(each_store, all_runs(runs, each_store), done.append)
    assert counts(each_store) == [0] * len(TABLES)


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


def test_room_in_the_file(each_store: Engine, runs: Path, make):
    for number in range(20):
        make(f"R{number}", stored=each_store)
    if each_store.dialect.name != "sqlite":
        with pytest.raises(StoreError, match="only a SQLite store has to be vacuumed"):
            prune_runs.vacuum(each_store)
        return
    prune_runs.remove_rows(each_store, all_runs(runs, each_store), lambda _number: None)
    before = prune_runs._size(Path(str(each_store.url.database)))
    freed = prune_runs.vacuum(each_store)
    assert before > freed > 0
    assert Path(str(each_store.url.database)).stat().st_size == before - freed
    make("R99", stored=each_store)
    assert len(all_runs(runs, each_store)) == 21
