# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suggest the key or the value that was probably meant.

Each of the functions in `GUESSES` offers values for one that the schema does not accept. The first offer that the
schema accepts becomes the suggestion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rack_recipes.recipe.substitution import BARE_REFERENCE, REFERENCE
from rack_recipes.recipe.yaml.values_in_messages import closest

type Schema = Mapping[str, Any]
type Guess = Callable[[Any, Schema], Iterator[Any]]

MAX_LENGTH = 60  # characters of a suggestion; a longer one helps nobody

# The keys of other tools that mean one of ours and are not spelt like it: `closest` finds all others.
SYNONYMS = {
    "test_meta": ("metadata",),
    "test_id": ("id", "name"),
    "tester": ("author", "owner"),
    "labels": ("tags",),
    "params": ("variables", "inputs"),
    "steps": ("tasks",),
    "include": ("import", "import_tasks", "import_playbook"),
    "step": ("name",),
    "name": ("id", "label"),
    "module": ("uses", "script", "command", "cmd"),
    "function": ("class",),
    "args": ("with", "params", "parameters", "options"),
    "depends_on": ("needs", "requires", "after"),
    "reads": ("inputs",),
    "writes": ("outputs",),
    "when": ("if", "condition"),
    "loop": ("with_items", "foreach", "for_each"),
    "repeat": ("times",),
    "max": ("attempts", "tries", "retries", "at_most", "le"),
    "min": ("at_least", "ge"),
    "eq": ("equals", "is", "=="),
    "ne": ("not_equal", "is_not", "!="),
    "one_of": ("in", "choices", "enum"),
    "matches": ("regex", "regexp", "pattern"),
    "within": ("tolerance",),
    "delay_sec": ("wait", "interval"),
    "deadline_sec": ("timeout",),
    "backoff": ("factor",),
    "count": ("times",),
    "for_sec": ("duration",),
    "expires_sec": ("ttl", "max_age"),
    "capacity": ("size", "slots", "max"),
    "continue_on_fail": ("ignore_errors", "allow_failure"),
    "always": ("finally", "cleanup"),
    "become": ("sudo",),
    "delegate_to": ("via", "through", "proxy"),
    "write": ("writes",),
    "at": ("from",),
    "parse": ("as", "format"),
    "quorum": ("at_least", "min", "count"),
    "default": ("value",),
    "secret": ("no_log", "sensitive"),
    "success": ("expect", "assert"),
    "ctx_has_keys": ("keys",),
    "values": ("criteria", "checks"),
    "time_box": ("time_limit",),
    "fail_fast": ("any_errors_fatal", "exitfirst"),
    "pre_step": ("before", "setup"),
    "post_step": ("after", "teardown"),
}
ANSIBLE_KEYWORDS = frozenset(
    (
        "block",
        "changed_when",
        "check_mode",
        "environment",
        "failed_when",
        "no_log",
        "notify",
        "register",
        "run_once",
    )
)
WORDS = {
    True: ("yes", "on", "y", "true"),
    False: ("no", "off", "n", "false"),
    "none": ("none", "nothing", "no"),
    "ansible": ("module",),
    "shell": ("bash", "sh", "awk"),
    "native": ("c", "binary"),
    "run": ("once", "global"),
    "host": ("each", "all"),
    "str": ("text",),
    "int": ("number",),
    "float": ("double", "decimal"),
    "list": ("array", "sequence"),
    "dict": ("object", "map", "mapping"),
}
UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *(ms|sec|s|min|m|h|d)[a-z]{0,7}")
CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5}):([0-9]{2})")
NUMBER = re.compile(r"[-+]?(?:[0-9_]{0,20}[0-9]{1,20}\.?|[0-9_]{0,20}\.[0-9]{1,20})")
SIZES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
SIZE = re.compile(r"([0-9]{1,9}) *([kmgt])(?:i?b)?", re.IGNORECASE)
SHARE = re.compile(r"p?([0-9]{1,2}(?:\.[0-9]{1,9})?) *%?", re.IGNORECASE)
BRACE = re.compile(r"[{}]")
FOLDERS = re.compile(r"^(?:\./|\.\./|/)*(?:scriptlets/)?|\.(?:py|sh|awk|c)$")


def key_for_synonym(word: str, ours: list[str]) -> str:
    """The first of the keys `ours` for which `word` is a synonym; empty where there is none."""
    return next((key for key in ours if word.casefold() in SYNONYMS.get(key, ())), "")


def suggested_value(value: Any, schema: Schema, accepts: Callable[[Any], bool]) -> Any:
    """The value that was probably meant instead of `value`; None where none is accepted."""
    offers = (offer for guess in GUESSES.get(type(value), ()) for offer in guess(value, schema))
    return next((offer for offer in offers if accepts(offer)), None)


def as_flow_yaml(value: Any) -> str:
    """A value as flow-style YAML; empty where it is too long for a suggestion."""
    match value:
        case None:
            text = ""
        case str():
            text = value
        case list():
            text = f"[{', '.join(map(as_flow_yaml, value))}]"
        case dict():
            text = "{" + ", ".join(f"{key}: {as_flow_yaml(item)}" for key, item in value.items()) + "}"
        case _:
            text = json.dumps(value)
    return text if len(text) <= MAX_LENGTH else ""


