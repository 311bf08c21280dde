# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the report of a run in the store.

Read it, analyse it, turn it into tables, and write each file whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from filecmp import cmp
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from rack_recipes.analysis.analyse_run import analyse_history, store_findings_at, with_summary
from rack_recipes.analysis.findings import finding_from_row
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.analysis.value_and_write_history import read_past_values
from rack_recipes.errors import StoreError, UsageError, nearest
from rack_recipes.private_files import FILE_MODE, FOLDER_MODE
from rack_recipes.report.report_formats_and_status import DEFAULT_FORMATS, FORMATS, WRITERS
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.tables.host_table import with_own_columns
from rack_recipes.settings import Settings
from rack_recipes.store.reading import recorded_runs

type Writer = Callable[[Sequence[Table], Path], list[Path]]
WITH_TEMPLATES = frozenset({"html", "pdf", "md", "md-full"})
"""The formats of which a project may have templates; their writers take the option `templates`."""


def write_report_files(
    tables: Sequence[Table], folder: Path, formats: Sequence[str] = DEFAULT_FORMATS, templates: str = ""
) -> dict[Path, bool]:
    """Write the report in each format; returns the paths in order, each with whether its file changed.

    Every file is made in a temporary folder beside its place and then renamed. So a full disk or a stop leaves the old
    file whole. Files get mode 0600, folders made here 0700. Raises UsageError for an unknown format and
    where a file cannot be written. `templates` is the project's folder of own parts of the page, where it has one.
    """
    writers = [_writer(name, templates) for name in dict.fromkeys(formats)]
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".report-", dir=folder) as temporary:
            made = Path(temporary)
            paths = [path for writer in writers for path in writer(tables, made)]
            return {folder / path.relative_to(made): _place(path, folder / path.relative_to(made)) for path in paths}
    except OSError as error:
        raise UsageError(f"the report cannot be written to {folder}: {error.strerror or error}") from error


def _writer(name: str, templates: str) -> Writer:
    if name not in WRITERS:
        near = nearest(name, FORMATS)
        hint = f", did you mean {near!r}?" if near else ""
        raise UsageError(f"expected a report format out of {', '.join(FORMATS)}, got {name!r}{hint}")
    module, function = WRITERS[name]
    writer = getattr(import_module(f"{__package__}.writers.{module}"), function)
    found: Writer = partial(writer, templates=templates) if name in WITH_TEMPLATES and templates else writer
    return found


def _place(made: Path, path: Path) -> bool:
    """Move a finished file to its place; an equal one that is there already stays."""
    if path.is_file() and not path.is_symlink() and cmp(made, path, shallow=False):
        path.chmod(FILE_MODE)
        return False
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    made.chmod(FILE_MODE)
    made.replace(path)
    return True


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
    run = load_run_data(engine, run_id, recorded_runs.reported)
    history = History(engine, run)
    findings = with_summary(engine, run, analyse_history(history), summary_by)
    if url and findings != [*map(finding_from_row, recorded_runs.findings(engine, run_id))]:
        with suppress(StoreError):
            store_findings_at(url, run_id, findings)
    shown = with_own_columns(tables(run, findings, read_past_values(history)), templates)
    return write_report_files(shown, folder, formats, templates)
