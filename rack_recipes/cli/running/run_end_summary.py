# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ended: the command's answer, and a summary for people."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import rank
from rack_recipes.cli.terminal import painter, printable
from rack_recipes.errors import MOST_NAMED, RackError, StoreError, UsageError, counted
from rack_recipes.journal.step_results_and_end_status import INCOMPLETE, NOTHING, REHEARSED
from rack_recipes.report.report_formats_and_status import ReportStatus, read_report_status
from rack_recipes.run.current_run import IN_CHECK, NOT_IN_STORE, REFUSED, THIS_RUN
from rack_recipes.run.launcher.progress_and_summary import Summary
from rack_recipes.run.processes import BY_SIGNAL, STORE_WRITER_LOG

NOT_STORED = StoreError.exit_code
NOT_REPORTED = StoreError.exit_code  # the results are not in the report that was asked for
NO_REPORT_IN_CHECK_MODE = ReportStatus(error="check mode writes none")
REPORT_NOT_REACHED = ReportStatus(error="Ansible did not come to it")
NOTES = {
    "unchecked": "no step checked anything, so nothing was shown: give steps success criteria",
    INCOMPLETE: "all passed, but hosts took part in no test of a step between hosts",
    REHEARSED: IN_CHECK,
}
UNPARSED = "parse inventory source"
SHOWN_LINES = 15
SHOWN_PROBLEMS = 10
NAMED_HOSTS = 3
ERROR = re.compile(r"^(?:\[ERROR\]|ERROR!|ansible-playbook: error|.*: error):", re.MULTILINE)


class EndedError(RackError):
    """A signal ended the command before anything was run."""

    def __init__(self, number: int) -> None:
        super().__init__(f"nothing was run: {_ended_by(number)}")
        self.exit_code = BY_SIGNAL + number


def answer_of(summary: Summary, code: int, log: Path, number: int = 0) -> tuple[dict[str, Any], int]:
    """Return the JSON object and the exit code of a run.

    `code` is the exit code of Ansible. `number` is the number of the signal that ended the run, 0 for none. If nothing
    was run, it raises UsageError, or EndedError after a signal.
    """
    number = number or max(0, -code)
    if not summary.run_id:
        raise EndedError(number) if number else UsageError(_why_nothing_ran(log))
    answer = summary.to_data()
    if number and summary.status == "interrupted":
        if NOT_IN_STORE in log.read_text(encoding="utf-8", errors="replace"):
            answer["journal"] = str(log.with_name(JOURNAL))
        return {**answer, "reason": _ended_by(number)}, BY_SIGNAL + number
    if code != NOT_STORED:
        reason = _why_interrupted(log) if summary.status == "interrupted" else _why_none_passed(summary)
        return {**answer, **({"reason": reason} if reason else {})}, summary.exit_code
    reason = _why_not_writable(log) or _why_not_stored(log)
    answer.update(status="not stored", reason=reason, journal=str(log.with_name(JOURNAL)))
    return answer, NOT_STORED


def report_of(folder: Path, log: Path, *, check: bool = False) -> dict[str, Any]:
    """The paths of the report's files; where there is none, the reason and where Ansible says more.

    `folder` is the run's folder. `check` says that Ansible ran in check mode.
    """
    status = read_report_status(folder) or (NO_REPORT_IN_CHECK_MODE if check else REPORT_NOT_REACHED)
    if not status.error:
        return {"report": sorted(status.files)}
    where = str(log) if log.stat().st_size else "Ansible's output"
    return {"report": [], "report_error": f"{status.error} ({where})"}


def print_summary(summary: Summary, answer: dict[str, Any]) -> None:
    """Print to stderr what did not pass, the counts, and where the results are."""
    paint = painter(sys.stderr)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for step, *rest in summary.problems:
        alike.setdefault((rest[0], rest[1], rest[2]), []).append(step)
    shown = [*alike.items()][:SHOWN_PROBLEMS]
    for (host, verdict, reason), steps in shown:
        named = printable(f"{host or 'run'}  {first_few(steps, MOST_NAMED)}")
        sys.stderr.write(f"{named}  {paint(verdict, verdict)}: {printable(reason)}\n")
    more = len(summary.problems) - sum(len(steps) for _alike, steps in shown)
    if more > 0:
        sys.stderr.write(f"and {more} more: rack-recipes show {summary.run_id}\n")
    sys.stderr.writelines(f"warning: {printable(warning)}\n" for warning in summary.warnings[:SHOWN_PROBLEMS])
    counts = ", ".join(
        f"{summary.counts[verdict]} {paint(verdict, verdict)}" for verdict in sorted(summary.counts, key=rank)
    )
    told = " ".join(filter(None, (counts, printable(summary.place()))))
    left_out = f"; {printable(answer['left_out']['words'])}" if "left_out" in answer else ""
    sys.stderr.write(f"run {summary.run_id} {paint(answer['status'], answer['status'])}: {told}{left_out}\n")
    sys.stderr.writelines(f"{note}\n" for note in _notes(summary))
    if "reason" in answer:
        sys.stderr.writelines(f"{printable(line)}\n" for line in answer["reason"].splitlines())
    for path in shown_reports(answer.get("report", ())):
        sys.stderr.write(f"report: {path}\n")
    if "report_error" in answer:
        sys.stderr.write(f"no report was written: {printable(answer['report_error'])}\n")
    if "journal" in answer:
        sys.stderr.write(f"the results are safe in {answer['journal']}: rack-recipes flush {summary.run_id}\n")
    if summary.status == "interrupted":
        sys.stderr.write(f"to go on from here: rack-recipes run --resume {summary.run_id}\n")


