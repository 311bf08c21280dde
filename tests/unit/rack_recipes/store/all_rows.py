# SPDX-License-Identifier: GPL-3.0-or-later

"""All rows of a run in a store, for comparisons."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine

from rack_recipes.store.reading import recorded_runs


def everything(store: Engine, run_id: str = "R1") -> dict[str, Any]:
    """Return all rows of a run. The journal is given by its name alone, since its folder differs between tests."""
    run = recorded_runs.run(store, run_id)
    run["journal"] = run["journal"].rpartition("/")[2]
    tables = (
        recorded_runs.steps,
        recorded_runs.context,
        recorded_runs.history,
        recorded_runs.measurements,
        recorded_runs.conflicts,
        recorded_runs.artifacts,
    )
    return {"run": run, **{table.__name__: table(store, run_id) for table in tables}}


def written(found: dict[str, Any]) -> str:
    """All rows of a run as JSON, each on a line of its own."""
    return "{" + ",\n".join(f'"{name}": {_lines(rows)}' for name, rows in found.items()) + "}\n"


def _lines(rows: Any) -> str:
    if not isinstance(rows, list):
        return json.dumps(rows, ensure_ascii=False)
    return "".join(("[\n  ", ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows), "\n]"))
