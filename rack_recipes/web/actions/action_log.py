# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of what was done by pages: who, when, from where, what, and how it ended. Without a line nothing is done."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import write_all
from rack_recipes.errors import RackError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.problems import Problem
from rack_recipes.visible_text import cut
from rack_recipes.web.page_model import FormError

NAME = "server/actions.jsonl"  # beside the folder of runs
BEGUN, DONE = "begun", "done"
MOST_READ = 500  # lines
LONGEST = 2000  # characters of a reason


def log_path(runs: Path) -> Path:
    """The file of the log of a project, by its folder of runs."""
    return runs.parent / NAME


@contextmanager
def log_action(path: Path, caller: Caller, action: str, about: Mapping[str, object]) -> Iterator[None]:
    """Write a line before the block, and one after it that says how it ended.

    Raises Problem, before the block, where the line cannot be written.
    """
    told = _told(caller, action, about)
    _write(path, {**told, "state": BEGUN})
    try:
        yield
    except (RackError, Problem) as error:
        _write(path, {**told, "state": _refused(error)})
        raise
    _write(path, {**told, "state": DONE})


@contextmanager
def log_refusals(path: Path, caller: Caller, action: str, about: Mapping[str, object]) -> Iterator[None]:
    """Write a line where the block refuses an action before it has begun."""
    try:
        yield
    except (RackError, Problem, FormError) as error:
        with suppress(Problem):  # nothing is done, with or without a line
            _write(path, {**_told(caller, action, about), "state": _refused(error)})
        raise


def _told(caller: Caller, action: str, about: Mapping[str, object]) -> dict[str, Any]:
    return {"who": caller.name, "role": caller.role, "action": action, "about": dict(about)}


def _refused(error: Exception) -> str:
    return f"refused: {cut(error.detail if isinstance(error, Problem) else str(error), LONGEST)}"


def _write(path: Path, told: Mapping[str, object]) -> None:
    line = f"{json.dumps({'time': now(), **told})}\n".encode()
    try:
        make_private(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            write_all(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        detail = f"{path}, the log of what pages do, cannot be written: {error.strerror}"
        raise Problem("cannot-write", detail, "nothing is done without a line there: see to that file") from error


def read_log(path: Path) -> list[dict[str, Any]]:
    """The last lines, the newest first; none where there is no log. A line that is broken is left out."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = deque(file, MOST_READ)
    except FileNotFoundError:
        return []
    return [row for line in reversed(lines) if (row := _row(line))]


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