def one_of(word: str, schema: Schema) -> Iterator[Any]:
    """A word of the schema, by the word of another tool for it or by its spelling."""
    yield from (ours for ours, others in WORDS.items() if word.strip().casefold() in others)
    yield closest(word, tuple(known for known in schema.get("enum", schema.get("words", ())) if isinstance(known, str)))


def number(word: str, schema: Schema) -> Iterator[Any]:
    """A number that is written otherwise: `+5`, `.5`, `010`, `1_000`, `"60"`, `10%`."""
    text = word.strip() if "share" in schema.get("errorMessage", "") else word.strip().removesuffix("%").strip()
    if NUMBER.fullmatch(text):
        read = float(text.replace("_", ""))
        yield int(read) if read.is_integer() else read


def seconds(word: str, schema: Schema) -> Iterator[Any]:
    """The seconds of a duration with a unit or with colons."""
    if "seconds" not in schema.get("errorMessage", ""):
        return
    if found := DURATION.fullmatch(word.strip()):
        read = round(float(found[1]) * UNITS[found[2]], 6)
        yield int(read) if read.is_integer() else read
    if found := CLOCK.fullmatch(word.strip()):
        yield int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])


def mebibytes(word: str, schema: Schema) -> Iterator[Any]:
    """The MiB of a size with a unit."""
    found = SIZE.fullmatch(word.strip())
    if found and "MiB" in schema.get("errorMessage", ""):
        yield int(int(found[1]) * SIZES[found[2].lower()])


def share(word: str, schema: Schema) -> Iterator[Any]:
    """The quantile of a percentile such as `p99`."""
    found = SHARE.fullmatch(word.strip())
    if found and "from 0 to 1" in schema.get("errorMessage", ""):
        yield float(found[1]) / 100


def percentile(value: float, schema: Schema) -> Iterator[Any]:
    """A percentage as a number from 0 to 1, or the other way round."""
    words = schema.get("errorMessage", "")
    if "from 0 to 1" in words and 1 < value <= 100:
        yield value / 100
    if "share" in words and 0 < value < 1:
        yield f"{value * 100:.0f}%"


def braces(word: str, schema: Schema) -> Iterator[Any]:
    """A reference or a Jinja expression with its braces, or a reference as a condition."""
    words, text = schema.get("errorMessage", ""), word.strip()
    if "${" in words and BARE_REFERENCE.fullmatch(text):
        yield f"${{{text}}}"
    if "Jinja" in words and REFERENCE.fullmatch(text):
        yield {"value": text, "eq": True}
    elif "Jinja" in words and not BRACE.search(text):
        yield f"{{{{ {text} }}}}"


def dotted(word: str, _schema: Schema) -> Iterator[Any]:
    """The dotted name of a scriptlet for the path of its file."""
    yield FOLDERS.sub("", word.strip()).replace("/", ".")


def cleaned_name(word: str, schema: Schema) -> Iterator[Any]:
    """A name without forbidden characters, or a context key with a version."""
    yield re.sub(r"[^A-Za-z0-9_.-]+", "_", word).strip("_")[:100]
    if "_v" in schema.get("pattern", ""):
        key = re.sub(r"[^a-z0-9_.]+", "_", word.casefold()).strip("_")
        yield key
        yield f"{key}_v1"
    yield word.rpartition(".")[2]
    yield re.sub(r"\W+", "_", word).strip("_")


def split(word: str, _schema: Schema) -> Iterator[Any]:
    """A list of the whole text, or of its words."""
    yield [word]
    yield re.split(r"[,\s]+", word.strip())


def key_values(word: str, _schema: Schema) -> Iterator[Any]:
    """Arguments as Ansible takes them in one line: `src=data.csv limit=5`."""
    parts = [part.partition("=") for part in word.split()]
    if all(name and mark for name, mark, _value in parts):
        yield {name: value for name, _mark, value in parts}


def boolean(value: int, _schema: Schema) -> Iterator[Any]:
    """True for 1, false for 0."""
    yield from (word for word in (True, False) if word == value)


def joined(items: list[Any], schema: Schema) -> Iterator[Any]:
    """A host pattern from a list of patterns, or a mapping from a list of mappings."""
    if "host pattern" in schema.get("errorMessage", "") and all(isinstance(item, str) for item in items):
        yield ",".join(items)
    if all(isinstance(item, dict) for item in items):
        yield {key: value for item in items for key, value in item.items()}


def wrapped(value: Any, schema: Schema) -> Iterator[Any]:
    """A mapping that has the value under one of its keys."""
    words = schema.get("title")
    if words == "a parameter":
        yield {
            "type": {bool: "bool", str: "str", int: "int", float: "float", list: "list"}[type(value)],
            "default": value,
        }
    if words != "a condition":
        yield from ({key: value} for key in schema.get("properties", ()))


GUESSES: dict[type, tuple[Guess, ...]] = {
    str: (one_of, number, seconds, mebibytes, share, braces, dotted, cleaned_name, split, key_values, wrapped),
    int: (boolean, percentile, wrapped),
    float: (percentile, wrapped),
    list: (joined, wrapped),
}
