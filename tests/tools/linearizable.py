# SPDX-License-Identifier: GPL-3.0-or-later

"""Check whether a history of versioned keys is linearizable.

It is if each operation can have happened at one moment between its begin and its end, so that one order explains all
answers (Herlihy and Wing, 1990, https://doi.org/10.1145/78969.78972). The search is that of Wing and Gong (1993,
https://doi.org/10.1006/jpdc.1993.1015) with Lowe's memory of what was tried (2017, https://doi.org/10.1002/cpe.3928),
key by key, as Porcupine does it (https://github.com/anishathalye/porcupine). It is exact: it says yes if and only if
there is such an order.

An operation whose connection broke has an unknown outcome. It may have happened at any moment since its begin, also
long after the connection broke, or never.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

READ, WRITE, ADD = "read", "write", "add"
UNKNOWN = math.inf  # the end of an operation that was never answered


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client did with a key, from `began` to `ended` by one clock; UNKNOWN if it got no answer.

    `operand` is the value that it writes, or what it adds. With `based_on` it counts only if the key has that version
    (0: it is not set). The answer is `version` and `value`: those that it made or read or, where it `was_refused` for
    another version, those of that moment. Versions count from 1, each change is the next one. Values are hashable.
    """

    key: str
    action: str
    began: float
    ended: float = UNKNOWN
    operand: Any = None
    based_on: int | None = None
    version: int = 0
    value: Any = None
    was_refused: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it got an answer."""
        return self.ended != UNKNOWN

    @property
    def before(self) -> int:
        """The version that the key had at the moment of an operation that was answered."""
        return self.version - (self.action != READ and not self.was_refused)

    def __str__(self) -> str:
        what = f"{self.action} {self.operand!r}" if self.action != READ else READ
        based = "" if self.based_on is None else f" based on version {self.based_on}"
        told = f"{'refused at ' if self.was_refused else ''}version {self.version}, {self.value!r}"
        return f"{what}{based} ({told if self.is_known else 'no answer'}), begun at {self.began:.6f}"


@dataclass(frozen=True, slots=True)
class State:
    """A key at some moment."""

    version: int = 0
    value: Any = None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the search: what has happened so far, and the state after it.

    Of the answered operations, in the order in which they began, all before number `base` have happened, and those
    whose bit is set in `more`, which begins with number `base`. `unknown` has a bit for each of the others.
    """

    base: int = 0
    more: int = 0
    unknown: int = 0
    state: State = State()


def problems(history: Iterable[Operation]) -> list[str]:
    """A line for each key whose history is not linearizable, in the order of the keys."""
    keys: dict[str, list[Operation]] = {}
    for operation in history:
        keys.setdefault(operation.key, []).append(operation)
    found = ((key, _Search(operations).stuck()) for key, operations in sorted(keys.items()))
    return [f"{key}: no order explains {operation}" for key, operation in found if operation]


class _Search:
    """The search through all orders of one key's operations."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        by_begin = sorted(operations, key=lambda one: one.began)
        self._known = [one for one in by_begin if one.is_known]
        self._unknown = [one for one in by_begin if not one.is_known and one.action != READ]
        self._least = _least_behind([one.before for one in self._known])

    def stuck(self) -> Operation | None:
        """None if there is an order; else the first operation that none of the longest orders got to."""
        tried, furthest = {Point()}, Point()
        path = [self._next(Point())]
        while furthest.base < len(self._known):
            point = next(path[-1], None)
            if point is None:
                path.pop()
                if not path:
                    return self._known[furthest.base]
            elif point not in tried:
                tried.add(point)
                path.append(self._next(point))
                furthest = max(furthest, point, key=lambda each: each.base)
        return None

    def _next(self, point: Point) -> Iterator[Point]:
        """The points to which one operation leads and that leave nothing behind, those of answered operations first."""
        for following in self._led_to(point):
            if following.state.version <= self._least_left(following):
                yield following

    def _led_to(self, point: Point) -> Iterator[Point]:
        could, until = self._could_be_next(point)
        for number in could:
            state = _after(self._known[number], point.state)
            if state:
                yield self._with(point, number, state)
        for number, one in enumerate(self._unknown):
            if one.began > until:
                return
            state = None if point.unknown >> number & 1 else _after(one, point.state)
            if state:
                yield Point(point.base, point.more, point.unknown | 1 << number, state)

    def _could_be_next(self, point: Point) -> tuple[list[int], float]:
        """The numbers of answered operations that begin before another one has to be over, and when that is."""
        could, until = list[int](), math.inf
        for number in range(point.base, len(self._known)):
            one = self._known[number]
            if one.began > until:
                break
            if not point.more >> (number - point.base) & 1:
                could.append(number)
                until = min(until, one.ended)
        return [number for number in could if self._known[number].began <= until], until

    def _with(self, point: Point, number: int, state: State) -> Point:
        base, more = point.base, point.more | 1 << (number - point.base)
        while more & 1:
            base, more = base + 1, more >> 1
        return Point(base, more, point.unknown, state)

    def _least_left(self, point: Point) -> float:
        """The lowest version that an answered operation still has to meet: versions never go back."""
        behind = point.base + point.more.bit_length()
        inside = (
            self._known[number].before
            for number in range(point.base, behind)
            if not point.more >> (number - point.base) & 1
        )
        return min(self._least[behind], *inside, math.inf)


def _least_behind(versions: Sequence[int]) -> list[float]:
    """For each number the lowest version from there on; one more for the end."""
    least = [math.inf]
    for version in reversed(versions):
        least.append(min(least[-1], version))
    return least[::-1]


def _after(one: Operation, state: State) -> State | None:
    """The state after an operation; None if it cannot have happened here, or if nobody can tell whether it has."""
    refused = one.based_on not in (None, state.version)
    made = state if refused or one.action == READ else _changed(one, state)
    if not one.is_known:
        return None if refused else made
    return made if (refused, made.version, made.value) == (one.was_refused, one.version, one.value) else None


def _changed(one: Operation, state: State) -> State:
    value = one.operand if one.action == WRITE else (state.value or 0) + one.operand
    return State(state.version + 1, value)
