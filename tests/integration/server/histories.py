# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check what clients have seen of versioned keys: one order of all writes must explain it.

Each answer names the version that it is about, so this order is known and only has to be compared with what was seen.
A history is linearizable if the versions of a key also follow each other in time: what began after another operation
had ended sees its version or a later one (Herlihy and Wing, 1990, https://doi.org/10.1145/78969.78972).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Seen:
    """An operation of a client: when it began and ended (one clock for all), and the version and value it was told."""

    key: str
    began: float
    ended: float
    version: int
    value: Any
    is_write: bool
    based_on: int | None = None


def problems(seen: Sequence[Seen], kept: Mapping[str, Sequence[Any]]) -> list[str]:
    """What is wrong; `kept` has the values of each key in the order of their versions, from 1."""
    found = [*_lost(seen, kept), *_twice(kept)]
    for key in sorted({one.key for one in seen}):
        found += _out_of_order([one for one in seen if one.key == key])
    return found


def _lost(seen: Iterable[Seen], kept: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    for one in seen:
        values = kept.get(one.key, ())
        if one.version > len(values) or (one.version and values[one.version - 1] != one.value):
            what = "acknowledged write" if one.is_write else "value that was read"
            yield f"{one.key}: {what} {one.value!r} is not version {one.version} any more"
        if one.is_write and one.based_on not in (None, one.version - 1):
            yield f"{one.key}: a write based on version {one.based_on} became version {one.version}"


def _twice(kept: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Values are unique in these tests."""
    for key, values in kept.items():
        yield from (f"{key}: {value!r} was written {n} times" for value, n in Counter(values).items() if n > 1)


def _out_of_order(seen: Sequence[Seen]) -> Iterator[str]:
    ended = sorted(seen, key=lambda one: one.ended)
    newest, number = 0, 0
    for one in sorted(seen, key=lambda one: one.began):
        while number < len(ended) and ended[number].ended < one.began:
            newest = max(newest, ended[number].version)
            number += 1
        if one.version < newest + one.is_write:
            verb = "wrote" if one.is_write else "read"
            yield f"{one.key}: {verb} version {one.version} after version {newest} had been seen"
