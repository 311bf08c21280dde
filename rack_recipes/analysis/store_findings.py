# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the findings of an analysis into the store; those of an earlier analysis of the run are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.analysis.findings import Finding
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.database_engine import WRITERS, opened
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.bulk_insert import write
from rack_recipes.store.writing.record_to_rows import analysis_row

if TYPE_CHECKING:
    from sqlalchemy import Engine

PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault


SHORT_PATIENCE = 2.0  # the same where somebody waits for more than the findings


def store_findings_at(url: str, run_id: str, findings: Sequence[Finding]) -> None:
    """Replace the findings about a run in the store at a URL, which has the newest schema. Raises StoreError."""
    engine = opened(url, WRITERS)
    try:
        store_findings(engine, run_id, findings, SHORT_PATIENCE)
    finally:
        engine.dispose()


def store_findings(engine: Engine, run_id: str, findings: Sequence[Finding], patience: float = PATIENCE) -> None:
    """Replace the rows of a run in the table `analysis`, in one transaction. Raises StoreError."""
    time = now()
    rows = [analysis_row(run_id, n, _record(finding, time)) for n, finding in enumerate(findings, 1)]
    with translated(engine.url):
        patiently(lambda: _replace(engine, run_id, rows), patience)


def _record(finding: Finding, time: str) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "grade": finding.grade,
        "title": finding.title,
        "advice": finding.advice,
        "results": [list(result) for result in finding.results],
        "figures": dict(finding.figures),
        "about": dict(finding.about),
        "method": finding.method,
        "explains": finding.explains,
        "origin": finding.origin,
        "suggestion": finding.suggestion,
        "time": time,
    }


def _replace(engine: Engine, run_id: str, rows: list[tuple[object, ...]]) -> None:
    table = tables().analysis
    with engine.begin() as connection:
        connection.execute(sql.delete(table).where(table.c.run_id == run_id))
        write(connection, table, rows)
