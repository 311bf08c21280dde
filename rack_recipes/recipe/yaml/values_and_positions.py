# SPDX-License-Identifier: GPL-3.0-or-later

"""The value of a word without quotes, and the line and column of each value and key of a file.

`null`, `true`, `false` (also with capitals, as in YAML 1.2) and numbers in the form of JSON have a value. All other
words are text: `NO`, `on`, `010`, `1_000`, `1:30` and `2026-11-25` are read as they are written.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST
from rack_recipes.errors import Place
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.values_in_messages import quoted

type Scalar = str | int | float | bool | None
WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMBER_STARTS = frozenset("-0123456789")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
NO_NUMBERS = frozenset(
    [".nan", ".NaN", ".NAN", "NaN", "Infinity", "-Infinity"]
    + [sign + word for sign in ("", "-", "+") for word in (".inf", ".Inf", ".INF")]
)
LONGEST_INTEGER = len(str(-LARGEST))


class MergeKey(str):
    """The key `<<` without quotes, which adds the keys of another mapping."""

    __slots__ = ()


MERGE = MergeKey("<<")


class UnclearError(ValueError):
    """A word that is refused, with what was expected instead of it."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got


@lru_cache(maxsize=256)  # most words of a recipe are in each of its steps
def resolve_scalar(word: str) -> Scalar:
    """The value of a word without quotes. Raises UnclearError."""
    if word in NO_NUMBERS:
        raise UnclearError("a finite number, or text in quotes", word)
    if word[:1] not in NUMBER_STARTS:
        return WORDS.get(word, word)
    found = NUMBER.fullmatch(word)
    if not found:
        return word
    return decimal(word, found["fraction"]) if found["fraction"] or found["exponent"] else integer(word)


def integer(word: str) -> int:
    """A whole number that databases can hold. Raises UnclearError."""
    if len(word) > LONGEST_INTEGER or not -LARGEST <= int(word) < LARGEST:
        raise UnclearError("a number that fits into 64 bits, or text in quotes", quoted(word))
    return int(word)


def decimal(word: str, fraction: str | None) -> float:
    """A decimal number. Raises UnclearError where it is too large, or would lose zeros at its end."""
    number = float(word)
    if not math.isfinite(number):
        raise UnclearError("a number below 1.8e308, or text in quotes", quoted(word))
    if fraction and fraction.endswith("0") and fraction != ".0":
        raise UnclearError(f"text in quotes, or a number without zeros at its end ({number})", word)
    return number


KEY = -1  # at the end of the path of a value: its key. It can be neither an index nor a key of a file
ROOT = 0  # the number of the top value
# Keys and values are numbered in the order of the file. The number of a key is one less than that of its value.
type Spot = int
type Inside = list[Spot] | dict[str, Spot]  # a list's items, or the values of a mapping


def numbers() -> array[int]:
    """An empty array of numbers, which takes less memory than a list."""
    return array("I")


@dataclass(frozen=True, slots=True)
class Spots:
    """Lines and columns of keys and values by their numbers, both counted from 0.

    `ends` has the first number after each value, and `keys` the text of each key; `insides` is made from them, when it
    is asked for. `repeats` has for an alias the number of the value that it repeats.
    """

    lines: array[int] = field(default_factory=numbers)
    columns: array[int] = field(default_factory=numbers)
    ends: array[int] = field(default_factory=numbers)
    keys: list[str | None] = field(default_factory=list)
    repeats: dict[Spot, Spot] = field(default_factory=dict)
    insides: dict[Spot, Inside] = field(default_factory=dict, compare=False)

    def add(self, line: int, column: int) -> Spot:
        """Number the next key or value."""
        spot = len(self.ends)
        self.lines.append(line)
        self.columns.append(column)
        self.ends.append(spot + 1)
        self.keys.append(None)
        return spot

    def close(self, spot: Spot) -> None:
        """End a list or mapping: all that was added after it is inside of it."""
        self.ends[spot] = len(self.ends)

    def place(self, spot: Spot, file: str) -> Place:
        """The place of a key or value."""
        return Place(file, self.lines[spot] + 1, self.columns[spot] + 1)

    def inside(self, spot: Spot) -> Inside:
        """The items of a list or the values of a mapping; none for any other value."""
        spot = self.repeats.get(spot, spot)
        if spot not in self.insides:
            is_map = spot + 1 < self.ends[spot] and self.keys[spot + 1] is not None
            self.insides[spot] = self.values(spot) if is_map else self.items(spot)
        return self.insides[spot]

    def items(self, spot: Spot) -> list[Spot]:
        """The items of a list."""
        spot = self.repeats.get(spot, spot)
        found: list[Spot] = []
        item = spot + 1
        while item < self.ends[spot]:
            found.append(item)
            item = self.ends[item]
        return found

    def values(self, spot: Spot) -> dict[str, Spot]:
        """The values of a mapping by their keys, with those of merged mappings."""
        spot = self.repeats.get(spot, spot)
        known = self.insides.get(spot)
        if isinstance(known, dict):
            return known
        found: dict[str, Spot] = {}
        key = spot + 1
        while key < self.ends[spot]:
            text = self.keys[key]
            if text is not None and text is not MERGE:
                found[text] = key + 1
            key = self.ends[key + 1]
        return found


@dataclass(frozen=True, slots=True)
class NodePositions(Mapping[Path, Place]):
    """The places of the values and keys of one file, by path.

    A path is followed only when it is asked for, since most never are. A value that aliases repeat is held once.
    """

    file: str
    spots: Spots = field(repr=False)

    def __getitem__(self, path: Path) -> Place:
        return self.spots.place(self.spot(path), self.file)

    def __iter__(self) -> Iterator[Path]:
        yield from self.paths(ROOT, ())

    def __len__(self) -> int:
        return sum(1 for _path in self)

    def spot(self, path: Path) -> Spot:
        """The number of the value at a path. Raises KeyError."""
        has_key = False
        spot = ROOT
        for name in path:
            match self.spots.inside(spot):
                case dict() as values if isinstance(name, str) and name in values:
                    has_key, spot = True, values[name]
                case list() as items if isinstance(name, int) and 0 <= name < len(items):
                    has_key, spot = False, items[name]
                case _ if name == KEY and has_key:
                    has_key, spot = False, spot - 1
                case _:
                    raise KeyError(path)
        return spot

    def paths(self, spot: Spot, path: Path) -> Iterator[Path]:
        """The path of a value, and those of all values and keys inside of it."""
        yield path
        match self.spots.inside(spot):
            case list() as items:
                for index, item in enumerate(items):
                    yield from self.paths(item, (*path, index))
            case dict() as values:
                for key, value in values.items():
                    yield (*path, key, KEY)
                    yield from self.paths(value, (*path, key))
