# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the report of a run in the store: read it, analyse it, turn it into tables, and write these in each format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.analysis.analyse_run import analyse_history, with_summary
from rack_recipes.analysis.findings import from_row
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import load
from rack_recipes.analysis.store_findings import store_findings_at
from rack_recipes.analysis.value_and_write_history import past_values
from rack_recipes.errors import StoreError
from rack_recipes.report.report_formats import DEFAULT_FORMATS
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.tables.own_columns import with_own_columns
from rack_recipes.report.writers.write_files import write
from rack_recipes.store.reading import recorded_runs

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.settings import Settings


def make(
    engine: Engine,
    run_id: str,
    folder: Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    url: str = "",
    summary_by: Settings | None = None,
    templates: str = "",
) -> dict[Path, bool]:
    """Write the report of a run into a folder; returns the paths, each with whether its file changed.

    The findings are stored too, if there is the `url` of a store that can be written; if not, the report is made all
    the same. `summary_by` has the settings for a summary, where there is to be one; `templates` is the project's
    folder of own parts, where it has one. Raises UsageError for an unknown
    run or format, for a file that cannot be written and for a missing package. Raises RackError where a cell would be
    lost, and StoreError where the store cannot be read.
    """
    run = load(engine, run_id, recorded_runs.reported)
    history = History(engine, run)
    findings = with_summary(engine, run, analyse_history(history), summary_by)
    if url and findings != [*map(from_row, recorded_runs.findings(engine, run_id))]:
        with suppress(StoreError):
            store_findings_at(url, run_id, findings)
    shown = with_own_columns(tables(run, findings, past_values(history)), templates)
    return write(shown, folder, formats, templates)
