# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a run, the line on a terminal that shows it, and the summary of its end, read from its journal."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, WAIVED
from rack_recipes.context.run_context import Context, count_step, fold_into
from rack_recipes.journal.compressed_journal import journal_exists
from rack_recipes.journal.reader import JournalReader, describe_damage
from rack_recipes.journal.record_fields import Record, RunStep, logged_lines
from rack_recipes.journal.step_results_and_end_status import Cell, Results, StepEnd, cell_of, counts_in_words, stop_of
from rack_recipes.run.missing_results_and_artifacts import missing_artifacts

MOST_NAMED = 3  # of the hosts that the run waits for
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}  # what Ansible means by localhost
LONGEST_NAME = 100  # characters: an inventory may be a list of hosts
MOST_AWAITED = 20  # where it waits for more, their names tell nothing


@dataclass
class OpenResults:
    """The planned results that there are not yet, by stage and host, counted as they come.

    A line of progress is drawn ten times a second. It must not look at each of 100,000 results then.
    """

    planned: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)  # stage and hosts of each step
    of_stages: dict[int, Counter[str]] = field(default_factory=dict)
    of_hosts: Counter[str] = field(default_factory=Counter)
    hosts: int = 0

    @classmethod
    def of(cls, steps: Iterable[RunStep]) -> OpenResults:
        """All results of the steps of a run."""
        found = cls()
        for step in steps:
            found.planned[step.name] = step.stage, frozenset(step.hosts)
            found.of_stages.setdefault(step.stage, Counter()).update(step.hosts)
            found.of_hosts.update(filter(None, step.hosts))
        found.hosts = len(found.of_hosts)
        return found

    def close(self, name: str, host: str) -> None:
        """Take out a result that has come for the first time."""
        stage, hosts = self.planned.get(name, (0, frozenset()))
        if host in hosts:
            _take_one(self.of_stages[stage], host)
            if host:
                _take_one(self.of_hosts, host)

    @property
    def stage(self) -> int:
        """The first stage with an open result, or the last one."""
        return min((stage for stage, hosts in self.of_stages.items() if hosts), default=max(self.of_stages))

    def line(self) -> list[str]:
        """The stage, the steps and the hosts that are done, and the hosts that the stage waits for."""
        steps = sum(len(hosts) for _stage, hosts in self.planned.values())
        left = sum(hosts.total() for hosts in self.of_stages.values())
        return [
            f"stage {self.stage} of {max(self.of_stages)}",
            f"{steps - left} of {steps} steps",
            f"{self.hosts - len(self.of_hosts)} of {self.hosts} hosts done",
        ]

    def awaited(self) -> str:
        """What the stage waits for: the number of hosts while they are many, then the names of some, then the store."""
        if not any(self.of_stages.values()):
            return "storing the results"
        hosts = self.of_stages[self.stage]
        count = len(hosts) - ("" in hosts)
        shown = f"{count} hosts" if count > MOST_AWAITED else first_few([*filter(None, hosts)], MOST_NAMED)
        return f"waiting for {shown}" if count else ""


def _take_one(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]


@dataclass
class Progress:
    """What the journal says so far: `about` is its run record, `end` its end record, `context` knows refused writes."""

    journal: JournalReader
    context: Context = field(default_factory=Context)
    about: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)
    results: Results = field(default_factory=Results)
    open: OpenResults = field(default_factory=OpenResults)
    verdicts: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    stopped_by: str = ""

    @classmethod
    def of(cls, path: Path) -> Progress:
        """The progress of the run whose journal is at `path`, which need not be there yet."""
        return cls(JournalReader(path))

    def catch_up(self) -> None:
        """Read what was appended to the journal."""
        if journal_exists(self.journal.path):
            self.journal.dispatch(self._handlers())

    def _handlers(self) -> dict[str, Callable[[Record], object]]:
        return {
            "run": self._begin,
            "delta": self.context.fold,
            "merge": self.context.fold,
            "step": self._add,
            "warning": self._note_stop,
            "end": self._end,
        }

    def _begin(self, record: Record) -> None:
        self.context.fold(record)
        self.about, self.open = record, OpenResults.of(map(RunStep.of, record.get("steps", ())))

    def _add(self, record: Record) -> None:
        cell = cell_of(record)
        before = self.results.ended.get(cell)
        count_step(self.context, self.results, record)
        if before is None:
            self.open.close(*cell)
        elif not before.instances:
            self.verdicts[before.verdict] -= 1
        after = self.results.ended[cell]
        if not after.instances:
            self.verdicts[after.verdict] += 1

    def _note_stop(self, record: Record) -> None:
        self.stopped_by = stop_of(record).get("by", self.stopped_by)

    def _end(self, record: Record) -> None:
        self.end = record

    def line(self) -> str:
        """A line for a terminal: the stage, the steps and hosts that are done, failures, what is awaited."""
        if not self.open.planned:
            return "starting"
        seconds = f"{time.monotonic() - self.started:.0f} s"
        ending = f"stopped by {self.stopped_by}" if self.stopped_by else self.open.awaited()
        return "  ".join(filter(None, [*self.open.line(), self._failures(), ending, seconds]))

    def _failures(self) -> str:
        counts = {verdict: number for verdict, number in self.verdicts.items() if verdict not in PASSING}
        return counts_in_words(counts)


