# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a compiled recipe with Ansible as a child process, and shows the progress meanwhile.

With --debug it shows the log, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.cli.inventory_hosts import inventory_hosts
from rack_recipes.cli.running.prepare_run import PreparedRun, prepare_run
from rack_recipes.cli.running.run_end_summary import NOT_REPORTED, answer_of, print_summary, report_of
from rack_recipes.cli.terminal import printable
from rack_recipes.errors import UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import log_record_lines
from rack_recipes.plan.compile.playbook_file import write_playbook
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.extra_vars import GIVEN
from rack_recipes.run.launcher.ansible_playbook import (
    PlaybookCommand,
    WarmStart,
    arguments,
    follow,
    forks_of,
    served_by_fifo,
    start,
)
from rack_recipes.run.launcher.forward_signals import SignalForwarder
from rack_recipes.run.launcher.progress_and_summary import Progress, StatusLine, summarize
from rack_recipes.run.processes import ANSIBLE_LOG, leave_dead_terminal
from rack_recipes.run.run_folders import run_record
from rack_recipes.run.unmatched_hosts import no_match
from rack_recipes.settings import SECTION


@dataclass
class DebugLog:
    """The log of a run, shown as it grows."""

    journal: JournalReader
    stream: TextIO
    run: str
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, stream: TextIO) -> DebugLog:
        """The log of the run whose journal is at `path`, which need not be there yet."""
        return cls(JournalReader(path), stream, path.parent.name)

    def has_more(self) -> bool:
        """Read what the journal gained, and tell whether any of it is to be shown."""
        if self.journal.path.exists():
            for record in self.journal.records("log"):
                self.waiting += map(printable, log_record_lines(record, self.run))
        return bool(self.waiting)

    def show(self) -> None:
        """Write what was read."""
        self.stream.writelines(f"{line}\n" for line in self.waiting)
        self.stream.flush()
        self.waiting.clear()


NO_HOSTS = "leaves us with no hosts to target"  # Ansible's words
AT_ONCE = 0.2  # seconds between two flushes into the store with --flush-now


def run_ansible(
    options: argparse.Namespace,
    names: Mapping[str, str],
    run_id: str,
    warm: WarmStart | None,
    forwarder: SignalForwarder,
    *,
    show_summary: bool = True,
) -> tuple[dict[str, Any], int]:
    """Compile the recipe, run it, and return the command's answer and exit code. Raises RackError.

    `names` has the options that are extra vars of a run, with their names there (`variables_of`).
    `warm` is a process of Ansible that was started earlier; without one it is started now. `forwarder` has the signals
    until Ansible has ended, and raises NothingRun. With `show_summary` people are told on stderr how the run ended.
    """
    prepared = prepare_run(options)
    playbook = write_playbook(prepared.plan, prepared.settings)
    folder = Path(prepared.settings.runs) / run_id
    make_private(folder)
    forwarder.only_note()
    command = _playbook_command(options, prepared, playbook, run_id)
    variables = run_variables(options, names, prepared)
    logs = bool(options.debug or options.log_level or prepared.settings.debug or prepared.settings.log_level)
    code = _run(options, variables, command, folder, warm, forwarder, logs=logs)
    forwarder.release()
    leave_dead_terminal()
    summary = summarize(folder / JOURNAL)
    try:
        answer, exit_code = answer_of(summary, code, folder / ANSIBLE_LOG, forwarder.number)
    except UsageError as error:
        raise _with_hosts(error, options.inventory, prepared.limit) from None
    answer["folder"] = str(folder.absolute())
    answer.update(_requested_extras(options, prepared, folder))
    if "report_error" in answer and not options.check:
        exit_code = exit_code or NOT_REPORTED
    if show_summary and not options.json:
        _tell_forks(command, len(run_record(folder / JOURNAL).get("hosts", ())))
        print_summary(summary, answer)
    return answer, exit_code


def _with_hosts(error: UsageError, inventory: Sequence[str], limit: str | None) -> UsageError:
    """The error; where --limit matches no host, with those that there are."""
    if not limit or NO_HOSTS not in str(error):
        return error
    known = inventory_hosts(inventory, None, ())
    return UsageError(f"nothing was run: {no_match(f'--limit {limit!r}', known.whole, known.groups)}")


