# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gallery tells of one scriptlet, module, recipe or role, and the search for it by words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["scriptlet", "recipe", "role", "module"]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a scriptlet, a parameter of a recipe, or a variable of a role.

    `default` is None where there is none. `source` says where the default is from. `choices` are the values that it
    takes, empty where it takes any of its type. A `secret` is shown nowhere.
    """

    name: str
    type: str = "str"
    unit: str = ""
    default: Any = None
    required: bool = False
    choices: tuple[Any, ...] = ()
    description: str = ""
    source: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class GalleryEntry:
    """One entry.

    `name` is what a user writes: a scriptlet's `module` (with `function` where its file has several), the path of a
    recipe, the full name of a role or module. `family` is the page that it stands on.
    `sentence` is what it does, `details` are more paragraphs. `arguments` is None where any are taken.
    `keys` maps each context key that it sets to what it holds, with units. `needs` is None where nothing is said.
    `verdicts` maps each verdict besides `passed` to when it is given.
    `example` is YAML, or for a recipe a command. `steps` are the name, module and hosts of each step of a recipe.
    """

    kind: Kind
    name: str
    family: str
    sentence: str
    path: Path
    source: Literal["project", "collection"]
    language: str = "YAML"
    function: str = ""
    details: str = ""
    scope: str = "host"
    arguments: tuple[Argument, ...] | None = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] | None = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    steps: tuple[tuple[str, str, str], ...] = ()
    deprecated: str = ""


KINDS = ("scriptlet", "recipe", "role", "module")
WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
SHORTEST = 4  # letters of a word that is worth a hint


def search(entries: Iterable[GalleryEntry], words: Sequence[str]) -> list[GalleryEntry]:
    """Return the entries that have all words, the best first.

    A word that is the name counts most, then one that is a part of the name, then one in the sentence, then one
    elsewhere: in keys, units, arguments, needs, verdicts. Capitals do not matter.
    """
    wanted = [word.lower() for word in words]
    ranked = [(ranks, entry) for entry in entries if None not in (ranks := [rank(entry, word) for word in wanted])]
    return [entry for _ranks, entry in sorted(ranked, key=_order)]


def _order(ranked: tuple[list[int | None], GalleryEntry]) -> tuple[int, int, str, str]:
    ranks, entry = ranked
    return sum(each or 0 for each in ranks), KINDS.index(entry.kind), entry.name, entry.function


def rank(entry: GalleryEntry, word: str) -> int | None:
    """Return how well a word in small letters fits an entry, 0 is best; None where it does not."""
    return next((place for place, fits in enumerate(PLACES) if fits(entry, word)), None)


def _is_name(entry: GalleryEntry, word: str) -> bool:
    return word in {entry.name.lower(), entry.path.stem.lower(), entry.function.lower()}


PLACES: tuple[Callable[[GalleryEntry, str], bool], ...] = (
    _is_name,
    lambda entry, word: word in re.split(r"[./_]", entry.name.lower()),
    lambda entry, word: word in f"{entry.name} {entry.function}".lower(),
    lambda entry, word: word in entry.sentence.lower(),
    lambda entry, word: word in rest(entry).lower(),
)


def rest(entry: GalleryEntry) -> str:
    """Return all else that an entry says, as one text."""
    pairs = [*entry.keys.items(), *entry.verdicts.items(), *((step, module) for step, module, _hosts in entry.steps)]
    lines = [entry.details, entry.language, *(entry.needs or ()), *(text for pair in pairs for text in pair)]
    return "\n".join([*lines, *map(_said, entry.arguments or ())])


def _said(argument: Argument) -> str:
    return f"{argument.name} {argument.unit} {argument.description} {' '.join(map(str, argument.choices))}"


def nearest_word(entries: Iterable[GalleryEntry], words: Sequence[str]) -> tuple[str, str]:
    """Return the first of the words that no entry has, and the word of the gallery that is nearest to it.

    The second is empty where none is near; both are empty where each word is somewhere.
    """
    known = list(entries)
    lost = next((word for word in words if not search(known, [word])), "")
    vocabulary = sorted({word for entry in known for word in WORD.findall(_all(entry)) if len(word) >= SHORTEST})
    return lost, next(iter(difflib.get_close_matches(lost.lower(), vocabulary, n=1, cutoff=0.7)), "") if lost else ""


def _all(entry: GalleryEntry) -> str:
    return f"{entry.name.replace('.', ' ')} {entry.sentence} {rest(entry)}".lower()
