# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the errors of jsonschema into recipe errors, and suggests the key or value that was probably meant.

Each of the functions in `GUESSES` offers values for one that the schema does not accept. The first offer that the
schema accepts becomes the suggestion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import Place, RecipeError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.schema.json_schema import mappings, schema
from rack_recipes.recipe.substitution import BARE_REFERENCE, REFERENCE
from rack_recipes.recipe.values_in_messages import closest, listed, listed_or, quoted, shown
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_and_positions import KEY

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator
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
COMPARED = re.compile(
    r"(\$\{[^{}]{1,200}\}|[a-z][a-z0-9_.]{0,200}_v[0-9]{1,4}[\w.\[\]]{0,200}|params\.\w{1,100}) *(>=|<=|==|!=|>|<) *"
    r"(-?[0-9.]{1,40}|\"[^\"]{0,100}\"|'[^']{0,100}'|\w{1,100})"
)
SPECIAL = re.compile(r"[][{}]|: | #|^\s|\s$|^$")
SIGNS = {">": "min", ">=": "min", "<": "max", "<=": "max", "==": "eq", "!=": "ne"}
NUMBER = re.compile(r"[-+]?(?:[0-9_]{0,20}[0-9]{1,20}\.?|[0-9_]{0,20}\.[0-9]{1,20})")
SIZES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
SIZE = re.compile(r"([0-9]{1,9}) *([kmgt])(?:i?b)?", re.IGNORECASE)
SHARE = re.compile(r"p?([0-9]{1,2}(?:\.[0-9]{1,9})?) *%?", re.IGNORECASE)
BRACE = re.compile(r"[{}]")
FOLDERS = re.compile(r"^(?:\./|\.\./|/)*(?:scriptlets/)?|\.(?:py|sh|awk|c)$")


def key_for_synonym(word: str, ours: list[str]) -> str:
    """The first of the keys `ours` for which `word` is a synonym; empty where there is none."""
    return next((key for key in ours if word.casefold() in SYNONYMS.get(key, ())), "")


def suggested_value(value: object, schema: Schema, accepts: Callable[[Any], bool]) -> Any:
    """The value that was probably meant instead of `value`; None where none is accepted."""
    offers = (offer for guess in GUESSES.get(type(value), ()) for offer in guess(value, schema))
    return next((offer for offer in offers if accepts(offer)), None)


def as_flow_yaml(value: object) -> str:
    """A value as flow-style YAML; empty where it is too long for a suggestion."""
    match value:
        case None:
            text = ""
        case str():
            text = value
        case list():
            text = f"[{', '.join(map(_inside, value))}]"
        case dict():
            text = "{" + ", ".join(f"{key}: {_inside(item)}" for key, item in value.items()) + "}"
        case _:
            text = json.dumps(value)
    return text if len(text) <= MAX_LENGTH * (1 if isinstance(value, str) else 2) else ""


def _inside(item: object) -> str:
    """An item of a list or mapping in brackets, where a text with a bracket or a comma needs quotes."""
    return (
        json.dumps(item, ensure_ascii=False) if isinstance(item, str) and SPECIAL.search(item) else as_flow_yaml(item)
    )


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
    compared = COMPARED.fullmatch(text)
    if "condition" in words and compared:
        yield condition(*compared.groups())
    if "Jinja" in words and REFERENCE.fullmatch(text):
        yield {"value": text, "eq": True}
    elif "Jinja" in words and not BRACE.search(text):
        yield f"{{{{ {text} }}}}"


def condition(key: str, sign: str, value: str) -> Any:
    """What a comparison of a key with a value is called in a recipe: `t.a_v1 >= 5`."""
    reference = key if key.startswith("${") else f"${{{key}}}"
    bound = float(value) if NUMBER.fullmatch(value) else value.strip("\"'")
    bound = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
    same = {"value": reference, SIGNS[sign]: bound}
    return [same, {"value": reference, "ne": bound}] if sign in (">", "<") else same


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


