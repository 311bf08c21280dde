# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host must not send is set aside, and its steps are errors: a host may have been taken over.

Nothing of an answer reaches the journal, or anybody who reads it, before it was looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rack_recipes.journal.allowed_records import MOST_SECRETS, SECRET_ENTRY, Sender, refusal
from rack_recipes.journal.record_fields import Record

REFUSED = "the host sent what no step sends: "
Place = tuple[str, str]  # host, step


class HostRecordCheck:
    """Goes through the answers of one stage, in their order.

    `refused` says why, by each host and step about which the host sent something else than it may; of something that
    is about no single step, all steps of the stage are.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.refused: dict[Place, str] = {}

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
        return [record for record in kept if record["kind"] != "step" or _place(record) not in self.refused]

    def allowed_secrets(self, entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
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
        about = _place(record) if isinstance(record, dict) else None
        places = [(host, step) for host, steps in self._sender.steps.items() for step in steps]
        of_host = [place for place in places if about and place[0] == about[0]]
        of_step = [place for place in of_host if place == about]
        for place in of_step or of_host or places:
            self.refused.setdefault(place, f"{REFUSED}{reason}")


def _place(record: Mapping[str, Any]) -> tuple[Any, Any]:
    """Host and step of a record, of an instance the looped step; they may be anything where it was refused."""
    return record.get("host"), record.get("parent", record.get("step"))
