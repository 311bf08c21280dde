# SPDX-License-Identifier: GPL-3.0-or-later

"""The patterns by which a step gets its keys out of what a program without an envelope prints."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.values_in_messages import quoted, shown

type Problem = tuple[Path, tuple[str, str]]  # where it is, what was expected, what is there
NONE = "none"  # the word for a program without an envelope
A_PATTERN = "a pattern such as {pattern: 'up ([0-9]+) s'} beside envelope: none"
A_REGEX = "a regular expression with one group, or with named groups"


def regex_problem(pattern: str) -> str:
    """Why a text is no regular expression; empty where it is one."""
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def pattern_problems(writes: object) -> Iterator[Problem]:
    """What is wrong with the keys of a program without an envelope: each needs a pattern, which finds one value.

    The path of a problem begins below `writes`.
    """
    if not isinstance(writes, Mapping):
        if writes:
            yield (), (f"a mapping of each key to {A_PATTERN}", shown(writes))
        return
    for key, said in writes.items():
        pattern = said.get("pattern") if isinstance(said, Mapping) else None
        if not isinstance(pattern, str):
            yield (key,), (A_PATTERN, shown(said))
        elif problem := regex_problem(pattern) or _too_many_groups(pattern):
            yield (key, "pattern"), (A_REGEX, f"{quoted(pattern)} ({problem})")


def _too_many_groups(pattern: str) -> str:
    found = re.compile(pattern)
    several = found.groups > 1 and not found.groupindex
    return (
        f"{found.groups} groups: name those that count, as in (?P<name>...), and begin others with (?:"
        if several
        else ""
    )


def patterns_of(writes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By key what the executor needs of a pattern: all but its text for readers."""
    return {key: {word: value for word, value in said.items() if word != "description"} for key, said in writes.items()}
