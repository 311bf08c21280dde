# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of a report, and the file by which the task that writes one tells the command how that ended.

A report must not change a verdict, so the play goes on even if the report fails. Only a file can tell the command.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE
from rack_recipes.run.current_run import current

WRITERS = {
    "html": ("html", "write"),
    "xlsx": ("excel", "write"),
    "csv": ("csv", "write"),
    "md": ("markdown", "write"),
    "md-full": ("markdown", "write_full"),
    "json": ("json", "write"),
    "junit": ("junit", "write"),
    "ocp": ("ocp", "write"),
    "pdf": ("pdf", "write"),
}
"""For each format the module in `writers/`, and the function there that makes its files.

Their order is that of the help, of the module's documentation, of the role and of docs/report.md. It decides nothing:
files are written in the order in which the formats are asked for.
"""
FORMATS = tuple(WRITERS)
DEFAULT_FORMATS = ("html", "xlsx", "csv", "md")
"""The formats of a report for which nobody names any."""
NAME = "report.json"
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """The paths of the report's files, or the reason why there are none."""

    files: tuple[str, ...] = ()
    error: str = ""


def write_with_status(write: Callable[[], Result]) -> Result:
    """Call `write` and return its result. Its `files`, or the text of its exception, are noted in the run's folder."""
    try:
        result = write()
    except Exception as error:
        _note(error=str(error))
        raise
    _note(files=result["files"])
    return result


def read_report_status(folder: Path) -> ReportStatus | None:
    """The status that is noted in a run's folder; None where there is none, or an unfinished one."""
    try:
        data = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return ReportStatus(tuple(data.get("files", ())), data.get("error", ""))


def _note(files: list[str] | None = None, error: str = "") -> None:
    """Write the status. Nobody needs it without a recorded run; on a full disk the missing file says enough."""
    with suppress(UsageError, OSError):
        run = current()
        said = {"error": run.hidden(error)} if error else {"files": [run.hidden(path) for path in files or ()]}
        descriptor = os.open(run.folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(json.dumps(said).encode())
