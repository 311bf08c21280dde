# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of the scriptlets that analyse their run: each comes from the record of its step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rack_recipes.analysis.findings import GRADES, NOTABLE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData

KIND = "own"


def findings(run: RunData, _history: History) -> Iterable[Finding]:
    """What the last attempt of each step of the run has found; a finding that names no result rests on the step."""
    for row in run.steps:
        for attempt in row["attempts"][-1:]:
            yield from (_finding(row["host"], row["step"], found) for found in attempt.get("findings") or ())


def _finding(host: str, step: str, found: Mapping[str, Any]) -> Finding:
    results = tuple(ResultId(*result) for result in found["results"]) or (ResultId(host, step),)
    return Finding(
        KIND,
        found["grade"] if found["grade"] in GRADES else NOTABLE,
        found["title"],
        results,
        advice=found["advice"],
        figures=found["figures"],
        about={"step": step},
        method=found["method"],
        origin=f"scriptlet {step}",
        suggestion=bool(found.get("suggestion")),
    )
