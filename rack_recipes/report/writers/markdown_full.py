# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one Markdown file with all tables, which still fits into a comment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rack_recipes.report.table_model import Table
from rack_recipes.report.writers.markdown import Extent, write_as

ROOM = {
    "counts": 2_000,
    "causes": 3_000,
    "findings": 4_000,
    "reasons": 6_000,
    "not_passed": 8_000,
    "not_run": 3_000,
    "hosts": 2_000,
    "waived": 3_000,
    "flakes": 3_000,
    "criteria": 4_000,
    "rounds": 3_000,
    "reused": 2_000,
    "hooks": 1_500,
    "slowest": 4_000,
    "steps": 5_000,
    "measurements": 3_500,
    "context": 3_000,
    "conflicts": 2_000,
    "artifacts": 2_000,
}
"""The tables in the order of the file, and how many characters each may fill; a comment holds 65,536."""

FULL = Extent(ROOM, {"slowest": 10})


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `report-full.md` into the folder."""
    return write_as(folder / "report-full.md", tables, FULL)
