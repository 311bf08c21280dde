# SPDX-License-Identifier: GPL-3.0-or-later

"""The suffixes of YAML files: each file that a user writes may have either, and is the only one of its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rack_recipes.errors import RackError, UsageError

SUFFIXES = (".yml", ".yaml")
ONE = "one file of this name"


def two_of(path: Path) -> str:
    """The two files that differ in the suffix alone, in words; empty where `path` is no such file."""
    both = _spellings(path)
    return f"{both[0].name} and {both[1].name}, which differ in the suffix alone: rename one" if both[1:] else ""


def check_single(path: Path, kind: type[RackError] = UsageError) -> None:
    """Raise an error of a kind that names both, where a YAML file has one beside it that differs in the suffix alone.

    Without it nobody could tell which of the two counts.
    """
    if two := two_of(path):
        raise kind(f"{path}: expected {ONE}, got {two}")


def either(path: Path, kind: type[RackError] = UsageError) -> Path:
    """The file of this name with either suffix; the path itself where there is none. Raises as `check_single` does."""
    check_single(path, kind)
    return next(iter(_spellings(path)), path)


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files in a folder, sorted; none where it cannot be read."""
    with suppress(OSError, ValueError):
        yield from (path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES)


def _spellings(path: Path) -> list[Path]:
    """The YAML files that are there of a name."""
    if path.suffix not in SUFFIXES:
        return []
    return [file for file in map(path.with_suffix, SUFFIXES) if os.path.isfile(file)]  # noqa: PTH113 - is_file raises
