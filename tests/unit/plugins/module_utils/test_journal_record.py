# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import (
    decode,
    encode,
    json_text,
    with_checksum,
    without_checksum,
)

RECORD = {"kind": "delta", "key": "numbers.stats_v1", "after": {"mean": 2.5, "name": "größer 😀"}, "n": 1}


def test_the_form_on_disk():
    assert encode({"a": 1, "b": "ä"}) == b'\n{"_":"0000000f3c7f37e2","a":1,"b":"\xc3\xa4"}\n'


def test_what_is_written_is_read():
    line = encode(RECORD).strip(b"\n")
    assert {name: value for name, value in decode(line).items() if name != "_"} == RECORD


def test_any_json_reader_reads_it():
    assert json.loads(encode(RECORD))["after"] == RECORD["after"]


@pytest.mark.parametrize("text", ["\ud800", "a\udc80b", "\udfff\ud800 ä", "\n\0\u2028"])
def test_any_text_is_valid_utf_8_on_one_line(text):
    data = encode({"reason": text})
    data.decode("utf-8")
    assert data.count(b"\n") == 2
    assert decode(data.strip(b"\n"))["reason"] == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_only_json_numbers(value):
    with pytest.raises(ValueError):
        encode({"value": value})


def damaged():
    line = encode(RECORD).strip(b"\n")
    yield from (line[:end] for end in (0, 1, 6, 20, 24, len(line) // 2, len(line) - 1))
    yield line + b"}"
    yield line.replace(b"2.5", b"2.6")
    yield b'{"kind":"delta"}'
    yield b"hello"


@pytest.mark.parametrize("line", list(damaged()))
def test_a_torn_altered_or_foreign_line_is_no_record(line):
    assert decode(line) is None
    assert without_checksum(line) is None


def test_a_sound_frame_around_what_is_no_json_is_no_record():
    assert decode(with_checksum('{"a":').strip(b"\n")) is None


def test_json_text_is_compact_and_readable():
    assert json_text({"a": [1, "ü😀"], "b": None}) == '{"a":[1,"ü😀"],"b":null}'
