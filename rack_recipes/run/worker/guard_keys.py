# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that a step has set although the policy does not let this user: they are left out, and the step is an error.

What a scriptlet declares is checked before a run. A key that it sets undeclared is seen only when it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rack_recipes.journal.record_fields import Record
from rack_recipes.run.trust.check_trust import key_access
from rack_recipes.run.trust.policy.policy_model import WRITE
from rack_recipes.settings import Settings


class KeyGuard:
    """Goes through the records of one stage, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._access = key_access(settings)
        self._refused: dict[tuple[str, str], str] = {}  # the reason of each host and step

    def allowed(self, records: Iterable[Record]) -> Iterable[Record]:
        """The records that may be kept; the result of a step that has set a forbidden key is an error."""
        return self._checked(records) if self._access else records

    def _checked(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            place = (str(record.get("host", "")), str(record.get("step", "")))
            if record["kind"] == "delta" and (reason := self._refusal(str(record["key"]))):
                self._refused.setdefault(place, reason)
            elif record["kind"] == "step" and place in self._refused:
                yield {**record, "verdict": "error", "reason": self._refused[place]}
            else:
                yield record

    def _refusal(self, key: str) -> str:
        return self._access.refusal(WRITE, key) if self._access else ""
