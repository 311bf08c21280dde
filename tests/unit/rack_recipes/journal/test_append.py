# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import ShortWriteError, append, append_patiently
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import encode


def numbers(journal: Path) -> list[int]:
    return [line.record["n"] for line in JournalReader(journal).read() if line.record]


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let files of this process grow to a size in bytes: the kernel ends a longer write there, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_records_of_a_call_go_out_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = os.write, []

    def counted(descriptor: int, data: bytes) -> int:
        written.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", counted)
    size = append(tmp_path / "journal.jsonl", [run(), delta(), step()])
    assert written == [size] == [(tmp_path / "journal.jsonl").stat().st_size]


def test_what_it_makes_is_for_the_owner_alone(tmp_path: Path) -> None:
    journal = tmp_path / ".rack-recipes" / "runs" / "R1" / "journal.jsonl"
    append(journal, [run()])
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(journal.parents)[:3]} == {0o700}


def test_folders_that_are_there_keep_their_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    append(tmp_path / "journal.jsonl", [run()])
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_appends_to_an_open_file(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        append(descriptor, [delta(1), delta(2)], sync=True)
        append(descriptor, [delta(3)])
    finally:
        os.close(descriptor)
    assert numbers(journal) == [1, 2, 3]


@pytest.mark.parametrize(("asked", "synced"), [(True, 1), (False, 0)])
def test_reaches_the_disk_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asked: bool, synced: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    append(tmp_path / "journal.jsonl", [run()], sync=asked)
    assert len(calls) == synced


def test_a_record_that_is_none_keeps_all_of_the_call_out(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="a record without a kind"):
        append(tmp_path / "journal.jsonl", [delta(), {"n": 1}])
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_short_write_says_how_many_records_are_safe(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    records = [delta(n) for n in range(1, 6)]
    end_of_third = sum(len(encode(record)) for record in records[:3])
    with room(end_of_third + 20), pytest.raises(ShortWriteError) as caught:
        append(journal, records)
    assert caught.value.safe == 3
    assert "journal.jsonl: only" in str(caught.value)
    assert "3 of 5 records are safe" in str(caught.value)
    append(journal, records[caught.value.safe :])
    assert numbers(journal) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("cut", [-2, -1, 0, 1])
def test_a_record_is_safe_with_its_last_byte_before_the_newline(tmp_path: Path, cut: int) -> None:
    journal = tmp_path / "journal.jsonl"
    with room(len(encode(delta(1))) + cut), pytest.raises(ShortWriteError) as caught:
        append(journal, [delta(1), delta(2)])
    assert caught.value.safe == (cut >= -1)
    assert numbers(journal) == [1][: caught.value.safe], "what is safe is read at once"
    append(journal, [delta(1), delta(2)][caught.value.safe :])
    assert numbers(journal) == [1, 2]


def test_a_full_disk_is_told_by_name() -> None:
    with pytest.raises(ShortWriteError, match=r"/dev/full: No space left on device; 0 of 1 records are safe"):
        append("/dev/full", [run()])


def test_a_short_write_error_crosses_processes(tmp_path: Path) -> None:
    import pickle

    error = ShortWriteError("journal.jsonl", "No space left on device", 3, 5)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("place", ["file/journal.jsonl", "."])
def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=str(tmp_path)):
        append(tmp_path / place, [run()])


def test_what_cannot_be_written_is_tried_again_and_is_there_once(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    records = [delta(n) for n in range(1, 6)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = iter([len(encode(delta(1))) * 4 + 1, soft])

    def wait(_seconds: float) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (next(sizes), hard))

    with room(len(encode(delta(1))) * 2 + 20):
        append_patiently(journal, records, 60, wait)
    assert numbers(journal) == [1, 2, 3, 4, 5]


def test_a_folder_that_is_written_later_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    append_patiently(tmp_path / "run/journal.jsonl", [delta(1)], 60, lambda _seconds: (tmp_path / "run").unlink())
    assert numbers(tmp_path / "run/journal.jsonl") == [1]


def test_nothing_is_waited_for_longer_than_it_is_worth() -> None:
    with pytest.raises(ShortWriteError, match="No space left"):
        append_patiently("/dev/full", [run()], 0)
    waits: list[float] = []
    with pytest.raises(ShortWriteError, match="No space left"):
        append_patiently("/dev/full", [run()], 0.05, lambda seconds: time.sleep(seconds / 20) or waits.append(seconds))
    assert waits


def test_a_record_that_is_none_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="a record without a kind"):
        append_patiently(tmp_path / "journal.jsonl", [{"no": "kind"}], 60)


WRITER = """
import sys
from rack_recipes.journal.append import append
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta
path, host = sys.argv[1:]
for n in range(1, 201, 4):
    append(path, [delta(m, host, after="x" * (m * 97 % 9000)) for m in range(n, n + 4)])
"""


def test_writers_never_mix(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(journal), f"r{host}"]) for host in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    follower = JournalReader(journal)
    found = [(line.record["host"], line.record["n"]) for line in follower.read() if line.record]
    assert sorted(found) == [(f"r{host}", n) for host in range(4) for n in range(1, 201)]
    assert follower.set_aside == 0
