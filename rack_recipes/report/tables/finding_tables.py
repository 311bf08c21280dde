# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings about a run as tables: all of them, the causes, and the results that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rack_recipes.analysis.findings import FINDING_KINDS, Finding, ResultId
from rack_recipes.report.table_model import Column, Row, Table
from rack_recipes.report.tables import columns as of
from rack_recipes.report.tables.cells import RUN_SCOPED, in_words

MOST_NAMED = 5
"""How many results of a finding are named in its row; all of them stand in the table `finding_results`."""

SUGGESTION = "suggestion"
"""Stands beside a finding that comes from a heuristic or from a language model."""


def finding_tables(findings: Sequence[Finding]) -> tuple[Table, ...]:
    """The causes, and all findings; a finding has the same number in every table."""
    numbered = [*enumerate(findings, 1)]
    causes = [(n, finding) for n, finding in numbered if finding.kind == "cause"]
    return (
        Table("causes", "Causes", of.CAUSES, _rows(causes, of.CAUSES), of.ABOUT_CAUSES),
        Table("findings", "Findings", of.FINDINGS, _rows(numbered, of.FINDINGS), of.ABOUT_FINDINGS),
    )


def finding_results(findings: Sequence[Finding], verdicts: Mapping[tuple[str, str], str]) -> Table:
    """The results that each finding rests on; `verdicts` has the verdict of each result, by host and step."""
    rows = tuple(
        _result(n, result, verdicts)
        for n, finding in enumerate(findings, 1)
        for result in dict.fromkeys(finding.results)
    )
    return Table("finding_results", "Results of findings", of.FINDING_RESULTS, rows, of.ABOUT_FINDING_RESULTS)


def _rows(numbered: Sequence[tuple[int, Finding]], columns: Sequence[Column]) -> tuple[Row, ...]:
    told = (_told(n, finding) for n, finding in numbered)
    return tuple(tuple(cells[column.name] for column in columns) for cells in told)


def _told(n: int, finding: Finding) -> Mapping[str, Any]:
    return {
        "n": n,
        "grade": finding.grade,
        "kind": FINDING_KINDS[finding.kind].title,
        "title": finding.title,
        "advice": finding.advice or None,
        "explains": finding.explains or None,
        "results": _named(finding.results),
        "figures": in_words(finding.figures, " = "),
        "about": in_words(finding.about, ": "),
        "method": finding.method or None,
        "origin": finding.origin,
        "suggestion": SUGGESTION if finding.suggestion else None,
    }


def _named(results: Sequence[ResultId]) -> str | None:
    """The first results in words: `r1: link (rx), r2: link and 3 more`."""
    named = ", ".join(map(_name, results[:MOST_NAMED]))
    left_out = len(results) - MOST_NAMED
    return f"{named} and {left_out:,} more" if left_out > 0 else named or None


def _name(result: ResultId) -> str:
    name = f" ({result.name})" if result.name else ""
    return f"{result.host or RUN_SCOPED}: {result.step}{name}"


def _result(n: int, result: ResultId, verdicts: Mapping[tuple[str, str], str]) -> Row:
    verdict = verdicts.get((result.host, result.step))
    return n, result.host or RUN_SCOPED, result.step or None, result.name or None, verdict
