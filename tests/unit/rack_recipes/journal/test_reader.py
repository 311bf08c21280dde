# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import random
import tracemalloc
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    delta,
    end,
    run,
    step,
    whole_run,
)
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record, encode


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def records(follower: JournalReader) -> list[Record]:
    return [*follower.records()]


def add(journal: Path, data: bytes) -> None:
    with journal.open("ab") as file:
        file.write(data)


def test_reads_on_from_where_it_stopped(journal: Path) -> None:
    append(journal, [run(), delta(1)])
    follower = JournalReader(journal)
    assert records(follower) == [run(), delta(1)]
    assert records(follower) == []
    append(journal, [delta(2)])
    assert records(follower) == [delta(2)]


def test_every_end_is_a_place_to_start_from(journal: Path) -> None:
    append(journal, whole_run())
    lines = list(JournalReader(journal).read())
    assert lines[-1].end == journal.stat().st_size
    for position, line in enumerate(lines):
        assert list(JournalReader(journal, line.end).read()) == lines[position + 1 :]
        assert next(JournalReader(journal, line.start).read()) == line


def test_a_reader_that_stops_in_the_middle_goes_on_there(journal: Path) -> None:
    append(journal, whole_run())
    follower = JournalReader(journal)
    first = next(follower.read())
    assert follower.offset == first.end
    assert [first.record, *records(follower)] == whole_run()


def test_reads_no_further_than_it_is_told(journal: Path) -> None:
    append(journal, whole_run())
    lines = list(JournalReader(journal).read())
    follower = JournalReader(journal)
    assert list(follower.read(until=lines[3].end)) == lines[:4]
    assert follower.offset == lines[3].end
    assert list(follower.read()) == lines[4:]


def test_a_torn_tail_waits_for_its_rest(journal: Path) -> None:
    line = encode(delta())
    follower = JournalReader(journal)
    for size in range(len(line) - 1):
        journal.write_bytes(line[:size])
        assert list(follower.read()) == []
        assert follower.set_aside == 0
    journal.write_bytes(line)
    assert records(follower) == [delta()]


@pytest.mark.parametrize("size", range(1, len(encode(delta(2))) - 1))
def test_a_stump_in_the_middle_costs_only_itself(journal: Path, size: int) -> None:
    """A writer was killed after `size` bytes of its record, others went on."""
    stump = encode(delta(2))[:size]
    journal.write_bytes(encode(delta(1)) + stump + encode(delta(3)) + encode(step(4)))
    follower = JournalReader(journal)
    is_whole = size == len(encode(delta(2))) - 1
    assert records(follower) == [delta(1), *([delta(2)] if is_whole else []), delta(3), step(4)]
    assert follower.set_aside == (not is_whole and size > 1)
    assert follower.damaged == []


def test_a_record_without_its_last_newline_is_whole(journal: Path) -> None:
    journal.write_bytes(encode(delta(1))[:-1])
    follower = JournalReader(journal)
    assert records(follower) == [delta(1)]
    assert records(follower) == []
    journal.write_bytes(encode(delta(1))[:-1] + encode(delta(2)) + encode(delta(3)).replace(b"mean", b"Mean"))
    assert records(follower) == [delta(2)]
    again = JournalReader(journal)
    assert records(again) == [delta(1), delta(2)]
    assert (follower.damaged, follower.set_aside) == (again.damaged, again.set_aside) == ([5], 1)


def test_what_is_set_aside_says_where_and_why(journal: Path) -> None:
    altered = encode(delta(1)).replace(b"mean", b"Mean")
    pieces = [encode(run()), b"a note by hand\n", b'{"kind":"end"}\n', altered, encode(end())]
    journal.write_bytes(b"".join(pieces))
    follower = JournalReader(journal)
    lines = [line for line in follower.read() if line.record is None]
    assert [line.damage for line in lines] == [
        "not a record of a journal",
        "not a record of a journal",
        "altered: length or checksum differ",
    ]
    assert follower.damaged == [3, 4, 6]
    assert [journal.read_bytes().splitlines()[number - 1] + b"\n" for number in follower.damaged] == [
        *pieces[1:3],
        altered[1:],
    ]
    assert [journal.read_bytes()[line.start : line.end] for line in lines] == [*pieces[1:3], altered[1:]]
    assert follower.set_aside == 3


