# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of artifacts that have arrived in the run's folder, or have not."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.journal.record_fields import Record

FOLDER = "artifacts"  # in the run's folder: each artifact under its digest


def transfer(artifact: Record, problem: str = "") -> Record:
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
