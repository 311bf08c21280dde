# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for error messages: a value that was found, a list of names, the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

from rack_recipes.errors import nearest

MAX_SHOWN = 40  # characters of a text in an error
MAX_COMPARED = 100  # characters of a word that is compared with others: with a longer one that takes long


def quoted(text: str) -> str:
    """`text` in quotes. A long text is cut, and characters that cannot be printed are escaped."""
    short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
    readable = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in short)
    return f'"{readable}"' if "'" in readable else f"'{readable}'"


def shown(value: object) -> str:
    """A value in words that fit after "got"."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value) if value else "empty text"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return f"a mapping with {listed(value)}" if value else "an empty mapping"
        case _:
            return f"the number {value}"


def listed(words: Iterable[object], most: int = 8) -> str:
    """Words with commas between them; of many only the first `most`."""
    known = list(islice(map(str, words), most + 1))
    short = (word if len(word) <= MAX_SHOWN and word.isprintable() else quoted(word) for word in known[:most])
    return ", ".join(short) + (", ..." if len(known) > most else "")


def listed_or(words: Iterable[str]) -> str:
    """Words with commas between them, and "or" before the last one."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


@lru_cache(maxsize=4096)
def closest(word: str, valid: tuple[str, ...]) -> str:
    """The valid word that is most like `word`, whatever its case; empty where none is like it."""
    if len(word) > MAX_COMPARED:
        return ""
    spelt = {known.casefold(): known for known in valid}
    return spelt.get(nearest(word.strip().casefold(), list(spelt)), "")
