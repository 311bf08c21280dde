# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a recipe on several controllers as one run: starts all parts, watches and stops them, joins their results."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from sqlalchemy import Engine

from rack_recipes.cli.command_options import Answer
from rack_recipes.cli.open_store import open_store
from rack_recipes.cli.results.finish_flush_db import group_answer
from rack_recipes.cli.running.run_ansible import DebugLog, run_variables
from rack_recipes.cli.running.run_end_summary import EndedError, shown_reports
from rack_recipes.cli.running.split_run import SplitRun, split_run
from rack_recipes.cli.terminal import printable
from rack_recipes.errors import JournalError, RackError, StoreError, UsageError, counted
from rack_recipes.integrations.across.ask_controllers import ask_to_stop, check_controllers
from rack_recipes.integrations.across.job_folders import PartJob, part_job, project_files
from rack_recipes.integrations.across.journal_mirror import JournalMirror
from rack_recipes.integrations.across.runner_pipe import RunnerPipe, check_package
from rack_recipes.integrations.across.split_inventory import PartHosts
from rack_recipes.journal.step_results_and_end_status import INTERRUPTED, counts_in_words
from rack_recipes.plan.compile.playbook_file import write_playbook
from rack_recipes.run.launcher.progress_and_summary import Progress, StatusLine
from rack_recipes.run.processes import BY_SIGNAL, ENDING, SECOND_AFTER, new_run_id, started_by
from rack_recipes.run.run_folders import journal_of, run_record
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.store.writing.write_group_run import join_parts

TICK = 0.2  # seconds
SILENT = 180.0  # seconds without a word of a run that goes on, which says every few seconds that it is alive
QUIET = 1800.0  # seconds without a word before its first record, and while its files come back
STARTING = 60.0  # seconds for which a part that is to stop may take to begin
FLUSH = 5.0  # seconds between two looks at what is to be stored
OF_SQLITE = ("", "-wal", "-shm", "-journal")  # how the names of a database's files end
NOT_SENT = ("rack_recipes_db", "rack_recipes_report")  # results are stored, and the report is written, here


@dataclass
class RunningPart:
    """A part that goes on: its hosts, its run, its folder here and how far it is."""

    about: PartHosts
    run_id: str
    mirror: JournalMirror
    progress: Progress
    pipe: RunnerPipe
    log: DebugLog
    stored: int = 0  # bytes of the journal
    not_stored: str = ""  # why the rest is not
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The controller's name."""
        return self.about.controller.name

    def is_lost(self) -> bool:
        """Whether its connection is lost without a word."""
        tells = self.pipe.status == "running" and self.mirror.journal.exists()
        return not self.pipe.is_killed and self.pipe.silence() > (SILENT if tells else QUIET)

    def goes_on(self) -> bool:
        """Whether it still runs steps, or may begin to: one whose end has come only sends its files back."""
        return self.pipe.is_alive() and not self.progress.end

    def unknown_hosts(self) -> list[str]:
        """Its hosts that its own run does not know: all of them where that has not begun."""
        known = {*run_record(self.mirror.journal).get("hosts", ())} if self.mirror.journal.exists() else set()
        return [host for host in self.about.hosts if host not in known]