def _tell_forks(command: PlaybookCommand, hosts: int) -> None:
    """Say to how many hosts it was connected at once, where that was chosen and others had to wait."""
    forks = forks_of(command)
    if forks.reason and hosts > forks.number:
        most = f"at most {forks.number} at once were connected"
        sys.stderr.write(f"of {hosts} hosts {most} ({forks.reason}); -f N sets another number\n")


def _run(
    options: argparse.Namespace,
    variables: Mapping[str, object],
    asked: PlaybookCommand,
    folder: Path,
    warm: WarmStart | None,
    forwarder: SignalForwarder,
    *,
    logs: bool,
) -> int:
    """Run Ansible and show the progress, with `logs` also the log; return Ansible's exit code."""
    log = folder / ANSIBLE_LOG
    log.touch(FILE_MODE)
    with (
        _live_output(options, folder / JOURNAL, logs=logs) as tick,
        _private_variables(folder, variables) as private,
    ):
        whole = replace(asked, extra_vars=[*asked.extra_vars, *private])
        child = warm.go(arguments(whole), str(log.absolute())) if warm else start(whole)
        return follow(forwarder.forward_to(child), tick)


def _requested_extras(options: argparse.Namespace, prepared: PreparedRun, folder: Path) -> dict[str, Any]:
    """Return the parts of the answer that depend on options: report, seed, the resumed run."""
    found: dict[str, Any] = {"left_out": left_out} if (left_out := prepared.left_out()) else {}
    if options.report:
        found.update(report_of(folder, folder / ANSIBLE_LOG, check=options.check))
    if prepared.plan.options.seed is not None:
        found["seed"] = prepared.plan.options.seed
    if prepared.earlier:
        found["resumes"] = prepared.earlier.run_id
    return found


def run_variables(options: argparse.Namespace, names: Mapping[str, str], prepared: PreparedRun) -> dict[str, Any]:
    """Return the variables that the run is given; empty ones are left out."""
    own = {f"{SECTION}_{name}": getattr(options, option) for option, name in names.items()}
    wanted = {
        **own,
        GIVEN: dict(prepared.params),
        f"{SECTION}_resume": prepared.earlier.run_id if prepared.earlier else "",
        f"{SECTION}_resume_from": prepared.resume_from,
        f"{SECTION}_flush_interval": AT_ONCE if options.flush_now else None,
    }
    return {name: value for name, value in wanted.items() if value}


@contextmanager
def _private_variables(folder: Path, variables: Mapping[str, object]) -> Iterator[list[str]]:
    """Yield the argument that passes variables to Ansible by a named pipe, so that no other user can see them."""
    if not variables:
        yield []
        return
    path = folder / "extra_vars.json"
    with served_by_fifo(path, json.dumps(variables).encode()):
        yield [f"@{path}"]


def _playbook_command(
    options: argparse.Namespace, prepared: PreparedRun, playbook: Path, run_id: str
) -> PlaybookCommand:
    return PlaybookCommand(
        playbook=playbook,
        run_id=run_id,
        inventories=options.inventory,
        limit=prepared.limit,
        forks=options.forks,
        extra_vars=options.extra_vars,
        verbose=options.verbose,
        more=[*(["--check"] if options.check else []), *options.ansible],
    )


@contextmanager
def _live_output(options: argparse.Namespace, journal: Path, *, logs: bool) -> Iterator[Callable[[], None]]:
    """Yield a function that shows what is new: the progress on a terminal, and what steps do if that is asked for.

    With --verbose Ansible's own output shows all of it.
    """
    progress, drawing = (
        Progress.of(journal),
        StatusLine(sys.stderr) if not options.json and not options.verbose else None,
    )
    asks = any(option.startswith("--ask-") for option in options.ansible)  # for a password, on a line of its own
    trace = DebugLog.of(journal, sys.stderr) if logs and not options.verbose else None

    def show() -> None:
        if trace is not None and trace.has_more():
            if drawing is not None:
                drawing.clear()
            trace.show()
        if drawing is not None and drawing.shown:
            progress.catch_up()
            if progress.open.planned or not asks:
                drawing.draw(progress.line())

    def tick() -> None:
        try:
            show()
        except OSError:  # the terminal is gone; the run goes on
            leave_dead_terminal()

    yield tick
    tick()
    if drawing is not None:
        drawing.clear()
