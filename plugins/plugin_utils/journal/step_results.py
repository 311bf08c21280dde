# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each step ended on each host, as the step records of a journal tell it: the one reader of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record

Place = tuple[str, str]  # step, host


class StepEnd(NamedTuple):
    """How a step ended on a host.

    `sure` is false where the recorder had to say it for want of a result; `is_final` tells that it knows better than
    the host, as of a write that was refused. `blocks` tells whether what depends on the
    step may start, `checks` how many criteria were judged. A looped step has `instances`, each with a record of its
    own that names the step as its `parent`.
    """

    verdict: str
    reason: str = ""
    sure: bool = True
    blocks: bool = False
    checks: int = 0
    instances: int = 0
    parent: str = ""
    is_final: bool = False


class Results:
    """The final word on each (step, host), in the order in which the first one came."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended: dict[Place, StepEnd] = {}

    def take(self, record: Record) -> None:
        """Take in a step record: the last one counts, but what the recorder said (n = 0) never against the host's.

        Only its last word (`final`) does.
        """
        place = (record["step"], record["host"])
        is_final, before = record.get("final") is True, self.ended.get(place)
        sure = is_final or record["n"] > 0
        if before is not None and before.is_final and not is_final:
            return
        if sure or before is None or not before.sure:
            self.ended[place] = StepEnd(
                record["verdict"],
                record.get("reason", ""),
                sure,
                record.get("blocks", False),
                record.get("checks", 0),
                record.get("instances", 0),
                record.get("parent", ""),
                is_final,
            )

    def counted(self) -> Iterator[tuple[Place, StepEnd]]:
        """What counts and is told to people: the instances of a looped step, and not the step itself."""
        return ((place, end) for place, end in self.ended.items() if not end.instances)
