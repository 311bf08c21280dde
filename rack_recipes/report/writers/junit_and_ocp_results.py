# SPDX-License-Identifier: GPL-3.0-or-later

"""What JUnit XML and Open Compute output share.

The results of a report by host, and the four outcomes that other programs know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple, cast

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, WAIVED
from rack_recipes.analysis.run_statistics import group_rows
from rack_recipes.report.table_model import Table
from rack_recipes.store.result import Result

PASS, FAIL, ERROR, SKIP = "PASS", "FAIL", "ERROR", "SKIP"


class Outcome(NamedTuple):
    """One outcome: its element in JUnit XML, and its status and type of diagnosis in Open Compute's output."""

    junit: str | None
    ocp_status: str
    ocp_type: str | None


OUTCOMES = {
    FAIL: Outcome("failure", "COMPLETE", "FAIL"),
    ERROR: Outcome("error", "ERROR", "UNKNOWN"),
    PASS: Outcome(None, "COMPLETE", "PASS"),
    SKIP: Outcome("skipped", "SKIP", None),
}


def outcome_of(verdict: str | None) -> str:
    """The outcome of a verdict; a word that is no verdict is an error, so that nobody overlooks it.

    A waived failure is skipped: programs that read these files know no other word that is neither pass nor failure.
    """
    if verdict == WAIVED:
        return SKIP
    if verdict in PASSING:
        return PASS
    if verdict in NOT_TRIED:
        return SKIP
    return FAIL if verdict == FAILED else ERROR


Cells = Mapping[str, Any]


def by_host(tables: Mapping[str, Table]) -> Iterator[tuple[str, list[Result]]]:
    """Each host with its results in order; a looped step has its instances instead of itself.

    Each has its `measurements`, and as `stderr` the end of its log if it did not pass.
    """
    values = group_rows(tables["values"].records(), lambda row: (row["host"], row["step"]))
    logs = {(row["host"], row["step"]): row["stderr"] or "" for row in tables["not_passed"].records()}
    counted = (row for row in tables["verdicts"].records() if not row["instances"])
    for host, rows in groupby(counted, key=lambda row: str(row["host"])):
        places = ((row, (row["host"], row["step"])) for row in rows)
        more = ((row, values.get(place, ()), logs.get(place, "")) for row, place in places)
        yield host, [cast("Result", {**row, "measurements": own, "stderr": log}) for row, own, log in more]
