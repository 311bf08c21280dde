# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run, read from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from rack_recipes.context.run_context import Context
from rack_recipes.journal.compressed_journal import exists
from rack_recipes.journal.reader import JournalReader, damage
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results import Results, StepEnd
from rack_recipes.run.artifact_transfer_records import missing_artifacts


@dataclass(frozen=True, slots=True)
class Summary:
    """What the command prints of a run that has ended. `problems` holds (step, host, verdict, reason).

    `waived` holds the (step, host) whose failures somebody has accepted.

    `warnings` are about what changes no verdict: artifacts that have not arrived, names of one and the same host,
    damaged lines of the journal.
    """

    run_id: str = ""
    status: str = "interrupted"
    exit_code: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    problems: tuple[tuple[str, str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    waived: tuple[tuple[str, str], ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The JSON object that a run ends with."""
        status = "ok" if self.status == "passed" else self.status
        extra = {"warnings": list(self.warnings)} if self.warnings else {}
        about = {"run_id": self.run_id, "ctx_keys": list(self.keys), "counts": dict(self.counts)}
        return {"status": status, **about, **extra}


def summarize(path: Path) -> Summary:
    """The summary of a journal; empty where no run was begun. Raises JournalError."""
    if not exists(path):
        return Summary()
    context, results = Context(), Results()
    last: dict[str, Any] = {}
    files: dict[str, list[Record]] = {"artifact": [], "transfer": []}
    warnings: list[str] = []
    journal = JournalReader(path)
    for line in journal.read():
        record = line.record
        if record is None:
            continue
        context.fold(record)
        if record["kind"] == "end":
            last = record
        elif record["kind"] == "step":
            results.add(context.refusals.final_record(record))
        elif record["kind"] == "warning":
            warnings.append(record["text"])
        elif record["kind"] in files:
            files[record["kind"]].append(record)
    if not context.run_id:
        return Summary()
    return Summary(
        context.run_id,
        last.get("status", "interrupted"),
        last.get("exit_code", 1),
        last.get("counts", {}),
        tuple(context.keys()),
        tuple((*place, end.verdict, end.reason) for place, end in results.counted() if _is_problem(end)),
        (*warnings, *_losses(files, journal)),
        tuple(place for place, end in results.counted() if end.verdict == WAIVED),
    )


def _losses(files: Mapping[str, list[Record]], journal: JournalReader) -> Iterator[str]:
    """Warnings that the recorder could not give: artifacts that have not arrived, lines that cannot be read."""
    yield from missing_artifacts(files["artifact"], files["transfer"])
    if journal.damaged:
        yield damage(journal.path, journal.damaged)


def _is_problem(end: StepEnd) -> bool:
    return end.verdict not in PASSING | NOT_TRIED
