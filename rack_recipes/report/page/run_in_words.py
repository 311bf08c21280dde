# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the first lines of the page say of a run: whether it is good, and when it last was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from rack_recipes.report.format_values import cut, shown
from rack_recipes.report.page.host_places import HostPlace
from rack_recipes.report.table_model import Table

ABOVE = frozenset({"status", "description", "hosts", "steps", "results", "not_passing", "not_run", "seconds"})
"""Columns of the summary that the head of the page shows in its own way."""

MOST_IN_FACT = 1000
PASSED = "passed"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 host, 2 hosts."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def sentence(run: Mapping[str, Any], hosts: Sequence[HostPlace]) -> str:
    """Whether what was tested is good, in one sentence."""
    tried = [one for one in hosts if one.verdict]
    bad = [one for one in tried if one.verdict not in HARMLESS]
    results, not_passing = run["results"], run["not_passing"]
    if not results:
        return "No result is known yet."
    if run["status"] == "running":
        return (
            f"Not known yet: the run goes on, and {not_passing:,} of {counted(results, 'result')} did not pass so far."
        )
    if not bad and not not_passing:
        blank = f" {counted(run['not_run'], 'result was', 'results were')} not to run." if run["not_run"] else ""
        return f"Nothing failed on {counted(len(tried), 'host')}.{blank}"
    stopped = f"Stopped {run['stopped']}. " if run.get("stopped") else ""
    return f"{stopped}{_of(len(bad), len(tried))} did not pass: {not_passing:,} of {counted(results, 'result')}."


def _of(bad: int, hosts: int) -> str:
    return f"{bad:,} of {counted(hosts, 'host')}" if hosts else "The run"


@dataclass(frozen=True, slots=True)
class LastPass:
    """The newest earlier run of the test that passed; `between` is how many runs came after it, before this one."""

    run_id: str
    started: str
    between: int


def last_pass(past_runs: Table) -> LastPass | None:
    """The last good run, by the table of past runs, which has the newest first."""
    rows = [dict(zip((column.name for column in past_runs.columns), row, strict=True)) for row in past_runs.rows]
    for number, row in enumerate(rows):
        if row["status"] == PASSED:
            return LastPass(row["run_id"], shown(row["started"], "time")[:16], number)
    return None


def facts(summary: Table) -> list[tuple[str, str]]:
    """What else the summary says, as titles and texts."""
    pairs = zip(summary.columns, summary.rows[0], strict=True)
    told = [(column, shown(value, column.kind)) for column, value in pairs if column.name not in ABOVE]
    return [(column.label, cut(text, MOST_IN_FACT)) for column, text in told if text]
