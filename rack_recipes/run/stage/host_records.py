# SPDX-License-Identifier: GPL-3.0-or-later

"""The records that a host has sent.

What it must not send and keys that the policy forbids are left out, and what an earlier run has left there is
collected before the host runs a stage again.

Nothing of an answer reaches the journal, or anybody who reads it, before it was looked at here.

What a scriptlet declares is checked before a run. A key that it sets undeclared is seen only when it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rack_recipes.journal.allowed_records import MOST_SECRETS, SECRET_ENTRY, Sender, refusal
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import Cell
from rack_recipes.run.host.remote_executor import RemoteExecutor
from rack_recipes.run.trust.check_trust import key_access
from rack_recipes.run.trust.policy import WRITE
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from rack_recipes.run.earlier_run import EarlierRun
    from rack_recipes.run.stage.host_stage_request import StageTask

REFUSED = "the host sent what no step sends: "


class HostRecordCheck:
    """Goes through the answers of one stage, in their order.

    `refused` says why, by each host and step about which the host sent something else than it may; of something that
    is about no single step, all steps of the stage are.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.refused: dict[Cell, str] = {}

    def allowed(self, records: Iterable[Record]) -> list[Record]:
        """The records that may be kept. Of steps that are refused none is a result."""
        kept = []
        for record in records:
            reason = refusal(record, self._sender)
            if reason is None:
                kept.append(record)
            else:
                self._refuse(record, reason)
        if not self.refused:
            return kept
        return [record for record in kept if record["kind"] != "step" or _about(record) not in self.refused]

    def allowed_secrets(self, entries: Iterable[Mapping[str, object]]) -> list[Mapping[str, Any]]:
        """The entries of registered secrets that may be kept. Each answer has those of the answers before again."""
        kept = [*entries]
        odd = next((entry for entry in kept if not SECRET_ENTRY.holds(entry)), None)
        if odd is not None:
            self._refuse(odd, f"as a secret what is not {SECRET_ENTRY.expected}")
        if len(kept) > MOST_SECRETS:
            self._refuse({}, f"{len(kept)} secrets, a stage may register {MOST_SECRETS}")
        return [entry for entry in kept[:MOST_SECRETS] if SECRET_ENTRY.holds(entry)]

    def _refuse(self, record: object, reason: str) -> None:
        """Note a reason for the step that a record is about; for several steps where that is unknown."""
        step, host = _about(record) if isinstance(record, dict) else (None, None)
        cells = [Cell(step, host) for host, steps in self._sender.steps.items() for step in steps]
        of_host = [cell for cell in cells if cell.host == host]
        of_step = [cell for cell in of_host if cell.step == step]
        for cell in of_step or of_host or cells:
            self.refused.setdefault(cell, f"{REFUSED}{reason}")


def _about(record: Mapping[str, object]) -> tuple[Any, Any]:
    """Step and host of a record, of an instance the looped step; they may be anything where it was refused."""
    return record.get("parent", record.get("step")), record.get("host")


class KeyGuard:
    """Goes through the records of one stage, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._access = key_access(settings)
        self._refused: dict[Cell, str] = {}

    def allowed(self, records: Iterable[Record]) -> Iterable[Record]:
        """The records that may be kept; the result of a step that has set a forbidden key is an error."""
        return self._checked(records) if self._access else records

    def _checked(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            cell = Cell(str(record.get("step", "")), str(record.get("host", "")))
            if record["kind"] == "delta" and (reason := self._refusal(str(record["key"]))):
                self._refused.setdefault(cell, reason)
            elif record["kind"] == "step" and cell in self._refused:
                yield {**record, "verdict": "error", "reason": self._refused[cell]}
            else:
                yield record

    def _refusal(self, key: str) -> str:
        return self._access.refusal(WRITE, key) if self._access else ""


def collect_results(earlier: EarlierRun, remote: RemoteExecutor, task: StageTask) -> None:
    """Collect the results and artifacts of the task's steps that the journal lacks; wait for a stage that still runs.

    `task` says for which hosts, and through which one. Raises Unreachable.
    """
    lease = task.run.settings.reconnect_timeout
    steps = {stage.host: [step["name"] for step in stage.steps] for stage in task.stages}
    for number in sorted({number for host, names in steps.items() for number in earlier.unfinished(names, host)}):
        check = HostRecordCheck(Sender(number, {host: earlier.steps_of(number, host) for host in steps}))
        for answer in remote.collect(task.id_of(earlier.run_id, number), lease, sum(map(len, steps.values()))):
            append(earlier.path, task.told(check.allowed(answer.records)))
    earlier.catch_up()
    missing: dict[int, list[Record]] = {}
    for host, names in steps.items():
        for number, records in earlier.missing_artifacts(names, host).items():
            missing.setdefault(number, []).extend(records)
    for number, records in missing.items():
        _fetch(earlier, remote, task.id_of(earlier.run_id, number), records)


def _fetch(earlier: EarlierRun, remote: RemoteExecutor, stage: str, records: list[Record]) -> None:
    # few runs have any artifacts
    from rack_recipes.run.stage.fetch_artifacts import fetch_artifacts

    found = fetch_artifacts(earlier.path.parent, stage, records, lambda wanted: remote.pieces(stage, wanted))
    append(earlier.path, found)
