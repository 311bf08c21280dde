# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands about results that are there: runs, show, report, flush."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.table import to_text
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.run.folders import journal_of
from ansible_collections.rack.recipes.plugins.plugin_utils.store import load
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine, reader
from ansible_collections.rack.recipes.plugins.plugin_utils.store.follow import follow

if TYPE_CHECKING:
    from sqlalchemy import Engine

Answer = tuple[dict[str, Any] | str | None, int]


def runs(options: argparse.Namespace) -> Answer:
    """List the runs."""
    with _store(options, reader) as store:
        found = load.runs(store)[: options.number]
    if options.json:
        return {"runs": found}, 0
    rows = [
        (run["run_id"], run["status"], run["test_id"], run["recipe"], run["started"], _counts(run["counts"]))
        for run in found
    ]
    return to_text(("run", "status", "test", "recipe", "started", "verdicts"), rows), 0


def show(options: argparse.Namespace) -> Answer:
    """Show one run, what did not pass first."""
    with _store(options, reader) as store:
        run_id = _run_id(store, options.run)
        run, steps = load.run(store, run_id), load.steps(store, run_id)
        if options.json:
            found = {"measurements": load.measurements(store, run_id), "context": load.context(store, run_id)}
            return {"run": run, "steps": steps, **found}, 0
    return "".join(_shown(run, steps)), 0


def _shown(run: dict[str, Any], steps: list[dict[str, Any]]) -> Iterator[str]:
    yield f"run {run['run_id']}  {run['status']}  {run['test_id']}  {run['recipe']}  {_counts(run['counts'])}\n"
    ordered = sorted(steps, key=lambda step: step["verdict"] in PASSING)
    rows = [
        (step["verdict"], step["step"], step["host"] or "run", f"{step['seconds']:.3f} s", step["reason"])
        for step in ordered
    ]
    yield to_text(("verdict", "step", "host", "duration", "reason"), rows)


def report(options: argparse.Namespace) -> Answer:
    """Write the report of a run."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.report.make import FORMATS, make

    with _store(options, reader) as store:
        run_id = _run_id(store, options.run)
        folder = Path(options.to) if options.to else Path(project.load().runs) / run_id / "report"
        files = [str(path) for path in make(store, run_id, folder, options.format or [*FORMATS])]
    return ({"run_id": run_id, "files": files} if options.json else "\n".join(files)), 0


def flush(options: argparse.Namespace) -> Answer:
    """Bring a journal into the store."""
    journal = journal_of(Path(project.load().runs), options.run)
    with _store(options, engine) as store:
        done = follow(store, journal)
    return {"status": "ok", "run_id": journal.parent.name, "rows": done.rows}, 0


@contextmanager
def _store(options: argparse.Namespace, opener: Callable[[str], Engine]) -> Iterator[Engine]:
    store = opener(options.db or project.load().db)
    try:
        yield store
    finally:
        store.dispose()


def _run_id(store: Engine, start: str) -> str:
    found = load.find(store, start) if start else load.newest(store)
    if found is None:
        raise UsageError("there are no runs in the store")
    return found


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
