# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that --debug shows for the log records of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lines_of(record: Mapping[str, Any], run: str) -> list[str]:
    """A log record as lines, each with its time, run, step, host and event."""
    head = f"{str(record['time'])[11:23]} {run} {record['step']}@{record['host'] or 'run'} {record['event']}"
    return [f"{head}: {line}" for line in str(record["text"]).splitlines() or [""]]
