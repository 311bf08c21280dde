# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that the controller writes of a step without a result, and of artifacts that came or did not.

An artifact comes into the run's folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import waive
from rack_recipes.journal.record_fields import Record
from rack_recipes.recipe.waivers import RunWaivers

UNPLANNED = (
    "its stage was not planned when the run began: what is included while a playbook runs, or stands under `rescue`, "
    "comes too late; `import_tasks`, `import_role` and `roles` do not"
)
SHOWN = 500  # characters of a message
UNRECORDED = "rack_recipes_unrecorded"  # a field of a task's result: true where the journal lacks the stage's results
# In the result of a task that one process has run on all of its hosts.
NOT_PASSED = "not_passed"  # the message of each host that did not pass
PYTHONS = "found_pythons"  # the hosts of each Python that was found now


def missing_result(
    stage: int, step: str, host: str, verdict: str, reason: str, *, blocks: bool = True
) -> dict[str, Any]:
    """The step record; with `blocks` the steps that need this one are blocked."""
    head = {"kind": "step", "stage": stage, "n": 0, "host": host, "step": step}
    judged = {"verdict": verdict, "reason": reason, "started": now(), "seconds": 0.0}
    return {**head, **judged, "attempts": [], "measurements": [], **({"blocks": True} if blocks else {})}


def failed_task(result: Any) -> str:
    """What follows the reason of a step without a result on a host where another task failed, by Ansible's result."""
    message = " ".join(str(result.result.get("msg", "")).split())[:SHOWN]
    return f"; the last task that failed on this host is {result.task.get_name()!r}: {message or 'without a message'}"


def with_waiver(record: dict[str, Any], waivers: RunWaivers) -> dict[str, Any]:
    """The record as it is where a waiver covers the result; otherwise the record itself.

    A result between hosts is covered by its own name and by that of its step, on any of its members.
    """
    if not waivers.in_force:
        return record
    if members := record.get("members"):
        told = {each["id"]: each for host in members for each in waivers.of(host)}
        names = [record["step"], record["parent"]]
        waived = waive(told.values(), names, record["verdict"], record["reason"], record["measurements"])
    else:
        waived = waivers.waive(record["step"], record["host"], record["verdict"], record["reason"])
    if waived is None:
        return record
    kept = {name: value for name, value in record.items() if name != "blocks"}
    return {**kept, "verdict": waived.verdict, "reason": waived.reason, "waived": waived.record}


FOLDER = "artifacts"  # in the run's folder: each artifact under its digest


def transfer_record(artifact: Record, problem: str = "") -> Record:
    """The transfer record of an artifact: that it has arrived, or the `problem` why it has not."""
    head = {"kind": "transfer", "stage": artifact["stage"], "n": 0, "host": artifact["host"], "time": now()}
    digest = artifact["sha256"]
    return {**head, "sha256": digest, "path": None if problem else f"{FOLDER}/{digest}", "note": problem}


def missing_artifacts(artifacts: Iterable[Record], transfers: Iterable[Record]) -> list[str]:
    """A line for people for each artifact that has not arrived, with the reason. Its last transfer record counts."""
    notes = {_key(record): record["note"] for record in transfers}
    return [
        f"artifact {record['name']} of step {record['step']} on {record['host'] or 'the controller'} is missing: {note}"
        for record in artifacts
        if (note := notes.get(_key(record)))
    ]


def _key(record: Record) -> tuple[int, str, str]:
    return record["stage"], record["host"], record["sha256"]
