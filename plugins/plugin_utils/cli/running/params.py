# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the recipe's parameters, as a command line gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError

KINDS = {
    list: "a list",
    str: "a text",
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def given_params(files: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """The values of --param-file and of --param, which win; those of --param are texts. Raises UsageError."""
    found = {name: value for file in files for name, value in read_mapping("--param-file", file).items()}
    return {**found, **dict(in_word("--param", word) for word in words)}


def in_word(option: str, word: str) -> tuple[str, str]:
    """Name and value in `NAME=VALUE`. Raises UsageError."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: expected NAME=VALUE, got {word!r}")
    return name.strip(), value


def read_mapping(option: str, path: str) -> dict[str, Any]:
    """The mapping in a file of YAML or JSON that an option names. Raises UsageError, which shows none of its values."""
    try:
        text = Path(path).read_bytes()
        data = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"{option}: {path}{_place(error)}: cannot be read: {_problem(error)}") from error
    if not isinstance(data, Mapping):
        raise UsageError(f"{option}: {path}: expected names with values, got {KINDS.get(type(data), 'something else')}")
    return {str(name): value for name, value in data.items()}


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f":{mark.line + 1}:{mark.column + 1}"
    return f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""


def _problem(error: Exception) -> str:
    """What is wrong; the whole text of an error may show a secret."""
    found = getattr(error, "problem", None) or getattr(error, "msg", None) or getattr(error, "reason", None)
    return str(found or "nested too deeply")