def _notes(summary: Summary) -> Iterator[str]:
    """What is said below the line that counts the verdicts."""
    if summary.waived:
        yield f"{printable(_waived(summary.waived))}: rack-recipes waivers list"
    if summary.logged:
        lines = f"{counted(summary.logged, 'warning')} or worse"
        yield f"{lines} in the log of the steps: rack-recipes show {summary.run_id}"
    if summary.status in NOTES:
        yield NOTES[summary.status]


def _waived(waived: Sequence[tuple[str, str]]) -> str:
    """Return how many failures are waived, by step."""
    hosts: dict[str, list[str]] = {}
    for step, host in waived:
        hosts.setdefault(step, []).append(host or "the run")
    named = [f"{step} on {first_few(own, NAMED_HOSTS)}" for step, own in hosts.items()]
    number = f"{len(waived)} failure{' is' if len(waived) == 1 else 's are'} waived"
    return f"{number}: {first_few(named, SHOWN_PROBLEMS)}"


def shown_reports(paths: Sequence[str]) -> list[str]:
    """The paths that are shown of a report's files; the many CSV files are shown as their folder."""
    return [*dict.fromkeys(f"{Path(path).parent}/" if path.endswith(".csv") else path for path in paths)]


def _ended_by(number: int) -> str:
    return f"ended by {signal.Signals(number).name}"


def _why_not_writable(log: Path) -> str:
    """Return why a log cannot be written any more, as on a full disk, or an empty string.

    The end of such a log may be missing.
    """
    try:
        with log.open("ab", buffering=0) as file:
            file.write(b"\n")
    except OSError as error:
        return f"{log.parent}: {error.strerror}"
    return ""


def _why_nothing_ran(log: Path) -> str:
    """Return why nothing was run: the recorder's reason, or what Ansible wrote last."""
    problem = _why_not_writable(log)
    if problem:
        return f"nothing was run: {problem}"
    reason = _text(log).partition(REFUSED)[2].partition("\n")[0]
    error = next(iter(_errors(log)), "")
    said = f"{_first_lines(log)}\n{error}" if UNPARSED in error else error or _last_lines(log)
    return f"nothing was run: {reason}" if reason else f"nothing was run; Ansible said ({log}):\n{said}"


def _why_interrupted(log: Path) -> str:
    """Return the last error in Ansible's log, or an empty string."""
    errors = _errors(log)
    return f"Ansible said ({log}):\n{errors[-1]}" if errors else ""


def _why_none_passed(summary: Summary) -> str:
    """Return why a run failed in which every step was skipped, or an empty string."""
    return (
        NOTHING["failed"].format(THIS_RUN) if summary.status == "failed" and not {*summary.counts} - {"skipped"} else ""
    )


def _why_not_stored(log: Path) -> str:
    """Return the last line of the store writer's log without its time, or of Ansible's log."""
    said = _last_lines(log.with_name(STORE_WRITER_LOG), 1).partition(" ")[2]
    return said or _last_lines(log, 1)


def _errors(log: Path) -> list[str]:
    """Return each error in a log with the lines that follow it, SHOWN_LINES at most."""
    text = _text(log).rstrip()
    return ["\n".join(text[found.start() :].splitlines()[:SHOWN_LINES]) for found in ERROR.finditer(text)]


def _first_lines(log: Path) -> str:
    """Return what Ansible wrote before the first error, such as its warnings about an inventory."""
    said = ERROR.split(_text(log), maxsplit=1)[0]
    return "\n".join(list(filter(str.strip, said.splitlines()))[:SHOWN_LINES])


def _last_lines(log: Path, number: int = SHOWN_LINES) -> str:
    text = _text(log).strip() if log.exists() else ""
    return "\n".join(text.splitlines()[-number:])


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
