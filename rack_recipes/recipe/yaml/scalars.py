# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value of a word without quotes.

`null`, `true`, `false` (also with capitals, as in YAML 1.2) and numbers in the form of JSON have a value. All other
words are text: `NO`, `on`, `010`, `1_000`, `1:30` and `2026-11-25` are read as they are written.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST
from rack_recipes.recipe.yaml.values_in_messages import quoted

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
def resolve(word: str) -> Scalar:
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
