# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step that analyses its run is handed: the results of the run so far, and values of earlier runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.run_analysis import HISTORY_RUNS
from rack_recipes.context.run_context import count_step
from rack_recipes.errors import StoreError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import CountedRecords
from rack_recipes.run.current_run import Run
from rack_recipes.store.database_engine import connect_for_reading
from rack_recipes.store.reading.earlier_runs import earlier_runs, earlier_values
from rack_recipes.store.reading.recorded_runs import runs as stored_runs

OF_RESULT = ("verdict", "reason", "started", "seconds", "measurements")  # fields of a step record that are handed over
IF_SET = ("parent", "flake", "rounds", "from", "tags")
PATIENCE = 2.0  # seconds to wait for the store: an analysis without a history is better than a run that waits

History = dict[str, list[dict[str, Any]]]


def analysis_data(run: Run, steps: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """The data for the steps of a stage, as far as they declare to read it, and why the history is missing, if it is.

    Raises JournalError where the run's journal cannot be read.
    """
    wanted = [*steps]
    keys = {key for step in wanted for key in step.get("reads_history") or ()}
    data: dict[str, Any] = {}
    if any(step.get("reads_results") for step in wanted):
        data["results"] = results_of(run)
    if not keys:
        return data, ""
    history, problem = _history(run, keys)
    return {**data, "history": history}, problem


def results_of(run: Run) -> list[dict[str, Any]]:
    """How each step has ended on each host until now, sorted by step and host; without secrets, as in the journal."""
    counted = CountedRecords()
    JournalReader(run.path).dispatch({"step": partial(count_step, run.context, counted)})
    records = {**run.peers.records, **counted}
    order = {step.name: step.idx for step in run.steps.values()}
    cells = sorted(records, key=lambda cell: (order.get(records[cell].get("parent") or cell.step, 0), *cell))
    return [_result(records[cell]) for cell in cells if not records[cell].get("instances")]


def _result(record: Record) -> dict[str, Any]:
    kept = {name: record.get(name) for name in OF_RESULT}
    more = {name: record[name] for name in IF_SET if record.get(name)}
    return {"host": record["host"], "step": record["step"], **kept, **more}


def _history(run: Run, keys: Collection[str]) -> tuple[History, str]:
    """The values of each key in earlier runs. Where the store cannot be read there are none, and a reason."""
    nothing: History = {key: [] for key in sorted(keys)}
    try:
        store = connect_for_reading(run.settings.db, PATIENCE)
    except StoreError as error:
        return nothing, f"there is no history for the analysis of this run: {error}"
    try:
        earlier = _earlier(run, stored_runs(store))
        return {key: earlier_values(store, earlier, key) for key in nothing}, ""
    except StoreError as error:
        return nothing, f"there is no history for the analysis of this run: {error}"
    finally:
        store.dispose()


def _earlier(run: Run, rows: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, Any]]:
    """The earlier runs of the same test. This run may not be in the store yet: all that are there began before it."""
    recipe = run.inputs.recipe
    this = {"run_id": run.run_id, "test_id": recipe.get("test_id"), "recipe": recipe.get("path"), "started": "9999"}
    return earlier_runs(this, [row for row in rows if row["run_id"] != run.run_id], HISTORY_RUNS)
