# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in a few words, for other programs: how it ended, and the causes that the analysis has found."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from rack_recipes.analysis.findings import PROBLEM, SUMMARY
from rack_recipes.plan.compile.yaml_text import TEMPLATE
from rack_recipes.store.reading import recorded_runs

MOST, LONGEST = 5, 200  # causes, and characters of each: AWX keeps them with the job, and gives them to the next ones


def digest_run(engine: Engine, run_id: str) -> dict[str, Any]:
    """The `status` of a run in the store, `counts` of its verdicts, and `causes`: the gravest problems, in words.

    Text in a cause may come from a host, so nothing in it is a template for Ansible. Raises UsageError for an unknown
    run, and StoreError.
    """
    run = recorded_runs.run(engine, run_id)
    problems = (
        one for one in recorded_runs.findings(engine, run_id) if one["grade"] == PROBLEM and one["kind"] != SUMMARY
    )
    causes = [_harmless(one["title"]) for one in problems][:MOST]
    return {"status": run["status"] or "running", "counts": run["counts"] or {}, "causes": causes}


def _harmless(text: str) -> str:
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return TEMPLATE.sub("{ ", short)
