# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was probably meant where a recipe holds something else.

Each reading here offers values; only one that the schema accepts in that place becomes a suggestion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.words import closest

type Schema = Mapping[str, Any]
type Reading = Callable[[Any, Schema], Iterator[Any]]

LONGEST = 60  # characters of a suggestion; a longer one helps nobody

# Words of other tools, and of plain English, for ours.
KEYS = {
    "test_meta": ("meta", "metadata", "test", "info"),
    "test_id": ("id", "name", "title"),
    "tester": ("author", "owner", "user"),
    "steps": ("tasks", "tests"),
    "name": ("id", "title", "step", "label"),
    "idx": ("index", "order", "number"),
    "type": ("kind", "lang", "language"),
    "module": ("scriptlet", "script", "uses", "command", "cmd", "path", "file"),
    "function": ("class", "cls"),
    "args": ("params", "parameters", "arguments", "vars", "options", "with", "kwargs"),
    "depends_on": ("needs", "requires", "after", "depends", "dependencies"),
    "reads": ("inputs", "input"),
    "writes": ("outputs", "output"),
    "retry": ("retries",),
    "max": ("tries", "attempts", "retries", "count"),
    "delay_sec": ("delay", "wait", "interval", "sleep"),
    "success": ("until", "expect", "criteria"),
}
KEYWORDS = frozenset(
    (
        "become",
        "become_user",
        "block",
        "changed_when",
        "check_mode",
        "delegate_to",
        "environment",
        "failed_when",
        "ignore_errors",
        "loop",
        "no_log",
        "notify",
        "register",
        "run_once",
        "tags",
        "when",
        "with_items",
    )
)
WORDS = {
    True: ("yes", "on", "y", "true"),
    False: ("no", "off", "n", "false"),
    "shell": ("bash", "sh", "awk", "ksh", "zsh", "script"),
    "native": ("c", "binary", "program", "c++"),
    "run": ("once", "global", "controller"),
    "host": ("each", "all", "local"),
}
UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *(ms|sec|s|min|m|h|d)[a-z]{0,7}")
CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5}):([0-9]{2})")
NUMBER = re.compile(r"[-+]?[0-9_]{0,20}\.?[0-9]{1,20}\.?")
FOLDERS = re.compile(r"^(?:\./|\.\./|/)*(?:scriptlets/)?|\.(?:py|sh|awk|c)$")


def other_word(word: str, ours: list[str]) -> str:
    """The key of ours that other tools call `word`, or an empty string."""
    return next((key for key in ours if word.casefold() in KEYS.get(key, ())), "")


def meant(value: Any, schema: Schema, accepts: Callable[[Any], bool]) -> Any:
    """The value that was probably meant instead of `value`, None where there is no telling."""
    offers = (offer for reading in READINGS.get(type(value), ()) for offer in reading(value, schema))
    return next((offer for offer in offers if accepts(offer)), None)


def flow(value: Any) -> str:
    """A suggestion as it would be written in a recipe, empty where it is too long to help."""
    match value:
        case None:
            text = ""
        case str():
            text = value
        case list():
            text = f"[{', '.join(map(flow, value))}]"
        case dict():
            text = "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case _:
            text = json.dumps(value)
    return text if len(text) <= LONGEST else ""


def one_of(word: str, schema: Schema) -> Iterator[Any]:
    """One of few values, by another tool's word for it or by its letters."""
    yield from (ours for ours, others in WORDS.items() if word.strip().casefold() in others)
    yield closest(word, tuple(known for known in schema.get("enum", ()) if isinstance(known, str)))


def number(word: str, _schema: Schema) -> Iterator[Any]:
    """A number in another way of writing: `+5`, `.5`, `010`, `1_000`, `"60"`."""
    if NUMBER.fullmatch(word.strip()):
        read = float(word.replace("_", ""))
        yield int(read) if read.is_integer() else read


def seconds(word: str, schema: Schema) -> Iterator[Any]:
    """A duration with a unit, or with colons."""
    if "seconds" not in schema.get("errorMessage", ""):
        return
    if found := DURATION.fullmatch(word.strip()):
        read = round(float(found[1]) * UNITS[found[2]], 6)
        yield int(read) if read.is_integer() else read
    if found := CLOCK.fullmatch(word.strip()):
        yield int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])


def dotted(word: str, _schema: Schema) -> Iterator[Any]:
    """A scriptlet by the path of its file."""
    yield FOLDERS.sub("", word.strip()).replace("/", ".")


def plain(word: str, schema: Schema) -> Iterator[Any]:
    """A name without the characters that it may not hold, a context key with a version."""
    yield re.sub(r"[^A-Za-z0-9_.-]+", "_", word).strip("_")[:100]
    if "_v" in schema.get("pattern", ""):
        key = re.sub(r"[^a-z0-9_.]+", "_", word.casefold()).strip("_")
        yield key
        yield f"{key}_v1"
    yield word.rpartition(".")[2]
    yield re.sub(r"\W+", "_", word).strip("_")


def split(word: str, _schema: Schema) -> Iterator[Any]:
    """A list of one, or of words between commas or spaces."""
    yield [word]
    yield re.split(r"[,\s]+", word.strip())


def pairs(word: str, _schema: Schema) -> Iterator[Any]:
    """Arguments as Ansible takes them in one line: `src=data.csv limit=5`."""
    parts = [part.partition("=") for part in word.split()]
    if all(name and mark for name, mark, _value in parts):
        yield {name: value for name, _mark, value in parts}


def truth(value: int, _schema: Schema) -> Iterator[Any]:
    """A 1 or a 0 for true or false."""
    yield from (word for word in (True, False) if word == value)


def joined(items: list[Any], _schema: Schema) -> Iterator[Any]:
    """A host pattern that was written as a list; a mapping that was written as a list of its parts."""
    if all(isinstance(item, str) for item in items):
        yield ",".join(items)
    if all(isinstance(item, dict) for item in items):
        yield {key: value for item in items for key, value in item.items()}


def inside(value: Any, schema: Schema) -> Iterator[Any]:
    """A mapping of which only the one value was written."""
    yield from ({key: value} for key in schema.get("properties", ()))


READINGS: dict[type, tuple[Reading, ...]] = {
    str: (one_of, number, seconds, dotted, plain, split, pairs, inside),
    int: (truth, inside),
    float: (inside,),
    list: (joined, inside),
}
