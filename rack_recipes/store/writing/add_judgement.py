# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds a judgement of a run's measurements to the store; nothing that is there is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import judgement_columns

if TYPE_CHECKING:
    from sqlalchemy import Engine

PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault


def add_judgement(engine: Engine, run_id: str, judgement: Mapping[str, Any]) -> int:
    """Add a row of the table `judgements`; returns its number within the run. Raises StoreError."""
    with translated(engine.url):
        return patiently(lambda: _add(engine, run_id, judgement), PATIENCE)


def _add(engine: Engine, run_id: str, judgement: Mapping[str, Any]) -> int:
    table = tables().judgements
    with engine.begin() as connection:
        last = connection.scalar(sql.select(sql.func.max(table.c.n)).where(table.c.run_id == run_id))
        number = (last or 0) + 1
        connection.execute(table.insert().values(run_id=run_id, n=number, **judgement_columns(judgement)))
    return number
