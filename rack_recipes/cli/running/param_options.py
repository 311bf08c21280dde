# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the values of a recipe's parameters from the options --param and --param-file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rack_recipes.errors import RecipeError, RecipeErrors, UsageError
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.recipe.yaml.values_and_positions import KEY

KINDS = {
    list: "a list",
    str: "a text",
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


MOST_BYTES = 16 << 20  # of a file with parameters
QUOTING = re.compile(r" \(.*| that closes .*", re.DOTALL)  # the parts of the YAML reader's messages that quote the file


class RepeatedError(ValueError):
    """A mapping in a JSON file has a name twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.msg = f"expected each name once, got {name!r} again"


class GivenParams(NamedTuple):
    """The values of parameters by name, and for those out of files where they stand, as the beginning of a message."""

    values: dict[str, Any]
    places: dict[str, str]

    def place(self, name: str) -> str:
        """Where the value of a parameter stands, empty for one of the command line."""
        return self.places.get(name, "")


def params_from_options(files: Sequence[str], words: Sequence[str]) -> GivenParams:
    """Return the values of --param-file and --param; --param wins, and its values are text. Raises UsageError."""
    found = GivenParams({}, {})
    for file in files:  # each is read once: it may be a pipe
        data, places = _read("--param-file", file)
        found.values.update(data)
        found.places.update({name: f"--param-file: {place}: " for name, place in places.items()})
    for name, text in (split_assignment("--param", word) for word in words):
        found.values[name] = text
        found.places.pop(name, None)
    return found


def split_assignment(option: str, word: str) -> tuple[str, str]:
    """Split `NAME=VALUE` into name and value. Raises UsageError."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: expected NAME=VALUE, got {word!r}")
    return name.strip(), value


def read_mapping(option: str, path: str) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file that an option names.

    Raises UsageError. Its message shows no value of the file: any of them may be a secret.
    """
    return _read(option, path)[0]


def _read(option: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the mapping in a file, and the place of each of its names; those of a JSON file have no lines."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{option}: {path}: expected at most {MOST_BYTES >> 20} MiB, got more")
    if path.endswith(".json"):
        data = _json(option, path, content)
        return data, dict.fromkeys(data, path)
    document = _yaml(option, path, content)
    return document.data, {name: str(document.places[name, KEY]) for name in document.data}


def _yaml(option: str, path: str, content: bytes) -> Document:
    """Read the mapping in the same way as a recipe."""
    try:
        return read(content, path, "names with values")
    except RecipeErrors as errors:
        raise UsageError("\n".join(f"{option}: {_without_values(error)}" for error in errors.errors)) from None


def _without_values(error: RecipeError) -> str:
    return f"{error.place}: expected {QUOTING.sub('', error.expected)}"


def _json(option: str, path: str, content: bytes) -> dict[str, Any]:
    """Read a JSON file with the json module.

    Other programs write an emoji as two escapes, which are valid JSON and not valid YAML.
    """
    try:
        data = json.loads(content, object_pairs_hook=_refuse_repeated_names)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option}: {path}{_place(error)}: cannot be read: {_problem(error)}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{option}: {path}: expected names with values, got {KINDS[type(data)]}")
    return data


def _refuse_repeated_names(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedError(name)
        found[name] = value
    return found


def _place(error: Exception) -> str:
    return f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""


def _problem(error: Exception) -> str:
    """Return what is wrong. The whole text of the error is not used, because it may show a secret."""
    return str(getattr(error, "msg", None) or getattr(error, "reason", None) or "nested too deeply")
