# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import TIME, delta, end, run, step
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import log
from rack_recipes.errors import JournalError
from rack_recipes.journal.record_fields import FIELDS, RunStep, TornError, decode, encode, json_text, log_record_lines

TEXTS = st.text(st.characters())  # all of Unicode, lone surrogates and NUL too
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)
RECORDS = st.builds(delta, n=st.integers(0, 2**24), host=TEXTS, after=VALUES, key=TEXTS)

EXAMPLE = (
    b'\n{"_":"000000c7dfbf5de7","kind":"delta","stage":1,"n":1,"host":"r1","step":"compute","attempt":1,'
    b'"scope":"host","key":"numbers.stats_v1","after":{"mean":2.5},"based_on":0,"who":"compute",'
    b'"time":"2026-11-25T12:00:00.123456Z"}\n'
)


def checksummed(text: str) -> bytes:
    """A line of any content under a valid length and checksum."""
    rest = text.encode()[1:]
    return b'{"_":"%08x%08x",%b\n' % (len(rest), crc32(rest), rest)


def test_the_form_on_disk_is_fixed() -> None:
    assert encode(delta()) == EXAMPLE


def test_a_line_is_json_for_any_other_reader() -> None:
    read = json.loads(encode(step()))
    assert {**step(), "_": read["_"]} == read


@given(RECORDS)
def test_what_is_written_is_read(record: dict[str, Any]) -> None:
    line = encode(record)
    assert line.count(b"\n") == 2
    assert decode(line) == record


@given(RECORDS, st.data())
def test_one_changed_byte_is_found(record: dict[str, Any], data: st.DataObject) -> None:
    line = bytearray(encode(record).strip(b"\n"))
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(JournalError) as raised:
        decode(bytes(line))
    assert not isinstance(raised.value, TornError)


@given(RECORDS, st.data())
def test_a_part_of_a_line_is_torn(record: dict[str, Any], data: st.DataObject) -> None:
    line = encode(record).strip(b"\n")
    with pytest.raises(TornError, match="torn: shorter than its length says"):
        decode(line[: data.draw(st.integers(1, len(line) - 1))])


def test_a_record_that_lost_bytes_is_altered() -> None:
    line = encode({**step(), "reason": "a long one"}).strip(b"\n")
    with pytest.raises(JournalError, match="altered") as raised:
        decode(line.replace(b"a long one", b"a long"))
    assert not isinstance(raised.value, TornError)


@pytest.mark.parametrize("line", [EXAMPLE[1:-1] + EXAMPLE[1:-1], EXAMPLE[1:-1] + b" ", EXAMPLE[20:40], b"{}", b"{x"])
def test_what_no_killed_writer_leaves_is_not_torn(line: bytes) -> None:
    with pytest.raises(JournalError) as raised:
        decode(line)
    assert not isinstance(raised.value, TornError)


@given(st.binary())
def test_bytes_of_anything_are_no_record(line: bytes) -> None:
    with pytest.raises(JournalError):
        decode(line)


ARTIFACT = {name: kind() for name, kind in FIELDS["artifact"].items()} | {"kind": "artifact"}
TRANSFER = {name: kind() for name, kind in FIELDS["transfer"].items()} | {"kind": "transfer", "path": None}


@pytest.mark.parametrize("record", [run(), delta(), step(), end(), ARTIFACT, TRANSFER, {"kind": "later", "n": 3}])
def test_every_kind(record: dict[str, Any]) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({}, "a record without a kind"),
        ({"kind": 3}, "a record without a kind"),
        ({"kind": []}, "a record without a kind"),
        ({"kind": "run", "time": TIME}, "a run record without 'run' as str"),
        (delta(stage="1"), "a delta record without 'stage' as int"),
        ({key: value for key, value in delta().items() if key != "after"}, "a delta record without 'after'"),
        (step(verdict=None), "a step record without 'verdict' as str"),
        (step(n=-1), "a step record with n=-1"),
        (delta(n=2**60), "a delta record with n=1152921504606846976"),
        ({"kind": "later", "n": "x"}, "a later record with n='x'"),
    ],
)
def test_a_record_that_lacks_what_its_readers_need_is_neither_written_nor_read(
    record: dict[str, Any], fault: str
) -> None:
    with pytest.raises(JournalError, match=fault):
        encode(record)
    with pytest.raises(JournalError, match=fault):
        decode(checksummed(json.dumps({**record, "x": 1})))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"bytes"])
def test_only_json_is_written(value: object) -> None:
    with pytest.raises(JournalError, match="a delta record that is not JSON"):
        encode(delta(after=value))


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(JournalError, match="not JSON"):
        encode(delta(after=endless))


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"later","x":NaN}',
        '{"kind":"later","x":-Infinity}',
        '{"kind":"later","x":1e999}',
        '{"kind":"later"} x',
        '{"kind":"later","x":' + "[" * 200_000,
        '{"kind":"later","x":' + "9" * 5_000 + "}",
    ],
    ids=["nan", "infinity", "overflow", "trailing", "nesting", "digits"],
)
def test_what_is_not_json_is_set_aside_though_its_checksum_is_right(text: str) -> None:
    with pytest.raises(JournalError):
        decode(checksummed(text))


@pytest.mark.parametrize("value", ["\ud800", ["a\udfffb"], {"\udc80": 1}])
def test_json_text_carries_lone_surrogates_as_escapes(value: object) -> None:
    text = json_text(value)
    assert text.encode()
    assert json.loads(text) == value


def test_json_text_is_compact_and_readable() -> None:
    assert json_text({"a": [1, "ü🎉"], "b": None}) == '{"a":[1,"ü🎉"],"b":null}'


def test_journal_and_context_need_no_database_library() -> None:
    program = (
        "import sys\n"
        "import rack_recipes.journal.append\n"
        "import rack_recipes.journal.reader\n"
        "import rack_recipes.context.run_context\n"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_step_of_a_run_is_read_as_it_was_written() -> None:
    step = RunStep("a", 2, 7, "host", ("r1", "r2"), frozenset({"b_v1"}), optional=True, cache_key="k", expires_sec=5)
    told = {"name": "a", "stage": 2, "idx": 7, "scope": "host", "hosts": ["r1", "r2"]}
    assert step.to_record() == {**told, "cache_key": "k", "optional": True}
    assert RunStep.of(told).to_record() == told
    assert RunStep.of({"name": "a"}) == RunStep("a", 0, 0, "host", ())


@pytest.mark.parametrize(
    ("text", "host", "lines"),
    [
        ("key: 1", "r1", ["12:00:00.000 R1 a@r1 set: key: 1"]),
        ("one\ntwo\n", "r1", ["12:00:00.000 R1 a@r1 set: one", "12:00:00.000 R1 a@r1 set: two"]),
        ("", "", ["12:00:00.000 R1 a@run set: "]),
    ],
)
def test_each_line_says_where_it_is_from(text: str, host: str, lines: list[str]):
    assert log_record_lines(log("set", text, host), "R1") == lines
