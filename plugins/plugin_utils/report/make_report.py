# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the report of a run in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.dataframes import Rows, frames
from ansible_collections.rack.recipes.plugins.plugin_utils.report.report_formats import FORMATS
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.all_tables import tables
from ansible_collections.rack.recipes.plugins.plugin_utils.report.writers.write_files import write

if TYPE_CHECKING:
    from sqlalchemy import Engine


def make(engine: Engine, run_id: str, folder: Path, formats: Sequence[str] = FORMATS) -> dict[Path, bool]:
    """Write the report of a run into a folder; returns the paths, each with whether its file changed.

    Raises UsageError for an unknown run or format, for a file that cannot be written and for a missing package.
    Raises RackError where a cell would be lost, and StoreError where the store cannot be read.
    """
    return write(tables(frames(read(engine, run_id))), folder, formats)


def read(engine: Engine, run_id: str) -> Rows:
    """Read all rows that a report needs. Raises UsageError for an unknown run, and StoreError."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import queries

    return Rows(
        run=queries.run(engine, run_id),
        steps=queries.steps(engine, run_id),
        measurements=queries.measurements(engine, run_id),
        context=queries.context(engine, run_id),
        conflicts=queries.conflicts(engine, run_id),
        runs=queries.runs(engine),
        artifacts=queries.artifacts(engine, run_id),
    )
