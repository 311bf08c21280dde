# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the records of a journal into the rows of the store: one row for each step and host, and their changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from sys import intern
from typing import Any, NamedTuple

from sqlalchemy import Table

from rack_recipes.context.context_model import REFUSED, Delta
from rack_recipes.context.persisted_keys import Persisted, patterns_of
from rack_recipes.context.run_context import Context
from rack_recipes.journal.record_fields import Record, json_text
from rack_recipes.journal.step_results_and_end_status import Cell, is_counted, weight_of
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import (
    ARTIFACT,
    END,
    GROUP,
    RECIPE,
    RUN,
    TRANSFER,
    Row,
    checks_of,
    columns_from,
    conflict_row,
    delta_row,
    entries,
    host_rows,
    in_order,
    mapping,
    measurement_rows,
    name,
    number,
    pack_plan,
    step_row,
    storable,
)


class Counted(NamedTuple):
    """Of the record that counts of a step on a host: how many measurements and checks it has, and its weight."""

    measurements: int
    checks: int
    weight: int


class Tally(NamedTuple):
    """How many rows of each table a run has."""

    context: int = 0
    steps: int = 0
    measurements: int = 0
    conflicts: int = 0
    artifacts: int = 0


@dataclass(slots=True)
class Batch:
    """Rows to be written in one transaction. `again` are the steps that may have a row in the store already."""

    records: int = 0
    context: list[Row] = field(default_factory=list)
    conflicts: list[Row] = field(default_factory=list)
    steps: dict[Cell, Row] = field(default_factory=dict)
    measurements: dict[Cell, list[Row]] = field(default_factory=dict)
    again: set[Cell] = field(default_factory=set)
    artifacts: dict[tuple[str, str, int], Row] = field(default_factory=dict)
    hosts: dict[str, Row] = field(default_factory=dict)

    def tables(self) -> Iterator[tuple[Table, list[Row]]]:
        """The rows of each table, in an order that is the same in every transaction."""
        known = tables()
        yield known.context, self.context
        yield known.steps, list(self.steps.values())
        yield known.measurements, list(chain.from_iterable(self.measurements.values()))
        yield known.conflicts, self.conflicts
        yield known.artifacts, list(self.artifacts.values())
        yield known.hosts, list(self.hosts.values())


COMES_LATE = "transfer"


def _is_served_again(record: Record) -> bool:
    return record["kind"] == "run" and record.get("served") is True


