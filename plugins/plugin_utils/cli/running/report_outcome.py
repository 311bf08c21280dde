# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of the report that a run was to end with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.report.status_file import ReportStatus, read

NOT_REPORTED = StoreError.exit_code  # what a run came to is not where it was wanted
CHECK_MODE = ReportStatus(error="check mode writes none")
NOT_REACHED = ReportStatus(error="Ansible did not come to it")


def report_of(folder: Path, log: Path, *, check: bool = False) -> dict[str, Any]:
    """The paths of the report's files, and where there is none, why, and where Ansible says more."""
    note = read(folder) or (CHECK_MODE if check else NOT_REACHED)
    if not note.error:
        return {"report": sorted(note.files)}
    where = str(log) if log.stat().st_size else "Ansible's output"
    return {"report": [], "report_error": f"{note.error} ({where})"}
