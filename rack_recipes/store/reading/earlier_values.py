# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a measurement or a key of the context was in earlier runs, on each host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import read
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = dict[str, Any]

KEY = re.compile(r"(?P<key>.*?_v[0-9]+)(?:\.(?P<path>.+))?")


def earlier_values(engine: Engine, runs: Sequence[Mapping[str, Any]], name: str) -> list[Row]:
    """The values of `name` in these runs, in their order, by step and host. `runs` are rows of the table `runs`.

    `name` is that of a measurement, a key of the context, or a part of such a key's value, as in
    `numbers.stats_v1.mean`. Each value has `run`, `started`, `host`, `step`, `value` and `unit`, and a measurement its
    `verdict`. Raises StoreError.
    """
    places = {run["run_id"]: place for place, run in enumerate(runs)}
    found = [*_measured(engine, [*places], name), *_in_context(engine, [*places], name)]
    found.sort(key=lambda row: (places[row["run"]], row["step"] or "", row["host"]))
    started = {run["run_id"]: run["started"] for run in runs}
    return [{"run": row["run"], "started": started[row["run"]], **row} for row in found]


def _measured(engine: Engine, run_ids: Sequence[str], name: str) -> list[Row]:
    table = tables().measurements
    columns = [table.c.run_id.label("run"), table.c.host, table.c.step, table.c.text.label("value"), table.c.unit]
    query = sql.select(*columns, table.c.verdict).where(table.c.run_id.in_(run_ids), table.c.name == name)
    return read(engine, query.order_by(table.c.n), {"value": json.loads, "unit": lambda unit: unit or ""})


def _in_context(engine: Engine, run_ids: Sequence[str], name: str) -> Iterator[Row]:
    match = KEY.fullmatch(name)
    if match is None:
        return
    table = tables().context
    of_key = (table.c.run_id.in_(run_ids), table.c.key == match["key"])
    newest = sql.select(sql.func.max(table.c.seq)).where(*of_key).group_by(table.c.run_id, table.c.host)
    columns = [table.c.run_id.label("run"), table.c.host, table.c.step, table.c.after.label("value"), table.c.seq]
    rows = read(engine, sql.select(*columns).where(*of_key, table.c.seq.in_(newest)), {"value": json.loads})
    last = {(row["run"], row["host"]): row for row in sorted(rows, key=lambda row: row["seq"])}
    for row in last.values():
        del row["seq"]
        is_there, value = _inside(row["value"], match["path"])
        if is_there:
            yield {**row, "value": value, "unit": ""}


def _inside(value: Any, path: str | None) -> tuple[bool, Any]:
    """Whether a value has such a part, and that part."""
    for word in path.split(".") if path else ():
        if isinstance(value, dict) and word in value:
            value = value[word]
        elif isinstance(value, list) and word.isdecimal() and int(word) < len(value):
            value = value[int(word)]
        else:
            return False, None
    return True, value
