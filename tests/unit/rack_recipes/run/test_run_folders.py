# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import compress_journal
from rack_recipes.run.run_folders import (
    find_run,
    group_in,
    hold_run,
    hold_run_until_exit,
    is_run_held,
    journal_of,
    journals,
    run_record,
)

NAMES = ("20260101-a", "20260101-ab", "20260102-c")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in (*NAMES, "20260103-without-journal"):
        (tmp_path / name).mkdir()
    for name in NAMES:
        (tmp_path / name / "journal.jsonl").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("start", "name"),
    [("", "20260102-c"), ("20260101-ab", "20260101-ab"), ("20260101-a", "20260101-a"), ("20260102", "20260102-c")],
)
def test_a_run_by_the_start_of_its_id(runs: Path, start: str, name: str):
    assert journal_of(runs, start) == runs / name / "journal.jsonl"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ("20260101", "2 runs begin with '20260101': 20260101-ab, 20260101-a"),
        ("2027", "there is no run '2027' in {runs}"),
        ("20260103", "there is no run '20260103' in {runs}"),
        ("../" + NAMES[0], "there is no run '../20260101-a' in {runs}"),
    ],
)
def test_none_or_several(runs: Path, start: str, text: str):
    with pytest.raises(UsageError) as caught:
        journal_of(runs, start)
    assert str(caught.value) == text.format(runs=runs)


@pytest.fixture
def groups(runs: Path) -> Path:
    """Three groups, one with a part whose journal is damaged."""
    for number, group in enumerate(("night-1", "night-1", "night-2", "2026-hall")):
        name = f"20260104-{number}"
        append(runs / name / "journal.jsonl", [{"kind": "run", "run": name, "time": "", "group": {"id": group}}])
    (runs / "20260105-d").mkdir()
    (runs / "20260105-d" / "journal.jsonl.gz").write_bytes(b"damaged")
    return runs


@pytest.mark.parametrize(
    ("start", "found", "names"),
    [
        ("night-1", "night-1", ["20260104-0", "20260104-1"]),
        ("night-2", "night-2", ["20260104-2"]),
        ("2026-", "2026-hall", ["20260104-3"]),
        ("20260102", "20260102-c", ["20260102-c"]),
        ("20260104-2", "20260104-2", ["20260104-2"]),
        ("", "20260105-d", ["20260105-d"]),
        ("last~1", "20260104-3", ["20260104-3"]),
    ],
)
def test_a_run_or_a_group_by_the_start_of_its_id(groups: Path, start: str, found: str, names: list[str]):
    (groups / "night-1").mkdir()  # a report of it
    run = find_run(groups, start)
    assert (run.run_id, [path.parent.name for path in run.journals]) == (found, names)
    assert run.is_group == (found not in names)


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ("night", "2 runs begin with 'night': night-1, night-2"),
        ("lst", "there is no run 'lst' in {runs} (did you mean 'last'?)"),
        ("nigth-1", "there is no run 'nigth-1' in {runs} (did you mean 'night-1'?)"),
        ("2027", "there is no run '2027' in {runs}"),
        ("2026", "8 runs begin with '2026': 20260105-d, 20260104-3, 20260104-2, 20260104-1, 20260104-0"),
    ],
)
def test_neither_a_run_nor_a_group(groups: Path, start: str, text: str):
    with pytest.raises(UsageError) as caught:
        find_run(groups, start)
    assert str(caught.value) == text.format(runs=groups)


def test_a_group_has_no_journal_of_its_own(groups: Path):
    with pytest.raises(UsageError, match=r"^night-1 is a run in several parts, .* part: 20260104-0, 20260104-1$"):
        journal_of(groups, "night-1")


def test_no_runs_at_all(tmp_path: Path):
    with pytest.raises(UsageError, match=r"there are no runs in .*/absent"):
        journal_of(tmp_path / "absent")


def test_a_compressed_journal_is_found_by_its_plain_name(tmp_path: Path):
    for name in ("R1", "R2"):
        append(tmp_path / name / "journal.jsonl", [{"kind": "run", "run": name, "time": ""}])
    compress_journal(tmp_path / "R1/journal.jsonl")
    (tmp_path / "R2/journal.jsonl.gz").touch()  # a kill leaves both
    assert journals(tmp_path) == [tmp_path / "R1/journal.jsonl", tmp_path / "R2/journal.jsonl"]
    assert [run_record(path)["run"] for path in journals(tmp_path)] == ["R1", "R2"]
    assert journal_of(tmp_path, "R1") == tmp_path / "R1/journal.jsonl"


def test_runs_of_one_second_are_in_the_order_of_their_start(tmp_path: Path):
    """Of their ids only the random part differs; the last one has a damaged journal."""
    early, late, second = "20261127-074533-ff37d7", "20261127-074533-0a11ce", "20261127-074534-000000"
    for name, time in ((late, "33.9"), (early, "33.1"), (second, "32.0")):
        record = {"kind": "run", "run": name, "time": f"2026-11-27T07:45:{time}00000Z"}
        append(tmp_path / name / "journal.jsonl", [record])
    compress_journal(tmp_path / early / "journal.jsonl")
    damaged = tmp_path / "20261127-074533-555555/journal.jsonl.gz"
    damaged.parent.mkdir()
    damaged.write_bytes(b"damaged")
    assert [path.parent.name for path in journals(tmp_path)] == [damaged.parent.name, early, late, second]
    (tmp_path / second / "journal.jsonl").unlink()
    assert journal_of(tmp_path) == tmp_path / late / "journal.jsonl"


def test_held_for_a_while(tmp_path: Path):
    assert not is_run_held(tmp_path)
    assert [*tmp_path.iterdir()] == []  # asking leaves nothing behind
    with hold_run(tmp_path):
        assert is_run_held(tmp_path)
        with pytest.raises(UsageError, match="still goes on"), hold_run(tmp_path):
            pass
    assert not is_run_held(tmp_path)
    with hold_run(tmp_path):
        pass


HOLD = """
import os
import signal
import subprocess
import sys
from pathlib import Path
from rack_recipes.run.run_folders import hold_run_until_exit
hold_run_until_exit(Path("R1"))
"""


def test_a_run_is_one_process_s_until_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("R1").mkdir()
    stay = "import os, time; os.fork() or print('held', flush=True); time.sleep(30)"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD + stay], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="run R1 still goes on: its controller is alive"):
            hold_run_until_exit(Path("R1"))
        holder.kill()  # its child lives on, as a worker may
        holder.wait()
        hold_run_until_exit(Path("R1"))
        with pytest.raises(UsageError):
            hold_run_until_exit(Path("R1"))
        os.killpg(holder.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("group", "name"), [({"id": "night-42"}, "night-42"), ({"id": None}, ""), ({}, ""), (None, ""), ("night-42", "")]
)
def test_the_group_of_a_record_is_that_of_a_part(group, name):
    assert group_in({"kind": "run", "group": group}) == name