def wrapped(value: object, schema: Schema) -> Iterator[Any]:
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
MAX_OWNERS = 4  # a key of more mappings is not said to belong in any of them
TOP = "the recipe itself"
REMARKS = {
    **dict.fromkeys(ANSIBLE_KEYWORDS, ", a keyword of Ansible's, not of recipes"),
    "warn": ", which belongs in the values of success",
}
MAX_GUESSES = 100  # unknown keys that are compared with a missing one
NO_BREAK_SPACE = "\u00a0"
JAMMED_COLON = re.compile(r"[A-Za-z_]\w*:\S")


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A value that its schema does not accept."""

    document: Document
    validator: Validator
    path: Path
    value: Any
    schema: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """The place of the value."""
        return self.document.places[self.path]

    def unknown(self) -> Iterator[str]:
        """The keys of the mapping that its schema does not have."""
        return (key for key in self.value if key not in self.schema["properties"])

    def accepts(self, value: Any) -> bool:
        """Whether the schema accepts `value` in this place."""
        return self.validator.evolve(schema=self.schema).is_valid(value)

    def is_step(self) -> bool:
        """Whether this is a step, or an include."""
        return len(self.path) == 2 and self.path[0] == "steps"

    def owner(self) -> str:
        """The mapping at this path, in words for users."""
        match self.path:
            case ():
                return "a recipe"
            case ("steps", int() as index):
                return step_in_words(self.value, index)
            case ("params" | "locks" as kind, str() as name):
                return f"{kind.removesuffix('s')} {quoted(name)}".replace("param ", "parameter ")
            case _:
                return str(self.schema.get("title", self.path[-1]))


def recipe_errors(error: ValidationError, document: Document, validator: Validator) -> Iterator[RecipeError]:
    """One error of jsonschema as one or several recipe errors."""
    violated: Any = error.schema
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance), KEY)
    invalid = InvalidValue(document, validator, path, error.instance, violated)
    yield from EXPLANATIONS.get(str(error.validator), wrong_value)(invalid)


def step_in_words(step: Mapping[str, object], index: int) -> str:
    """A step or an include in words: by its name, or by its number in the file where it has none."""
    kind, name = "include" if "include" in step else "step", step.get("name")
    return f"{kind} {quoted(name)}" if isinstance(name, str) and name else f"{kind} {index + 1} of the file"


def wrong_value(invalid: InvalidValue) -> Iterator[RecipeError]:
    """A value of the wrong type, size or form."""
    near = suggested_value(invalid.value, invalid.schema, invalid.accepts)
    got = shown(invalid.value)
    if isinstance(invalid.value, str) and JAMMED_COLON.match(invalid.value) and invalid.schema.get("type") == "object":
        yield RecipeError(invalid.place, "a space after the colon", got)
    elif isinstance(invalid.value, str) and near is not None and as_flow_yaml(near) == invalid.value:
        yield RecipeError(invalid.place, expected(invalid.schema), f"{got}: leave out the quotes")
    elif isinstance(invalid.value, (bool, int, float)) and invalid.accepts(json.dumps(invalid.value)):
        yield RecipeError(invalid.place, expected(invalid.schema), f"{got}: write it in quotes")
    else:
        yield RecipeError(invalid.place, expected(invalid.schema), got, as_flow_yaml(near))


def expected(schema: Mapping[str, Any]) -> str:
    """What the schema expects, in words."""
    words = schema.get("enum")
    return listed_or(words) if words else str(schema["errorMessage"])


def unknown_keys(invalid: InvalidValue) -> Iterator[RecipeError]:
    """Keys that a mapping does not have."""
    valid = tuple(invalid.schema["properties"])
    for key in invalid.unknown():
        near, remark = suggest_key(key, invalid)
        more = "" if near or remark else f" ({', '.join(valid)})"
        place = invalid.document.places[*invalid.path, key, KEY]
        yield RecipeError(place, f"a key of {invalid.owner()}{more}", quoted(key) + remark, near)


def suggest_key(key: str, invalid: InvalidValue) -> tuple[str, str]:
    """The key that was probably meant, or a remark on the key that was found."""
    valid = (*invalid.schema["properties"], *(("include",) if invalid.is_step() else ()))
    if NO_BREAK_SPACE in key:
        return "", ", which holds a no-break space: type that space anew"
    if synonym := key_for_synonym(key, [known for known in valid if known not in invalid.value]):
        return synonym, ""
    if remark := REMARKS.get(key):
        return "", remark
    near, owner = closest(key, valid), owners_of_keys().get(key)
    if owner and not (near and near.startswith(key)):
        return "", f", which belongs in {owner}"
    return near, ""


def missing_keys(invalid: InvalidValue) -> Iterator[RecipeError]:
    """Keys that are required. One that was probably misspelt is reported as an unknown key only."""
    misspelt = {suggest_key(key, invalid)[0] for key in islice(invalid.unknown(), MAX_GUESSES)}
    missing = [key for key in invalid.schema["required"] if key not in invalid.value and key not in misspelt]
    if missing and "include" not in misspelt:
        got = f"only {listed(invalid.value)}" if invalid.value else "an empty mapping"
        yield RecipeError(invalid.place, f"{' and '.join(map(repr, missing))} in {invalid.owner()}", got)


def too_few(invalid: InvalidValue) -> Iterator[RecipeError]:
    """A list without items, such as the steps of a recipe."""
    if invalid.path == ("steps",):
        yield RecipeError(invalid.place, "at least one step", f"{shown(invalid.value)}, a recipe that checks nothing")
    else:
        yield from wrong_value(invalid)


@cache
def owners_of_keys() -> Mapping[str, str]:
    """The mappings that have each key, in words. Keys that many mappings have are left out."""
    found: dict[str, dict[str, None]] = {}
    for name, part in mappings({**schema(), "title": TOP}, TOP):
        for key in part["properties"]:
            found.setdefault(key, {})[part.get("title", name)] = None
    return {key: listed_or(known) for key, known in found.items() if len(known) <= MAX_OWNERS}


EXPLANATIONS: dict[str, Callable[[InvalidValue], Iterator[RecipeError]]] = {
    "additionalProperties": unknown_keys,
    "required": missing_keys,
    "minItems": too_few,
}
