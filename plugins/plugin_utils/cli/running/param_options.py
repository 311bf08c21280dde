# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the values of a recipe's parameters from the options --param and --param-file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError, RecipeErrors, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import read

KINDS = {
    list: "a list",
    str: "a text",
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


MAPPING = "names with values"
QUOTING = re.compile(r" \(.*| that closes .*", re.DOTALL)  # the parts of the YAML reader's messages that quote the file


class RepeatedError(ValueError):
    """A mapping in a JSON file has a name twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.msg = f"expected each name once, got {name!r} again"


def params_from_options(files: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """Return the values of --param-file and --param; --param wins, and its values are text. Raises UsageError."""
    found = {name: value for file in files for name, value in read_mapping("--param-file", file).items()}
    return {**found, **dict(split_assignment("--param", word) for word in words)}


def place_of(name: str, files: Sequence[str], words: Sequence[str]) -> str:
    """Which of these files gives a parameter its value, and where, as the beginning of a message; empty for none.

    The files have been read before.
    """
    if any(word.partition("=")[0].strip() == name for word in words):
        return ""
    file = next((file for file in reversed(files) if name in read_mapping("--param-file", file)), "")
    if not file or file.endswith(".json"):
        return file and f"--param-file: {file}: "
    return f"--param-file: {read(Path(file).read_bytes(), file, MAPPING).places[name, KEY]}: "


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
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from error
    return _json(option, path, content) if path.endswith(".json") else _yaml(option, path, content)


def _yaml(option: str, path: str, content: bytes) -> dict[str, Any]:
    """Read the mapping in the same way as a recipe."""
    try:
        return read(content, path, MAPPING).data
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


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
