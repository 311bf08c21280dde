# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an error names what it found, and the word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import nearest

LONGEST = 40  # characters of a found text in an error
COMPARED = 100  # a longer word is nobody's slip, and comparing it takes long


def quoted(text: str) -> str:
    """`text` in quotes, cut where it is long; what no terminal shows is escaped, all else is as it was written."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    readable = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in short)
    return f'"{readable}"' if "'" in readable else f"'{readable}'"


def shown(value: Any) -> str:
    """A value that was found in a recipe, in words that fit after "got"."""
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
    """Words between commas, the first of them where there are many."""
    known = list(islice(map(str, words), most + 1))
    short = (word if len(word) <= LONGEST and word.isprintable() else quoted(word) for word in known[:most])
    return ", ".join(short) + (", ..." if len(known) > most else "")


@lru_cache(maxsize=4096)
def closest(word: str, valid: tuple[str, ...]) -> str:
    """The valid word that `word` was probably meant to be, whatever its case, or an empty string."""
    if len(word) > COMPARED:
        return ""
    spelt = {known.casefold(): known for known in valid}
    return spelt.get(nearest(word.strip().casefold(), list(spelt)), "")
