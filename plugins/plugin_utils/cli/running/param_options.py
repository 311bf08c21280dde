# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the recipe's parameters, as a command line gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError, RecipeErrors, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import read

KINDS = {
    list: "a list",
    str: "a text",
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


QUOTING = re.compile(r" \(.*| that closes .*", re.DOTALL)  # where an error of the reader's shows what it found


class RepeatedError(ValueError):
    """A name that a mapping of a JSON file has twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.msg = f"expected each name once, got {name!r} again"


def params_from_options(files: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """The values of --param-file and of --param, which win; those of --param are texts. Raises UsageError."""
    found = {name: value for file in files for name, value in read_mapping("--param-file", file).items()}
    return {**found, **dict(split_assignment("--param", word) for word in words)}


def split_assignment(option: str, word: str) -> tuple[str, str]:
    """Name and value in `NAME=VALUE`. Raises UsageError."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: expected NAME=VALUE, got {word!r}")
    return name.strip(), value


def read_mapping(option: str, path: str) -> dict[str, Any]:
    """The mapping in a file of YAML or JSON that an option names. Raises UsageError, which shows none of its values."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from error
    return _json(option, path, content) if path.endswith(".json") else _yaml(option, path, content)


def _yaml(option: str, path: str, content: bytes) -> dict[str, Any]:
    """What a recipe would read there."""
    try:
        return read(content, path, "names with values").data
    except RecipeErrors as errors:
        raise UsageError("\n".join(f"{option}: {_without_values(error)}" for error in errors.errors)) from None


def _without_values(error: RecipeError) -> str:
    return f"{error.place}: expected {QUOTING.sub('', error.expected)}"


def _json(option: str, path: str, content: bytes) -> dict[str, Any]:
    """By JSON's own reader: pairs of escapes, as other programs write them for an emoji, are none of YAML's."""
    try:
        data = json.loads(content, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option}: {path}{_place(error)}: cannot be read: {_problem(error)}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{option}: {path}: expected names with values, got {KINDS[type(data)]}")
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedError(name)
        found[name] = value
    return found


def _place(error: Exception) -> str:
    return f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""


def _problem(error: Exception) -> str:
    """What is wrong; the whole text of an error may show a secret."""
    return str(getattr(error, "msg", None) or getattr(error, "reason", None) or "nested too deeply")