class JournalFold:
    """Gets the records of a run in the order of the journal, and collects their rows and the state of the run.

    A run that has ended is sealed: no record behind its first `end` counts. Only a file whose digest is in the run may
    come late. `--resume` still adds there what the hosts have kept, for the run that goes on from it. The context of a
    server judges nothing: it goes on when it is served again.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._context = Context(run_id)
        self._run: dict[str, Any] = {"run_id": run_id, "status": "running"}
        self._planned: dict[str, dict[str, Any]] = {}
        self._recorded: dict[str, dict[str, Counted]] = {}  # by host and step
        self._counted: dict[Counted, Counted] = {}  # one object for equal ones, to save memory
        self._artifacts: dict[tuple[str, str, int], dict[str, Any]] = {}  # columns by host, step, n
        self._attached: dict[tuple[int, str, str], list[dict[str, Any]]] = {}  # the same by stage, host, digest
        self._offsets: dict[str, float | None] = {}  # of the hosts' clocks
        self._persisted = Persisted()
        self._changes = 0
        self._conflicts = 0
        self._checks = 0
        self._kinds: dict[str, Callable[[Record, Batch | None], None]] = {
            "run": self._add_run,
            "delta": self._add_delta,
            "merge": self._add_delta,
            "clock": self._add_clock,
            "step": self._add_step,
            "artifact": self._add_artifact,
            "transfer": self._add_transfer,
            "end": self._add_end,
        }

    @property
    def group_id(self) -> str:
        """The group that the run is a part of, empty for none."""
        return self._run.get("group_id") or ""

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended, as far as it was read."""
        return "ended" in self._run

    @property
    def ended(self) -> str | None:
        """When the run has ended, as far as it was read."""
        return self._run.get("ended")

    @property
    def status(self) -> str:
        """How the run has ended, or that it goes on, as far as it was read."""
        return str(self._run["status"])

    def add(self, record: Record, batch: Batch | None = None) -> None:
        """Add one record of the journal, and its rows to the batch; a kind that is not known here has no rows."""
        comes_in_time = not self.has_ended or record["kind"] == COMES_LATE or _is_served_again(record)
        if comes_in_time and (add := self._kinds.get(record["kind"])):
            add(record, batch)
        if batch:
            batch.records += 1

    def tally(self) -> Tally:
        """How many rows all records added so far make."""
        hosts = self._recorded.values()
        measured = sum(counted.measurements for steps in hosts for counted in steps.values())
        return Tally(self._changes, sum(map(len, hosts)), measured, self._conflicts, len(self._artifacts))

    def run_row(self, journal: str, offset: int) -> Row:
        """The current row of the run. Once it is written, the journal counts as stored up to the byte `offset`."""
        counted = {"next_seq": self._context.seq + 1, "checks": self._checks}
        place = {"journal": storable(journal), "journal_offset": offset}
        return in_order(tables().runs, self._run | counted | place)

    def _add_run(self, record: Record, batch: Batch | None) -> None:
        """The run begins, or goes on; in that case it is running again and keeps its first start and plan."""
        self._context.fold(record)
        self._persisted = Persisted(patterns_of(record.get("options")))
        steps = entries(record.get("steps"))
        self._planned |= {step["name"]: step for step in steps if isinstance(step.get("name"), str)}
        started, plan = self._run.get("started"), self._run.get("plan")
        self._run = {
            "run_id": self.run_id,
            **columns_from(RECIPE, mapping(record.get("recipe"))),
            **columns_from(RUN, record),
            **columns_from(GROUP, mapping(record.get("group"))),
            "status": "running",
            "plan": plan or storable(json_text(pack_plan(record))),
        }
        if started:
            self._run["started"] = started
        if batch:
            batch.hosts |= {row[1]: row for row in host_rows(self.run_id, record)}

    def _add_end(self, record: Record, batch: Batch | None) -> None:
        self._run |= columns_from(END, record)

    def _add_delta(self, record: Record, batch: Batch | None) -> None:
        """Rows of a change and of a conflict. A refused write, or one of a key that is not kept, is a conflict only.

        A merge has the controller's time.
        """
        offset = self._offsets.get(record["host"]) if record["kind"] == "delta" else None
        for delta in self._context.fold(record):
            is_change = delta.outcome != REFUSED and self._is_kept(delta)
            self._changes += is_change
            self._conflicts += delta.conflict
            if batch:
                row = delta_row(self.run_id, delta, record["host"], offset)
                if is_change:
                    batch.context.append(row)
                if delta.conflict:
                    batch.conflicts.append(conflict_row(row, delta))

    def _is_kept(self, delta: Delta) -> bool:
        """Whether a key goes to the store. What a later run may take from there with a cached result always does."""
        if not self._persisted.patterns or self._persisted.has(delta.key):
            return True
        return bool(self._planned.get(delta.step.partition("[")[0], {}).get("cache_key"))

    def _add_clock(self, record: Record, batch: Batch | None) -> None:
        """Remember how far a host's clock is ahead: it goes into the rows of its later changes."""
        self._offsets[intern(record["host"])] = number(record["offset"])

    def _add_artifact(self, record: Record, batch: Batch | None) -> None:
        """The row of an attached file. Its path comes later, with the transfer record."""
        columns = {"run_id": self.run_id, **columns_from(ARTIFACT, record)}
        place = (columns["host"], columns["step"], columns["n"])
        self._artifacts[place] = columns
        self._attached.setdefault((record["stage"], record["host"], record["sha256"]), []).append(columns)
        if batch:
            batch.artifacts[place] = in_order(tables().artifacts, columns)

    def _add_transfer(self, record: Record, batch: Batch | None) -> None:
        """Note where a file is, or why it is missing, for all steps of the host that attached this content."""
        for columns in self._attached.get((record["stage"], record["host"], record["sha256"]), ()):
            columns.update(columns_from(TRANSFER, record))
            if batch:
                place = (columns["host"], columns["step"], columns["n"])
                batch.artifacts[place] = in_order(tables().artifacts, columns)

    def _add_step(self, record: Record, batch: Batch | None) -> None:
        """Update the row of a step, if the record counts. A refused write makes its verdict an error."""
        record = self._context.refusals.final_record(record)
        step, host = cell = Cell(intern(name(record["step"]) or ""), intern(name(record["host"]) or ""))
        recorded = self._recorded.setdefault(host, {})
        before = recorded.get(step)
        if not is_counted(record, before.weight if before else None):
            return
        rows = measurement_rows(self.run_id, record)
        self._count(recorded, step, Counted(len(rows), checks_of(record), weight_of(record)))
        if batch:
            batch.steps[cell] = step_row(self.run_id, record, self._plan_of(record))
            batch.measurements[cell] = rows
            if before:
                batch.again.add(cell)

    def _plan_of(self, record: Record) -> dict[str, Any]:
        """The planned step; that of an instance is its parent's."""
        parent = record.get("parent")
        return self._planned.get(parent if isinstance(parent, str) else record["step"], {})

    def _count(self, recorded: dict[str, Counted], step: str, counted: Counted) -> None:
        before = recorded.get(step)
        self._checks += counted.checks - (before.checks if before else 0)
        recorded[step] = self._counted.setdefault(counted, counted)
