# SPDX-License-Identifier: GPL-3.0-or-later

"""Which step record of a journal counts, and how a run ends by the verdicts of those that count.

A run's end is its status and the exit code of the command.

Of the records about one step on one host the last one counts, with two exceptions. Where a host sent no result, the
recorder writes a record in its place (`n` is 0); the host's own record wins over such an assumed one, whichever comes
first. Where the recorder overrules the host, for example after a refused write, its record is marked `final` and wins
over all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING, WAIVED, rank
from rack_recipes.journal.record_fields import Record

ASSUMED, FROM_HOST, FINAL = range(3)  # how much a step record weighs


class Cell(NamedTuple):
    """A step on a host: where a run has one result. The host of a step of the run is empty."""

    step: str
    host: str


def cell_of(record: Mapping[str, Any]) -> Cell:
    """The cell that a record is about."""
    return Cell(record["step"], record["host"])


def weight_of(record: Record) -> int:
    """How much a step record weighs: `ASSUMED`, `FROM_HOST` or `FINAL`."""
    if record.get("final") is True:
        return FINAL
    return FROM_HOST if record["n"] else ASSUMED


def is_counted(record: Record, earlier: int | None) -> bool:
    """Whether a step record counts, given the weight of the one that has counted so far; None where there is none."""
    return earlier is None or weight_of(record) >= earlier


class StepEnd(NamedTuple):
    """How a step ended on a host. 200,000 take 45 MiB, and 57 as what is kept of their records.

    `sure` is false for a record that the recorder wrote because the host sent no result. `is_final` is true where the
    recorder overruled the host. `blocks` says whether the steps that depend on this one are blocked, `checks` how many
    criteria were judged. A looped step has `instances`; each instance has a record of its own, which names the step as
    its `parent`. `through` is the host that ran it on behalf of its own one.
    """

    verdict: str
    reason: str = ""
    sure: bool = True
    blocks: bool = False
    checks: int = 0
    instances: int = 0
    parent: str = ""
    is_final: bool = False
    through: str = ""

    @property
    def weight(self) -> int:
        """How much the record of this end weighs."""
        if self.is_final:
            return FINAL
        return FROM_HOST if self.sure else ASSUMED


class CountedRecords(dict[Cell, Record]):
    """Of each cell the step record that counts."""

    def add(self, record: Record) -> None:
        """Add a step record, if it counts."""
        cell = cell_of(record)
        before = self.get(cell)
        if is_counted(record, weight_of(before) if before else None):
            self[cell] = record


class Results:
    """How each cell ended, in the order of their first records."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended: dict[Cell, StepEnd] = {}

    def add(self, record: Record) -> None:
        """Add a step record, if it counts."""
        cell = cell_of(record)
        before = self.ended.get(cell)
        if not is_counted(record, before.weight if before else None):
            return
        weight = weight_of(record)
        self.ended[cell] = StepEnd(
            record["verdict"],
            record.get("reason", ""),
            weight > ASSUMED,
            record.get("blocks", False),
            record.get("checks", 0),
            record.get("instances", 0),
            record.get("parent", ""),
            weight == FINAL,
            record.get("through", ""),
        )

    def has_untested(self) -> bool:
        """Whether a host took part in no test of a step between hosts."""
        return any(end.reason == UNTESTED for end in self.ended.values())

    def counted(self) -> Iterator[tuple[Cell, StepEnd]]:
        """The ends that are counted and shown: those of the instances of a looped step, not that of the step itself."""
        return ((cell, end) for cell, end in self.ended.items() if not end.instances)


INTERRUPTED = "interrupted"
CUT_OFF = ("not run: ", "stopped: the run was interrupted", "the run was interrupted")
"""How the reasons begin of what an interrupted run did not come to, and of what its end has ended."""
NOT_ASKED = ("left out by --skip", "left out by its tags", "the time box of ")
"""How the reasons begin of skipped steps that were never to run, other than by their own condition."""
OF_CUT_OFF = ("error", "blocked")  # their verdicts: blocked are the instances of a loop that had begun
REHEARSED = "rehearsed"
ENDED = "ended"  # of a context that a server has served: nothing was tested
INCOMPLETE = "incomplete"  # all passed, but a host took part in no test of a step between hosts
UNTESTED = "it took part in no test of this step that was measured"  # the reason of such a host
NOTHING = {
    "unchecked": "nothing was checked in {}",
    "failed": "no step of {} passed",
    INCOMPLETE: "hosts took part in no test of a step between hosts",
}
"""Why a run, or what is judged of it, did not pass although no step went wrong."""
EXIT_CODES = {
    **dict.fromkeys(("passed", REHEARSED, ENDED), 0),
    **dict.fromkeys(("failed", "unchecked", INCOMPLETE, INTERRUPTED), 1),
    "unreachable": 3,
}


def why_nothing_passed(status: str, bad: int) -> str:
    """Why a run did not pass in which no result went wrong; empty for another. `bad` is how many did."""
    return "" if bad else NOTHING.get(status, "").format("the recipe or of a role")


def was_cut_off(row: Mapping[str, object]) -> bool:
    """Whether a result only says that its run ended before the step did: it tells nothing of what was tested."""
    return row["verdict"] in OF_CUT_OFF and str(row.get("reason") or "").startswith(CUT_OFF)


def stop_of(record: Mapping[str, object]) -> dict[str, str]:
    """Who has stopped the run, and when, by a record of the journal; empty where it says nothing of that."""
    return {"by": str(record["stopped_by"]), "time": str(record.get("time", ""))} if "stopped_by" in record else {}


def stopped_in_words(run: Mapping[str, Any]) -> str:
    """Who has stopped a run, and when (UTC), by its row in the store; empty for one that was not stopped."""
    stopped = run.get("stopped") or {}
    if not stopped:
        return ""
    moment = str(stopped.get("time", ""))[:19].replace("T", " ")
    return " at ".join(filter(None, (f"by {stopped.get('by', 'somebody')}", f"{moment} UTC" if moment else "")))


def counts_in_words(counts: Mapping[str, int]) -> str:
    """How many results have each verdict, the gravest first: `2 failed, 5 passed`."""
    return ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in sorted(counts, key=rank) if counts[verdict])


def status_of(counts: Mapping[str, int], checks: int, *, is_check: bool = False, has_untested: bool = False) -> str:
    """`passed`, `failed`, `unreachable`, `incomplete`, or `unchecked` where all passed and nothing was checked.

    Where nothing passed there is no pass either. In check mode nothing can: a run with nothing wrong is `rehearsed`.
    """
    bad = {verdict for verdict, number in counts.items() if number and verdict not in PASSING}
    if bad & {"failed", "error"}:
        return "failed"
    if "unreachable" in bad:
        return "unreachable"
    if bad - HARMLESS:
        return "failed"
    if is_check:
        return REHEARSED if counts else "failed"
    if not any(counts.get(verdict) for verdict in PASSING):
        return "failed"
    whole = INCOMPLETE if has_untested else "passed"
    return whole if checks or counts.get(WAIVED) else "unchecked"  # what is waived was judged, and had failed
