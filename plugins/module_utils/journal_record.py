# SPDX-License-Identifier: GPL-3.0-or-later

r"""One record of a journal.

A line of JSON that carries its own length and checksum; and which events a log records, by its level.

    \n{"_":"LLLLLLLLCCCCCCCC","kind":"step",...}\n

`LLLLLLLL` is the length and `CCCCCCCC` the CRC-32, both in hexadecimal, of the bytes after that field up to the
closing brace. A newline stands on both sides: a killed writer can leave half a record in the middle of a file, which
would otherwise spoil the next record.
"""

from __future__ import annotations

import json
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# For each level the events that it shows, beside those of the levels after it. An attempt ends by its verdict.
LEVELS: dict[str, tuple[str, ...]] = {
    "debug": ("stdout", "variables"),
    "info": ("start", "set", "attach", "process", "end"),
    "warning": ("stderr", "end marginal"),
    "error": ("end failed", "end error"),
}


SHORT_LEVELS = {"warn": "warning"}  # as Python's logging has it, too


def level_named(word: str) -> str:
    """The level that a user has named, in capitals or not; empty where there is none of this name."""
    name = word.strip().lower()
    name = SHORT_LEVELS.get(name, name)
    return name if name in LEVELS else ""


def log_level(request: dict[str, Any]) -> str:
    """The level of a request's log; empty where it has none. Its `debug` stands for everything."""
    level: str = "debug" if request.get("debug") else request.get("log_level") or ""
    return level


def logged_events(request: dict[str, object]) -> frozenset[str]:
    """The events that a request's log shows: words of LEVELS."""
    level, names = log_level(request), list(LEVELS)
    shown = names[names.index(level) :] if level else []
    return frozenset(event for name in shown for event in LEVELS[name])


JOURNAL = "journal.jsonl"  # the name of the file, on hosts and in the folders of runs
START = b'{"_":"'
REST = len(b'{"_":"LLLLLLLLCCCCCCCC",')
_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def json_text(value: object) -> str:
    r"""The value as compact JSON that every file and database accepts: half a surrogate pair stays an escape, `\ud800`.

    Raises TypeError, ValueError or RecursionError for what is not JSON.
    """
    text = _compact(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ascii(value)
    return text


def with_checksum(text: str) -> bytes:
    """The bytes to append to a journal for `text`, a JSON object that is not empty."""
    rest = text[1:].encode()
    return b'\n{"_":"%08x%08x",%b\n' % (len(rest), crc32(rest), rest)


def without_checksum(line: bytes) -> bytes | None:
    """The JSON text of the record in a line without its newlines; None if the line is no whole record."""
    rest = line[REST:]
    return b"{" + rest if line[:REST] == b'{"_":"%08x%08x",' % (len(rest), crc32(rest)) else None


def encode(record: dict[str, object]) -> bytes:
    """The bytes to append to a journal for `record`, which must not be empty."""
    return with_checksum(json_text(record))


def decode(line: bytes) -> dict[str, Any] | None:
    """The record in a line without its newlines; None if the line is no whole record."""
    text = without_checksum(line)
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
