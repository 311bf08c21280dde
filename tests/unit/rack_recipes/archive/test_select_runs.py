# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, whole_run
from rack_recipes.archive.prune_runs import Choice, IndexedRun, PruneRules, all_runs, select, to_compress, why_kept
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import compress_journal
from rack_recipes.store.writing.import_journal import import_journal

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
    from sqlalchemy import text

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
