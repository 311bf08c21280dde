# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that wrote what was refused: they end as an error, whatever their hosts say."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record

Step = tuple[str, str]  # host, step


class RefusedWrites:
    """Why steps cannot have passed; `optional` names the steps whose failure blocks nothing."""

    __slots__ = ("_reasons", "optional")

    def __init__(self) -> None:
        self._reasons: dict[Step, str] = {}
        self.optional: frozenset[str] = frozenset()

    def add(self, host: str, step: str, reason: str) -> None:
        """A write of a step was refused; the first reason counts."""
        self._reasons.setdefault((host, step), reason)

    def ruled(self, record: Record) -> Record:
        """The step's record as it counts: the same one, or the last word on the step, with all that its host says."""
        if not self._reasons or record.get("final") is True:
            return record
        reason = self._reasons.get((record["host"], record["step"]))
        if reason is None:
            return record
        parent = record.get("parent")
        if isinstance(parent, str):
            self.add(record["host"], parent, f"{record['step']} error: {reason}")
        ruled = {**record, "n": 0, "final": True, "verdict": "error", "reason": reason + _besides(record)}
        if record["step"] not in self.optional and not parent:
            ruled["blocks"] = True
        return ruled


def _besides(record: Record) -> str:
    """What else was wrong with it."""
    said = "" if record["verdict"] in PASSING else f"{record['verdict']}: {record.get('reason', '')}".rstrip(": ")
    return f"; it ended as {said}" if said else ""
