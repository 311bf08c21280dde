# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read single measurements from the store, by their name. All functions raise StoreError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.reading_order import by_names
from rack_recipes.store.reading.recorded_runs import decoded, read
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine


def of_name(engine: Engine, run_id: str, name: str) -> list[dict[str, Any]]:
    """The measurements of a run that have this name, by step and host; `value` is exactly what was measured."""
    table = tables().measurements
    columns = [table.c[column] for column in ("run_id", "host", "step", "name", "unit", "verdict")]
    query = sql.select(*columns, table.c.text.label("value")).where(table.c.run_id == run_id, table.c.name == name)
    return by_names(read(engine, query.order_by(table.c.n), {"value": decoded}), "step", "host")
