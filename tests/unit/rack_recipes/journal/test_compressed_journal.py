# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, whole_run
from rack_recipes.errors import JournalError
from rack_recipes.journal import compressed_journal
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    append(path, whole_run())
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_compressed_it_is_read_as_before(journal: Path) -> None:
    before, data = list(JournalReader(journal).read()), journal.read_bytes()
    os.utime(journal, (5, 7))
    saved = compressed_journal.compress_journal(journal)
    assert names(journal.parent) == ["journal.jsonl.gz"]
    packed = compressed_journal.compressed_path(journal)
    assert saved == len(data) - packed.stat().st_size > 0
    assert (packed.stat().st_mtime, packed.stat().st_mode & 0o777) == (7, 0o600)
    assert (compressed_journal.journal_exists(journal), compressed_journal.is_compressed(journal)) == (True, True)
    assert list(JournalReader(journal).read()) == before
    for place in random.Random(2).sample(range(len(before)), 5):
        assert list(JournalReader(journal, before[place].end).read()) == before[place + 1 :]
    with compressed_journal.open_journal(journal) as file:
        assert file.read() == data


def test_a_follower_goes_on_in_the_compressed_form(journal: Path) -> None:
    lines, follower = list(JournalReader(journal).read()), JournalReader(journal)
    assert next(follower.read()) == lines[0]
    compressed_journal.compress_journal(journal)
    assert list(follower.read()) == lines[1:]


def test_the_same_journal_gives_the_same_bytes(journal: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere/journal.jsonl"
    append(other, whole_run())
    for path in (journal, other):
        compressed_journal.compress_journal(path)
    assert (
        compressed_journal.compressed_path(journal).read_bytes()
        == compressed_journal.compressed_path(other).read_bytes()
    )


def test_nothing_is_added_to_a_compressed_journal(journal: Path) -> None:
    compressed_journal.compress_journal(journal)
    with pytest.raises(JournalError, match="its run is over and the journal compressed, nothing can be added to it"):
        append(journal, [delta(9)])
    assert names(journal.parent) == ["journal.jsonl.gz"]


def test_restored_it_can_be_added_to(journal: Path) -> None:
    data = journal.read_bytes()
    compressed_journal.compress_journal(journal)
    compressed_journal.restore_journal(journal)
    assert names(journal.parent) == ["journal.jsonl"]
    assert journal.read_bytes() == data
    assert journal.stat().st_mode & 0o777 == 0o600
    compressed_journal.restore_journal(journal)  # nothing to do
    append(journal, [delta(9)])


def test_where_both_are_there_the_plain_one_counts(journal: Path) -> None:
    """As a kill leaves them; compressing it again makes good."""
    data = journal.read_bytes()
    compressed_journal.compressed_path(journal).write_bytes(b"half of it")
    assert not compressed_journal.is_compressed(journal)
    assert len(list(JournalReader(journal).read())) == len(whole_run())
    append(journal, [delta(9)])
    compressed_journal.compress_journal(journal)
    with compressed_journal.open_journal(journal) as file:
        assert file.read().startswith(data)
    assert len(list(JournalReader(journal).read())) == len(whole_run()) + 1


def test_a_stump_of_a_killed_compression_does_not_matter(journal: Path) -> None:
    stump = journal.with_name(".journal.jsonl.gz.partial")
    stump.write_bytes(b"x" * 10_000)
    compressed_journal.compress_journal(journal)
    assert names(journal.parent) == ["journal.jsonl.gz"]
    assert len(list(JournalReader(journal).read())) == len(whole_run())


@pytest.mark.parametrize("late", ["while it is verified", "at the last moment"])
def test_who_writes_meanwhile_is_not_lost(late: str, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may outlive its killed controller."""
    verify, unlink = compressed_journal._verify, Path.unlink

    def verify_and_write(path: Path, digest: str) -> None:
        verify(path, digest)
        if late == "while it is verified":
            append(path, [delta(9)])

    def unlink_late(path: Path, **options: bool) -> None:
        if path == journal and late == "at the last moment":
            append(path, [delta(9)])
        unlink(path, **options)

    monkeypatch.setattr(compressed_journal, "_verify", verify_and_write)
    monkeypatch.setattr(Path, "unlink", unlink_late)
    with pytest.raises(JournalError, match="it was written to while it was compressed, and stays as it is"):
        compressed_journal.compress_journal(journal)
    assert names(journal.parent) == ["journal.jsonl"]
    assert len(list(JournalReader(journal).read())) == len(whole_run()) + 1


def test_what_does_not_read_back_is_not_kept(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = compressed_journal._compress

    def write_badly(plain, target):
        digest = write(plain, target)
        target.seek(20)
        target.write(b"oops")
        return digest

    monkeypatch.setattr(compressed_journal, "_compress", write_badly)
    with pytest.raises(JournalError, match="compressed it does not read back as it was, and stays as it is"):
        compressed_journal.compress_journal(journal)
    assert names(journal.parent) == ["journal.jsonl"]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda data: data[:-20], "damaged: Compressed file ended before the end-of-stream marker was reached"),
        (lambda data: b"no gzip" + data, "damaged: Not a gzipped file"),
        (lambda data: data[:40] + b"\0\0\0\0" + data[44:], "damaged: "),
    ],
)
def test_a_damaged_one_is_an_error_of_ours(damage, text: str, journal: Path) -> None:
    compressed_journal.compress_journal(journal)
    packed = compressed_journal.compressed_path(journal)
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(JournalError, match=f"{journal}: {text}"):
        list(JournalReader(journal).read())
    with pytest.raises(JournalError, match=f"{journal}: {text}"):
        compressed_journal.restore_journal(journal)
    assert names(journal.parent) == ["journal.jsonl.gz"]


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert not compressed_journal.journal_exists(path)
    with pytest.raises(FileNotFoundError):
        compressed_journal.open_journal(path)
    with pytest.raises(JournalError, match="No such file"):
        compressed_journal.compress_journal(path)