class Signals:
    """Notes signals that are to end the run: `first` is the first one, `has_second` whether another one came."""

    def __init__(self) -> None:
        self.first = 0
        self.has_second = False
        self._at = 0.0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note them during the block."""
        handled = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._note) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        if not self.first:
            self.first, self._at = number, time.monotonic()
        elif time.monotonic() - self._at > SECOND_AFTER:
            self.has_second = True


def run_across(options: argparse.Namespace, names: Mapping[str, str]) -> Answer:
    """Run the recipe on all controllers of a file; returns the answer and the exit code of the whole.

    `names` has the options that are extra vars of a run. Raises RackError where nothing was run.
    """
    check_package()
    signals, who = Signals(), f"{started_by()} on {socket.gethostname()}"
    with ExitStack() as stack:
        stack.enter_context(signals.noted())
        split = _split(options, signals)
        sys.stderr.writelines(f"controller {name} has no part: {why}\n" for name, why in split.unused.items())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="rack-recipes-")))
        drawing = StatusLine(sys.stderr)
        drawing.draw(f"asking {counted(len(split.parts), 'controller')}")
        try:
            check_controllers([part.controller for part in split.parts], folder, lambda: bool(signals.first))
        finally:
            drawing.clear()
        store = stack.enter_context(open_store(options, writing=True))
        if signals.first:
            raise EndedError(signals.first)
        parts = _started(options, names, split, folder, who)
        sys.stderr.write(f"run {options.group} has begun on {counted(len(parts), 'controller')}\n")

        def stop(part: RunningPart) -> None:
            if not part.pipe.has_begun_within(STARTING):
                problem = f"it has not begun within {STARTING:.0f} s"
            else:
                problem = ask_to_stop(part.about.controller, folder / f"stop-{part.name}", part.run_id, who)
            if problem and part.goes_on():
                part.problems.append(problem)
                part.pipe.kill()

        _follow(options, parts, store, signals, stop)
        return _answer(options, parts, store, signals)


def _split(options: argparse.Namespace, signals: Signals) -> SplitRun:
    """What is to be run; a signal, which ends those that read the inventory, is the reason where one came meanwhile."""
    try:
        return split_run(options)
    except RackError:
        if signals.first:
            raise EndedError(signals.first) from None
        raise


def _started(
    options: argparse.Namespace, names: Mapping[str, str], split: SplitRun, folder: Path, who: str
) -> list[RunningPart]:
    """Start the parts."""
    prepared, runs = split.prepared, Path(split.prepared.settings.runs)
    database = (options.db or prepared.settings.db).removeprefix("sqlite:///")
    own = (options.across, prepared.settings.runs, *(f"{database}{end}" for end in OF_SQLITE))
    files = project_files([Path(one) for one in (*split.inventory["sources"], *own)])
    sent = PartJob(
        playbook=write_playbook(prepared.plan, prepared.settings),
        variables=_variables(options, names, split),
        arguments=[*_arguments(options)],
        started_by=who,
        has_own_store=bool(options.db) or prepared.settings.db.startswith("sqlite"),
        earlier=journal_of(runs, prepared.earlier.run_id).parent if prepared.earlier else None,
    )
    parts = []
    for about in split.parts:
        run_id, name = new_run_id(), about.controller.name
        job = part_job(
            folder / run_id / "job", sent, run_id, name, split.inventory_of(about), split.files_of(about, files)
        )
        mirror = JournalMirror(runs / run_id, _resume(options, run_id))
        pipe = RunnerPipe(about.controller, job, folder / run_id / "back", mirror.take_event)
        log = DebugLog.of(mirror.journal, sys.stderr)
        parts.append(RunningPart(about, run_id, mirror, Progress.of(mirror.journal), pipe, log))
    for part in parts:
        part.pipe.start()
    return parts


def _variables(options: argparse.Namespace, names: Mapping[str, str], split: SplitRun) -> dict[str, Any]:
    given = run_variables(options, names, split.prepared)
    kept = {name: value for name, value in given.items() if name not in NOT_SENT}
    return {**kept, **({} if split.prepared.earlier else {"rack_recipes_parts": len(split.parts)})}


def _arguments(options: argparse.Namespace) -> Iterator[str]:
    yield from (word for given in options.extra_vars for word in ("--extra-vars", given))
    yield from ("--forks", str(options.forks)) if options.forks else ()
    yield from ("--check",) if options.check else ()
    yield from options.ansible


def _follow(
    options: argparse.Namespace,
    parts: Sequence[RunningPart],
    store: Engine,
    signals: Signals,
    stop: Callable[[RunningPart], None],
) -> None:
    """Until all parts have ended: show how far they are, store what comes, and stop them once a signal came."""
    drawing, begun, flushed = StatusLine(sys.stderr), time.monotonic(), time.monotonic()
    open_parts, is_stopping = [*parts], False
    while open_parts:
        time.sleep(TICK)
        for part in open_parts if signals.first else ():
            part.progress.catch_up()
            if not is_stopping and part.goes_on():
                Thread(target=stop, args=(part,), daemon=True).start()
        is_stopping = bool(signals.first)
        _give_up(open_parts, is_all=signals.has_second)
        for part in [part for part in open_parts if not part.pipe.is_alive()]:
            open_parts.remove(part)
            _complete(part)
            _store([part], store)
        if time.monotonic() - flushed > FLUSH:
            _store(parts, store)
            flushed = time.monotonic()
        if options.debug or options.log_level:
            _show_log(parts, drawing)
        if drawing.shown and not options.json:
            drawing.draw(_line(parts, open_parts, time.monotonic() - begun, is_stopping=is_stopping))
    drawing.clear()


def _give_up(parts: Sequence[RunningPart], *, is_all: bool) -> None:
    """End the commands of parts whose connection is lost, or of all."""
    for part in parts:
        is_lost = part.is_lost()
        if is_lost:
            part.problems.append(f"nothing has come of it for {part.pipe.silence():.0f} s")
        if is_lost or is_all:
            part.pipe.kill()


def _show_log(parts: Sequence[RunningPart], drawing: StatusLine) -> None:
    for part in parts:
        if part.log.has_more():
            drawing.clear()
            part.log.show()


def _complete(part: RunningPart) -> None:
    """A part is over: bring what came back to its place, and note why it did not come to its end."""
    try:
        part.mirror.complete(part.pipe.back / "runs")
    except RackError as error:
        part.problems.append(f"what it sent back is not used: {error}")
    part.progress.catch_up()
    if part.pipe.problem:
        part.problems.append(part.pipe.problem)
    elif not part.mirror.journal.exists():
        part.problems.append(f"it has run nothing: {part.pipe.last_words()}")


def _store(parts: Iterable[RunningPart], store: Engine) -> None:
    """Bring what is new in the journals into the store."""
    for part in parts:
        with suppress(FileNotFoundError):
            size = part.mirror.journal.stat().st_size
            if size > part.stored:
                try:
                    import_journal(store, part.mirror.journal)
                    part.stored = size
                except (JournalError, StoreError) as error:  # it is tried again; the end tells
                    part.not_stored = str(error)
                else:
                    part.not_stored = ""


def _line(parts: Sequence[RunningPart], open_parts: Sequence[RunningPart], seconds: float, *, is_stopping: bool) -> str:
    """A line for a terminal."""
    verdicts: Counter[str] = Counter()
    steps = left = 0
    for part in parts:
        part.progress.catch_up()
        verdicts += part.progress.verdicts
        steps += sum(len(hosts) for _stage, hosts in part.progress.open.planned.values())
        left += sum(hosts.total() for hosts in part.progress.open.of_stages.values())
    told = [
        f"{len(parts) - len(open_parts)} of {counted(len(parts), 'part')} over",
        f"{steps - left} of {steps} steps" if steps else "starting",
        counts_in_words(verdicts),
        f"{'stopping' if is_stopping else 'waiting for'} {', '.join(part.name for part in open_parts)}",
        f"{seconds:.0f} s",
    ]
    return "  ".join(filter(None, told))


def _answer(options: argparse.Namespace, parts: Sequence[RunningPart], store: Engine, signals: Signals) -> Answer:
    """Join the parts, tell what went wrong on which controller, and how to go on there."""
    for part in parts:
        for problem in dict.fromkeys(part.problems):
            sys.stderr.write(printable(f"controller {part.name}: {problem}") + "\n")
    if not any(part.mirror.journal.exists() for part in parts):
        raise EndedError(signals.first) if signals.first else UsageError("nothing was run")
    if lost := next((part for part in parts if part.not_stored), None):
        raise StoreError(f"{lost.not_stored}; the results are safe: rack-recipes flush {options.group}")
    join_parts(store, options.group, finish=True, hosts=[host for part in parts for host in part.unknown_hosts()])
    answer, code = group_answer(recorded_runs.run(store, options.group), as_json=options.json)
    open_parts = [part for part in parts if part.progress.end.get("status", INTERRUPTED) == INTERRUPTED]
    for part in open_parts:
        anew = () if part.mirror.journal.exists() else part.about.hosts
        sys.stderr.write(f"{part.name}: to go on from here: {_resume(options, part.run_id, anew)}\n")
    report = _report(options)
    if isinstance(answer, dict):
        told = [
            {"name": part.name, "run_id": part.run_id, "hosts": len(part.about.hosts), "problems": part.problems}
            for part in parts
        ]
        answer = {**answer, "controllers": told, **({"report": report} if report else {})}
    return answer, BY_SIGNAL + signals.first if signals.first and open_parts else code


def _report(options: argparse.Namespace) -> list[str]:
    """Write the report of the whole, where it was asked for; returns the paths of its files."""
    if not options.report:
        return []
    from rack_recipes.cli.results.report_and_chart import report

    wanted = {"run": options.group, "format": None, "full": False, "to": None, "out": "", "summary": False}
    made, _code = report(argparse.Namespace(**wanted, db=options.db, json=True))
    files = made["files"] if isinstance(made, dict) else []
    sys.stderr.writelines(f"report: {path}\n" for path in shown_reports(files))
    return files


def _resume(options: argparse.Namespace, run_id: str, hosts: Sequence[str] = ()) -> str:
    """The command that goes on with a part on another controller; with its `hosts` the one that begins it anew."""
    inventory = "".join(f" -i {quote(one)}" for one in options.inventory)
    where = f"--group {options.group} --across {quote(options.across)} --on NAME"
    if hosts:
        return f"rack-recipes run {quote(options.recipe)}{inventory} {where} --limit {','.join(hosts)}"
    return f"rack-recipes run{inventory} --resume {run_id} {where}"
