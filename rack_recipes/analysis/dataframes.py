# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of one run as pandas data frames, with hosts and steps in the order in which people read them.

pandas is imported inside the functions, since it takes longer to load than everything else here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rack_recipes import errors
from rack_recipes.analysis.run_data import Row, RunData, arranged
from rack_recipes.errors import UsageError
from rack_recipes.natural_order import natural
from rack_recipes.store.schema.detail_columns import DETAIL_COLUMNS
from rack_recipes.store.schema.step_columns import STEP_COLUMNS, Kind

if TYPE_CHECKING:
    from pandas import DataFrame

TEXT = ANY = "object"
WHOLE, REAL = "Int64", "float64"

KINDS = {
    Kind.NAME: TEXT,
    Kind.TEXT: TEXT,
    Kind.INTEGER: WHOLE,
    Kind.COUNT: WHOLE,
    Kind.SIZE: WHOLE,
    Kind.REAL: REAL,
    Kind.FLAG: ANY,
    Kind.TRUTH: ANY,
    Kind.OBJECT: ANY,
    Kind.LIST: ANY,
    Kind.JSON: ANY,
    Kind.SOME_OBJECT: ANY,
    Kind.SOME_TEXT: TEXT,
    Kind.ATTEMPTS: ANY,
}
STEPS = {column.name: KINDS[column.kind] for column in STEP_COLUMNS if column.is_in_frames}
DETAILS = {
    table: {column.field or column.name: KINDS[column.kind] for column in columns if column.is_in_frames}
    for table, columns in DETAIL_COLUMNS.items()
}
CONTEXT = {"key": TEXT, "host": TEXT, "version": WHOLE, "value": ANY, "step": TEXT, "who": TEXT, "time": TEXT}
RUNS = {"run_id": TEXT, "test_id": TEXT, "started": TEXT, "ended": TEXT, "status": TEXT, "counts": ANY}


@dataclass(frozen=True, slots=True)
class Frames:
    """The rows of a run as data frames with fixed columns and types. `host` and `step` are ordered categories.

    The run itself is the host "". The instances of a looped step come after it. Their `planned` is the looped step;
    that of any other step is the step itself. The `value` of a measurement is exact and of any type. Its `number` is
    the value as a float, or NaN.
    """

    run: Row
    steps: DataFrame
    measurements: DataFrame
    context: DataFrame
    conflicts: DataFrame
    runs: DataFrame
    artifacts: DataFrame


def frames(run: RunData) -> Frames:
    """The data frames of a run. Unknown columns are left out and missing ones are empty, so older stores work too.

    Raises UsageError where pandas is missing.
    """
    rows = arranged(run)
    hosts = sorted({row["host"] for part in _parts(rows) for row in part}, key=natural)
    steps = sorted(rows.places, key=rows.place)
    return Frames(
        run=rows.run,
        steps=_planned(_ordered(data_frame(rows.steps, STEPS), hosts, steps), rows.parents),
        measurements=_planned(_ordered(_measured(rows.measurements), hosts, steps), rows.parents),
        context=_ordered(data_frame(rows.context, CONTEXT), hosts, steps),
        conflicts=_ordered(data_frame(rows.conflicts, DETAILS["conflicts"]), hosts, steps),
        runs=data_frame(rows.runs, RUNS),
        artifacts=_ordered(data_frame(rows.artifacts, DETAILS["artifacts"]), hosts, steps),
    )


def _parts(rows: RunData) -> tuple[Sequence[Row], ...]:
    return rows.steps, rows.measurements, rows.context, rows.conflicts, rows.artifacts


def _planned(frame: DataFrame, parents: Mapping[str, str]) -> DataFrame:
    planned = [parents.get(step, step) for step in frame["step"]]
    return frame.assign(planned=planned).astype({"planned": frame["step"].dtype})


def data_frame(rows: Sequence[Row], types: Mapping[str, str]) -> DataFrame:
    """The rows with these columns, each of its type. Raises UsageError where pandas is missing."""
    with errors.installed("the data cannot be read", UsageError):
        import pandas as pd

    # Text stays Python text, since the string type of Arrow refuses lone surrogates.
    frame = pd.DataFrame(list(rows), columns=list(types), dtype=object)
    frame = frame.where(frame.notna(), None)  # a missing column is NaN, which counts as true
    return frame.astype({name: kind for name, kind in types.items() if kind != TEXT})


def _measured(rows: Sequence[Row]) -> DataFrame:
    return data_frame(rows, {**DETAILS["measurements"], "number": REAL})


def _ordered(frame: DataFrame, hosts: list[str], steps: list[str]) -> DataFrame:
    import pandas as pd

    order = {"host": pd.CategoricalDtype(hosts, ordered=True), "step": pd.CategoricalDtype(steps, ordered=True)}
    return frame.astype(order)