def test_a_record_that_comes_again_is_left_out(journal: Path) -> None:
    first = [delta(1), delta(2), step(3)]
    append(journal, [run(), *first, delta(1, "r2"), *first, delta(4), delta(1, stage=2), delta(4)])
    follower = JournalReader(journal)
    assert records(follower) == [run(), *first, delta(1, "r2"), delta(4), delta(1, stage=2)]
    assert follower.offset == journal.stat().st_size


def test_a_record_lost_once_counts_when_it_comes_later(journal: Path) -> None:
    add(journal, encode(delta(1)) + encode(delta(2))[:50] + encode(delta(3)) + encode(step(4)))
    add(journal, b"".join(map(encode, [delta(1), delta(2), delta(3), step(4)])))
    assert records(JournalReader(journal)) == [delta(1), delta(3), step(4), delta(2)]


def test_records_of_the_recorder_and_of_later_kinds_may_repeat(journal: Path) -> None:
    repeated = [step(0, verdict="unreachable"), {"kind": "later", "n": 1}, run()]
    append(journal, repeated * 2)
    assert records(JournalReader(journal)) == repeated * 2


def test_cut_anywhere_it_gives_every_finished_record(journal: Path) -> None:
    written = whole_run()
    ends = [0]
    for record in written:
        ends.append(ends[-1] + len(encode(record)))
    data = b"".join(map(encode, written))
    for size in random.Random(4).sample(range(len(data)), 200):
        journal.write_bytes(data[:size])
        finished = sum(stop <= size for stop in ends[1:])
        assert records(JournalReader(journal)) == written[:finished]


def test_any_bytes_between_records_are_survived(journal: Path) -> None:
    source = random.Random(41)
    written = whole_run()
    data = b"".join(b"\n" + source.randbytes(source.randrange(80)) + encode(record) for record in written)
    journal.write_bytes(data)
    assert records(JournalReader(journal)) == written


def test_memory_for_what_was_seen_stays_small(journal: Path) -> None:
    hosts, each = 100, 100
    append(journal, [delta(n, f"r{host}") for host in range(hosts) for n in range(1, each + 1)])
    follower = JournalReader(journal)
    tracemalloc.start()
    assert sum(1 for _other in follower.read()) == hosts * each
    held, _other = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / (hosts * each) < 8  # bytes a record


def test_a_journal_that_cannot_be_read_is_an_error_of_ours(journal: Path) -> None:
    with pytest.raises(JournalError, match=f"{journal}: No such file"):
        list(JournalReader(os.fspath(journal)).read())
    journal.mkdir()
    with pytest.raises(JournalError, match=f"{journal}: Is a directory"):
        list(JournalReader(journal).read())


def test_each_record_goes_to_the_function_of_its_kind(journal: Path) -> None:
    append(journal, [step(1), delta(2), step(3)])
    follower, steps, others = JournalReader(journal), [], []
    follower.dispatch({"step": steps.append, "run": others.append})
    assert ([each["n"] for each in steps], others) == ([1, 3], [])
    assert [*follower.records()] == []


def test_some_kinds_of_records_alone_and_where_each_is(journal: Path) -> None:
    append(journal, [step(1), delta(2)])
    add(journal, b'\n{"_":"0000004012345678","kind":"step","st\x00\xffnoise\n{')
    append(journal, [step(3)])
    follower = JournalReader(journal)
    places = [(record["n"], follower.start, follower.offset) for record in follower.records("step", "end")]
    lines = [line for line in JournalReader(journal).read() if line.record]
    assert [line.start for line in lines] == sorted(line.start for line in lines)
    assert places == [(1, lines[0].start, lines[0].end), (3, lines[2].start, lines[2].end)]