class StatusLine:
    """A line that is replaced in place; nothing is shown where the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = ""
        self.shown = stream.isatty()

    def draw(self, text: str) -> None:
        """Replace the line. The same text is not drawn again, so that a program's question for a password stays."""
        if text != self._drawn:
            self._write(text)

    def clear(self) -> None:
        """Leave the line empty."""
        self._write("")

    def _write(self, text: str) -> None:
        """Write the text in place of the line. Once the terminal is gone, nothing more is written."""
        if not self.shown:
            return
        self._drawn = text
        try:
            self._stream.write(f"\r\x1b[K{text[: _columns(self._stream) - 1]}")
            self._stream.flush()
        except OSError:
            self.shown = False


def _columns(stream: TextIO) -> int:
    return os.get_terminal_size(stream.fileno()).columns or 80


@dataclass(frozen=True, slots=True)
class Summary:
    """What the command prints of a run that has ended. `problems` holds (step, host, verdict, reason).

    `waived` holds the (step, host) whose failures somebody has accepted.

    `warnings` are about what changes no verdict: artifacts that have not arrived, names of one and the same host,
    damaged lines of the journal.

    `logged` is how many lines scriptlets have logged as a warning or worse.

    `hosts` are those of the run, `inventory` says where they are from.
    """

    run_id: str = ""
    status: str = "interrupted"
    exit_code: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    problems: tuple[tuple[str, str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    waived: tuple[tuple[str, str], ...] = ()
    logged: int = 0
    hosts: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()

    @property
    def is_here_only(self) -> bool:
        """Whether nothing but the machine of the controller was tested."""
        return bool(self.hosts) and set(self.hosts) <= THIS_MACHINE

    def to_data(self) -> dict[str, Any]:
        """The JSON object that a run ends with."""
        status = "ok" if self.status == "passed" else self.status
        extra = {"warnings": list(self.warnings)} if self.warnings else {}
        about = {"run_id": self.run_id, "ctx_keys": list(self.keys), "counts": dict(self.counts)}
        where = {"hosts": len(self.hosts), "inventory": list(self.inventory), "this_machine_alone": self.is_here_only}
        return {"status": status, **about, **where, **extra}

    def place(self) -> str:
        """How many hosts of which inventory it was, in words; empty where the run does not tell."""
        if self.is_here_only:
            return "on this machine alone"
        number = "1 host" if len(self.hosts) == 1 else f"{len(self.hosts)} hosts"
        source = (
            f" of {first_few([name[:LONGEST_NAME] for name in self.inventory], MOST_NAMED)}" if self.inventory else ""
        )
        return f"on {number}{source}" if self.hosts else ""


def summarize(path: Path) -> Summary:
    """The summary of a journal; empty where no run was begun. Raises JournalError."""
    if not journal_exists(path):
        return Summary()
    context, results, journal = Context(), Results(), JournalReader(path)
    logged: dict[Cell, int] = {}
    kept: dict[str, list[Record]] = {kind: [] for kind in ("run", "end", "warning", "artifact", "transfer")}

    def begin(record: Record) -> None:
        context.fold(record)
        kept["run"].append(record)

    def end(record: Record) -> None:
        count_step(context, results, record)
        attempts = record.get("attempts") or [{}]
        logged[cell_of(record)] = len(logged_lines(attempts[-1].get("stderr", "")))

    more = {kind: records.append for kind, records in kept.items()}
    journal.dispatch({**more, **fold_into(context, results), "run": begin, "step": end})
    if not context.run_id:
        return Summary()
    last = kept["end"][-1] if kept["end"] else {}
    return Summary(
        context.run_id,
        last.get("status", "interrupted"),
        last.get("exit_code", 1),
        last.get("counts", {}),
        tuple(context.keys()),
        tuple((*cell, end.verdict, end.reason) for cell, end in results.counted() if _is_problem(end)),
        (*(record["text"] for record in kept["warning"]), *_losses(kept, journal)),
        tuple(cell for cell, end in results.counted() if end.verdict == WAIVED),
        sum(logged.values()),
        tuple(kept["run"][0].get("hosts", ())),
        tuple(kept["run"][0].get("inventory", ())),
    )


def _losses(files: Mapping[str, list[Record]], journal: JournalReader) -> Iterator[str]:
    """Warnings that the recorder could not give: artifacts that have not arrived, lines that cannot be read."""
    yield from missing_artifacts(files["artifact"], files["transfer"])
    if journal.damaged:
        yield describe_damage(journal.path, journal.damaged)


def _is_problem(end: StepEnd) -> bool:
    return end.verdict not in PASSING | NOT_TRIED
