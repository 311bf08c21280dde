# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of mutations: how a value may come out wrong without anybody meaning it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

MOST_DEEP = 200  # places of one value that are changed; further ones are left out


class Change(NamedTuple):
    """One changed output: where in the value, what was done, the value there before and after, the whole new value."""

    path: str
    what: str
    before: Any
    after: Any
    value: Any


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


Kind = Callable[[Any], bool]
NUMBERS: Mapping[str, Callable[[Any], Any]] = {
    "x 2": lambda value: value * 2,
    "/ 2": lambda value: value / 2,
    "sign": lambda value: -value,
    "+ 1": lambda value: value + 1,
    "- 1": lambda value: value - 1,
    "0": lambda _value: 0,
}
TEXTS: Mapping[str, Callable[[Any], Any]] = {"other text": lambda value: f"{value}~", "empty": lambda _value: ""}
FLAGS: Mapping[str, Callable[[Any], Any]] = {"not": lambda value: not value}
EMPTIED: Mapping[str, Callable[[Any], Any]] = {"empty": lambda value: type(value)()}
MUTATIONS: tuple[tuple[Kind, Mapping[str, Callable[[Any], Any]]], ...] = (
    (_is_number, NUMBERS),
    (lambda value: isinstance(value, str), TEXTS),
    (lambda value: isinstance(value, bool), FLAGS),
    (lambda value: isinstance(value, dict | list), EMPTIED),
    (lambda value: value is not None, {"null": lambda _value: None}),
)
"""For each kind of value the mutations by name. A mutation that changes nothing is left out, such as 0 x 2."""


def changes(value: Any) -> Iterator[Change]:
    """Every mutation of a JSON value, at every place inside of it, and every key of a mapping removed."""
    for number, (path, found) in enumerate(_places(value, ())):
        if number == MOST_DEEP:
            return
        for what, after in _mutated(found):
            yield Change(_written(path), what, found, after, _replaced(value, path, after))
        if path and isinstance(path[-1], str):
            yield Change(_written(path), "removed", found, None, _removed(value, path))


def of_number(value: Any) -> Iterator[tuple[str, Any]]:
    """Every mutation of a single value that was measured."""
    return _mutated(value)


def _mutated(value: Any) -> Iterator[tuple[str, Any]]:
    for is_kind, mutations in MUTATIONS:
        if not is_kind(value):
            continue
        for what, mutate in mutations.items():
            try:
                after = mutate(value)
            except OverflowError:
                continue
            if not _same(after, value) and not (isinstance(after, float) and not isfinite(after)):
                yield what, after


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


Path = tuple[str | int, ...]


def _places(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*path, number))


def _replaced(value: Any, path: Path, after: Any) -> Any:
    if not path:
        return after
    if isinstance(value, dict):
        return {name: _replaced(inner, path[1:], after) if name == path[0] else inner for name, inner in value.items()}
    return [_replaced(inner, path[1:], after) if n == path[0] else inner for n, inner in enumerate(value)]


def _removed(value: Any, path: Path) -> Any:
    if len(path) == 1:
        return {name: inner for name, inner in value.items() if name != path[0]}
    if isinstance(value, dict):
        return {name: _removed(inner, path[1:]) if name == path[0] else inner for name, inner in value.items()}
    return [_removed(inner, path[1:]) if n == path[0] else inner for n, inner in enumerate(value)]


def _written(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
