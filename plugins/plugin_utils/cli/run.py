# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands run and watch."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.recipe import plan
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.table import printable
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.file import compile_to_file
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.run.folders import journal_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import REFUSED, new_run_id
from ansible_collections.rack.recipes.plugins.plugin_utils.run.playbook import Invocation, extra_vars, run_ansible
from ansible_collections.rack.recipes.plugins.plugin_utils.run.progress import Drawing, Progress
from ansible_collections.rack.recipes.plugins.plugin_utils.run.summary import Summary, summarize

Answer = tuple[dict[str, Any] | str | None, int]
NOT_STORED = StoreError.exit_code
SHOWN_LINES = 15
ERROR = re.compile(r"^(?:\[ERROR\]|ERROR!|ansible-playbook: error|.*: error):", re.MULTILINE)
SHOWN_PROBLEMS = 10
WATCH = 0.3  # seconds between two drawings


def run(options: argparse.Namespace) -> Answer:
    """Compile, run, and tell how it ended by the run's own record."""
    if options.dry_run:
        options.format = "tree"
        return plan(options)
    settings = project.load(extra_vars(options.extra_vars))
    playbook = compile_to_file(options.recipe, settings)
    run_id = new_run_id()
    folder = Path(settings.runs) / run_id
    make_private(folder)
    log = folder / "ansible.log"
    progress = Progress.of(folder / "journal.jsonl")
    drawing = Drawing(sys.stderr) if not options.json and not options.verbose else None
    with log.open("wb") as output:
        code = run_ansible(
            _asked(options, playbook, run_id), None if options.verbose else output, _tick(progress, drawing)
        )
    if drawing:
        drawing.clear()
    return _answer(options, summarize(progress.journal.path), code, log)


def _asked(options: argparse.Namespace, playbook: Path, run_id: str) -> Invocation:
    return Invocation(
        playbook=playbook,
        run_id=run_id,
        inventories=options.inventory,
        limit=options.limit,
        forks=options.forks,
        extra_vars=[*options.extra_vars, *(["rack_recipes_report=true"] if options.report else [])],
        db=options.db,
        verbose=options.verbose,
        more=options.ansible,
    )


def _tick(progress: Progress, drawing: Drawing | None) -> Any:
    def tick() -> None:
        if drawing is not None and drawing.shown:
            progress.catch_up()
            drawing.draw(progress.line())

    return tick


def _answer(options: argparse.Namespace, summary: Summary, code: int, log: Path) -> Answer:
    if not summary.run_id:
        raise UsageError(_why_nothing_ran(log))
    exit_code = NOT_STORED if code == NOT_STORED else summary.exit_code
    answer = summary.to_data()
    if code == NOT_STORED:
        answer.update(status="not stored", reason=_why_not_stored(log), journal=str(log.with_name("journal.jsonl")))
    if options.report:
        answer["report"] = sorted(str(path) for path in (log.parent / "report").glob("**/*") if path.is_file())
    if not options.json:
        _tell(summary, answer)
    return answer, exit_code


def _tell(summary: Summary, answer: dict[str, Any]) -> None:
    """The end of a run for people."""
    lines = [f"{host or 'run'}  {step}  {verdict}: {reason}" for step, host, verdict, reason in summary.problems]
    more = len(lines) - SHOWN_PROBLEMS
    for line in lines[:SHOWN_PROBLEMS] + ([f"and {more} more: rack-recipes show {summary.run_id}"] if more > 0 else []):
        sys.stderr.write(f"{printable(line)}\n")
    counts = ", ".join(f"{number} {verdict}" for verdict, number in summary.counts.items())
    sys.stderr.write(f"run {summary.run_id} {answer['status']}: {counts}\n")
    for path in dict.fromkeys(map(_shown, answer.get("report", ()))):
        sys.stderr.write(f"report: {path}\n")
    if "journal" in answer:
        safe = f"the results are safe in {answer['journal']}: rack-recipes flush {summary.run_id}"
        sys.stderr.write(f"{answer['reason']}\n{safe}\n")


def _shown(report: str) -> str:
    """A dozen CSV files are told by their folder."""
    return f"{Path(report).parent}/" if report.endswith(".csv") else report


def _why_nothing_ran(log: Path) -> str:
    """The recorder's reason, or else what Ansible said last."""
    text = log.read_text(encoding="utf-8", errors="replace")
    reason = text.partition(REFUSED)[2].partition("\n")[0]
    error = ERROR.search(text)
    said = "\n".join(text[error.start() :].splitlines()[:SHOWN_LINES]) if error else _last_lines(log)
    return f"nothing was run: {reason}" if reason else f"nothing was run; Ansible said ({log}):\n{said}"


def _why_not_stored(log: Path) -> str:
    """The follower's last word, without its time."""
    said = _last_lines(log.with_name("follower.log"), 1).partition(" ")[2]
    return said or _last_lines(log, 1)


def _last_lines(log: Path, number: int = SHOWN_LINES) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    return "\n".join(text.splitlines()[-number:])


def watch(options: argparse.Namespace) -> Answer:
    """Draw a run's progress until it has ended."""
    path = journal_of(Path(project.load().runs), options.run)
    progress, drawing = Progress.of(path), Drawing(sys.stderr)
    progress.catch_up()
    try:
        while not progress.end:
            drawing.draw(progress.line())
            time.sleep(WATCH)
            progress.catch_up()
    finally:
        drawing.clear()
    summary = summarize(path)
    if not options.json:
        _tell(summary, summary.to_data())
    return summary.to_data(), summary.exit_code
