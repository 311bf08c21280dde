# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds a waiver to a file of waivers; all else in the file stays as it is."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.recipe.waivers.read_waivers import ALL_HOSTS, read_waivers
from rack_recipes.recipe.waivers.waiver_model import Waiver

EMPTY = "waivers:\n"
ENTRY = re.compile(r"^waivers:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)  # with its indentation
INDENTATION = "  "


def as_line(entry: Mapping[str, Any], indentation: str = INDENTATION) -> str:
    """An entry as a line of YAML, to stand under `waivers:`."""
    fields = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())
    return f"{indentation}- {{{fields}}}\n"


def add_waiver(path: Path, entry: Mapping[str, Any]) -> Waiver:
    """Add an entry at the end of the file, which is made where there is none; returns it as it is read again.

    One for all hosts has none in the file: then it is for a step that runs once for the run, too.

    Raises UsageError for a file that is wrong or cannot be written, and for an entry that is wrong or there already.
    """
    real = path.resolve()
    if entry.get("hosts") == [ALL_HOSTS]:
        entry = {name: value for name, value in entry.items() if name != "hosts"}
    try:
        with _alone(real.parent):
            return _added(path, real, entry)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder, so that no two entries are added at the same moment."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _added(path: Path, real: Path, entry: Mapping[str, Any]) -> Waiver:
    is_there = real.exists()
    before = read_waivers(str(path)).waivers if is_there else ()
    text = real.read_text(encoding="utf-8") if is_there else EMPTY
    found = ENTRY.search(text)
    line = as_line(entry, found[1] if found else INDENTATION)
    made = real.with_name(f".{real.name}.new")
    try:
        made.write_text(f"{text}{'' if text.endswith(chr(10)) else chr(10)}{line}", encoding="utf-8")
        after = _read(made, path, line)
        if after[:-1] != before:
            raise UsageError(_by_hand(path, line))
        if is_there:
            shutil.copymode(real, made)
        made.replace(real)
    finally:
        made.unlink(missing_ok=True)
    return after[-1]


def _read(made: Path, path: Path, line: str) -> tuple[Waiver, ...]:
    """The waivers of the new file; errors are about the file that it becomes."""
    try:
        return read_waivers(str(made)).waivers
    except UsageError as error:
        text = str(error).replace(str(made), str(path))
        raise UsageError(text if "expected each waiver once" in text else _by_hand(path, line)) from None


def _by_hand(path: Path, line: str) -> str:
    return f"{path}: its list is not one to whose end a line can be added; put this into it yourself: {line.strip()}"
