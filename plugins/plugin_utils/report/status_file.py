# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a run's report, from the task that writes it to the command that asked for it.

Whatever that task comes to, the play goes on, so that a report changes no verdict: only a file can tell the command.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import FILE_MODE
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import current

NAME = "report.json"

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """The paths of the report's files, or why there are none."""

    files: tuple[str, ...] = ()
    error: str = ""


def writing_status(write: Callable[[], Result]) -> Result:
    """What `write` returns, whose `files` are noted in the folder of this run; so is the text of what it raises."""
    try:
        result = write()
    except Exception as error:
        _note(error=str(error))
        raise
    _note(files=result["files"])
    return result


def read(folder: Path) -> ReportStatus | None:
    """The note in a run's folder; None where there is none, or only a part of one."""
    try:
        data = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return ReportStatus(tuple(data.get("files", ())), data.get("error", ""))


def _note(files: list[str] | None = None, error: str = "") -> None:
    """Without a run that is recorded nobody waits for it; where the disk is full, its lack tells enough."""
    with suppress(UsageError, OSError):
        run = current()
        said = {"error": run.hidden(error)} if error else {"files": [run.hidden(path) for path in files or ()]}
        descriptor = os.open(run.folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(json.dumps(said).encode())
