# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps with refused writes. Such a step ends as an error, whatever the record of its host says."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.journal.record_fields import Record

Step = tuple[str, str]  # host, step


class RefusedWrites:
    """The reasons of steps with refused writes. `optional` names the steps whose failure blocks no other step."""

    __slots__ = ("_reasons", "optional")

    def __init__(self) -> None:
        self._reasons: dict[Step, str] = {}
        self.optional: frozenset[str] = frozenset()

    def add(self, host: str, step: str, reason: str) -> None:
        """Note that a write of a step was refused. The reason of the first one is kept."""
        self._reasons.setdefault((host, step), reason)

    def final_record(self, record: Record) -> Record:
        """The record that counts for a step: the host's own, or a final one that makes it an error for this reason."""
        if not self._reasons or record.get("final") is True:
            return record
        reason = self._reasons.get((record["host"], record["step"]))
        if reason is None:
            return record
        parent = record.get("parent")
        if isinstance(parent, str):
            self.add(record["host"], parent, f"{record['step']} error: {reason}")
        final = {**record, "n": 0, "final": True, "verdict": "error", "reason": reason + _own_outcome(record)}
        if record["step"] not in self.optional and not parent:
            final["blocks"] = True
        return final


def _own_outcome(record: Record) -> str:
    """The verdict and reason of the host's own record, empty where it passed."""
    outcome = "" if record["verdict"] in PASSING else f"{record['verdict']}: {record.get('reason', '')}".rstrip(": ")
    return f"; it ended as {outcome}" if outcome else ""
