# SPDX-License-Identifier: GPL-3.0-or-later

"""What others are told of a run that has ended: how, on which hosts, and what the analysis has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.analyse_run import found_or_analysed
from rack_recipes.analysis.findings import NOTE, SUMMARY, Finding
from rack_recipes.journal.step_results_and_end_status import INTERRUPTED
from rack_recipes.report import report_formats_and_status
from rack_recipes.run.current_run import RUN_HOST, Run, counts_of, run_status
from rack_recipes.run.run_folders import run_record
from rack_recipes.store.database_engine import connect_for_reading

EVENT, SCHEMA = "run_ended", 1
MOST_FINDINGS, MOST_HOSTS, LONGEST = 5, 50, 300
"""So many findings and hosts are told, and characters of a text."""


def build_notice(run: Run, *, was_interrupted: bool = False) -> dict[str, Any]:
    """What is told of a run, with all secrets masked."""
    head = _head(run)
    counts = counts_of(run)
    status = INTERRUPTED if was_interrupted else run_status(run)
    failing = _failing_hosts(run)
    told = {
        "run_id": run.run_id,
        "group": {name: head["group"].get(name, "") for name in ("id", "part")} if head.get("group") else None,
        "test_id": head["recipe"].get("test_id", ""),
        "recipe": head["recipe"].get("path", ""),
        "labels": head.get("labels", {}),
        "controller": head.get("controller", ""),
        "status": status,
        "started": head["time"],
        "ended": now(),
        "hosts": len(run.hosts),
        "counts": counts,
        "failing_hosts": failing[:MOST_HOSTS],
        "failing_hosts_total": len(failing),
        "findings": [] if was_interrupted else _findings(run, sum(counts.values())),
        "report": _report(run),
        "is_stored": not run.stored,
    }
    return {"event": EVENT, "schema": SCHEMA, **{name: _hidden(one, run.hidden) for name, one in told.items()}}


def _head(run: Run) -> Mapping[str, Any]:
    """The first record of the journal, which says what the run is."""
    return run_record(run.path) or {"recipe": {}, "time": ""}


def _failing_hosts(run: Run) -> list[str]:
    """The hosts with a result that was tried and did not pass, in the order of the run."""
    bad = {
        host for (_step, host), end in run.results.counted() if end.verdict not in PASSING | NOT_TRIED
    } - {RUN_HOST}  # fmt: skip
    return [*(host for host in run.hosts if host in bad), *sorted(bad - {*run.hosts})]


def _findings(run: Run, results: int) -> Sequence[Mapping[str, str]]:
    """The gravest findings; none where the store cannot be read."""
    with suppress(Exception):  # the rest is worth telling without them
        store = connect_for_reading(run.settings.db, 0.0)
        try:
            found = found_or_analysed(store, run.run_id, results)
        finally:
            store.dispose()
        return [_finding(one) for one in found if one.grade != NOTE and one.kind != SUMMARY][:MOST_FINDINGS]
    return []


def _finding(one: Finding) -> Mapping[str, str]:
    told = {"grade": one.grade, "kind": one.kind, "title": one.title, "action": one.action, "advice": one.advice}
    return {name: text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for name, text in told.items()}


def _report(run: Run) -> list[str]:
    """The files of the report on the controller, where this run has written one."""
    status = report_formats_and_status.read_report_status(run.folder)
    return sorted(status.files) if status else []


def _hidden(value: object, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {hide(str(name)): _hidden(one, hide) for name, one in value.items()}
    return [_hidden(one, hide) for one in value] if isinstance(value, list | tuple) else value
