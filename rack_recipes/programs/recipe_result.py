# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run, for programs and tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING
from rack_recipes.context import run_context
from rack_recipes.context.run_context import RUN
from rack_recipes.errors import MOST_NAMED, RackError, nearest
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import log_record_lines
from rack_recipes.journal.step_results_and_end_status import CountedRecords
from rack_recipes.programs.program_context import Context, of_journal

Record = dict[str, Any]
NOTHING_RUN = "nothing was run: "


class Verdict(str):
    """A verdict or a status as text, whose representation in pytest's output includes the reason."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, verdict: str, reason: str = "") -> Self:
        """The verdict as text, equal to any text that is the same."""
        made = super().__new__(cls, verdict)
        made.reason = reason
        return made

    def __repr__(self) -> str:
        return f"{super().__repr__()} ({self.reason})" if self.reason else super().__repr__()


class ResultTable(dict[tuple[str, str], Any]):
    """Values by (name, host); the host of the run is "". Where a name has one host only, the name alone is enough.

    `whole` are the places of steps that did not pass and have no instances, such as skipped, blocked or unreachable
    ones: their values count for each instance. Where nothing was run, each name raises RackError with the `reason`.
    """

    def __init__(
        self,
        values: Mapping[tuple[str, str], Any] | Iterable[tuple[tuple[str, str], Any]] = (),
        reason: str = "",
        whole: Collection[tuple[str, str]] = (),
    ) -> None:
        super().__init__(values)
        self.reason = reason
        self.whole = whole

    if TYPE_CHECKING:

        def __getitem__(self, key: tuple[str, str] | str, /) -> Any:
            """The value of a place, or of the only one with a name."""

    def __missing__(self, key: object) -> Any:
        __tracebackhide__ = True  # pytest shows the test's line, and not ours
        if self.reason and not self:
            raise RackError(self.reason)
        if not isinstance(key, str):
            name, host = _name_and_host(key)
            if (_looped(name), host) in self.whole:
                return self[_looped(name), host]
            raise KeyError(f"{key!r}: {self._hint_of_place(key)}")
        hosts = self._hosts_of(key) or self._hosts_of(_looped(key))
        if len(hosts) == 1:
            return self[key, hosts[0]]
        if hosts:
            raise KeyError(
                f"{key!r} is there for {first_few(hosts, MOST_NAMED)}: name one, as in [{key!r}, {hosts[0]!r}]"
            )
        raise KeyError(f"{key!r}: {_nearest_of(key, {name for name, _host in self})}")

    def of_each(self, change: Callable[[Any], Any]) -> ResultTable:
        """A table of the same places with other values."""
        return ResultTable(((place, change(value)) for place, value in self.items()), self.reason, self.whole)

    def _hosts_of(self, name: str) -> list[str]:
        return [host for known, host in self if known == name]

    def _hint_of_place(self, key: object) -> str:
        """What is wrong with a name and a host: the host, if there is the name."""
        name, host = _name_and_host(key)
        hosts = {*self._hosts_of(name)}
        if not hosts:
            return _nearest_of(name, {known for known, _host in self})
        return "it is of the run: the host is ''" if hosts == {""} else _nearest_of(host, hosts)


def _name_and_host(key: object) -> tuple[str, str]:
    name, host = key if isinstance(key, tuple) and len(key) == 2 else ("", "")
    return str(name), str(host)


def _looped(name: str) -> str:
    """The name of the step of an instance, such as `measure` of `measure[eth0]`."""
    return name.partition("[")[0]


def _nearest_of(word: str, known: Collection[str]) -> str:
    near = nearest(word, [*known])
    return f"did you mean {near!r}?" if near else f"there is {first_few(sorted(known), MOST_NAMED) or 'nothing'}"


@dataclass(frozen=True)
class RecipeResult:
    """How a recipe ended.

    `exit_code` and `status` are those of `rack-recipes run`. `reason` says why nothing was run or stored. `verdicts`,
    `reasons`, `measurements` (for each name its value, unit, limits and so on) and `steps` (the records of the journal)
    are tables by (step, host); instances of a loop have their own names. `context` is a table by (key, host).

    `folder` is the path of the run's folder. `report` is the path of the report's page, or "". `ctx` is the context
    with its history; `get`, `to_dict` and `get_history` are its own.

    >>> result = run_recipe("recipes/first.yml")
    >>> result.measurements["disk"]["used"]["limits"], sorted(result.to_dict())
    ({'max': 95}, ['disk.usage_v1'])
    """

    exit_code: int
    status: str
    run_id: str = ""
    reason: str = ""
    steps: ResultTable = field(default_factory=ResultTable)
    context: ResultTable = field(default_factory=ResultTable)
    folder: str = ""
    report: str = ""

    @cached_property
    def ctx(self) -> Context:
        """The context of the run, with its history. It is read from the run's folder. Raises JournalError."""
        return of_journal(Path(self.folder, JOURNAL)) if self.folder else Context()

    @cached_property
    def logs(self) -> ResultTable:
        """The log of each step, as lines; empty without --log-level, --debug or one of these settings.

        What a step has printed is in its attempts, not here. It is read from the run's folder. Raises JournalError.
        """
        found = ResultTable()
        for record in JournalReader(Path(self.folder, JOURNAL)).records("log") if self.folder else ():
            if record["event"] not in ("stdout", "stderr"):
                lines = found.setdefault((record["step"], record["host"]), [])
                lines += log_record_lines(record, self.run_id)
        return found

    def get(self, key: str, default: object = None, host: str | None = None) -> Any:
        """A value of the context; see `Context.get`."""
        return self.ctx.get(key, default, host)

    def to_dict(self, host: str | None = None) -> dict[str, Any]:
        """The values of the context; see `Context.to_dict`."""
        return self.ctx.to_dict(host)

    def get_history(self, key: str | None = None, host: str | None = None) -> list[dict[str, Any]]:
        """The changes of the context; see `Context.get_history`."""
        return self.ctx.get_history(key, host)

    @property
    def verdicts(self) -> ResultTable:
        """The verdict of each step on each host."""
        return self.steps.of_each(_verdict)

    @property
    def reasons(self) -> ResultTable:
        """The reason of each verdict, "" where it passed."""
        return self.steps.of_each(lambda record: record.get("reason", ""))

    @property
    def measurements(self) -> ResultTable:
        """The measurements of each step, by their names."""
        return self.steps.of_each(
            lambda record: {measured["name"]: measured for measured in record.get("measurements") or ()}
        )

    def __repr__(self) -> str:
        head = f"<run {self.run_id or 'not begun'} {self.status}, exit code {self.exit_code}"
        lines = [f"  {_in_words(place, record)}" for place, record in self.steps.items()]
        return "\n".join([head, *([f"  {self.reason}"] if self.reason else []), *lines]) + ">"

    def unexplained(self) -> str:
        """Why the run did not pass, if no step says so: it checked nothing, or its results were not stored."""
        explained = any(record["verdict"] not in HARMLESS for record in self.steps.values())
        if not self.exit_code or (explained and not self.reason):
            return ""
        return (
            f"run {self.run_id} is {self.status} (exit code {self.exit_code}){': ' if self.reason else ''}{self.reason}"
        )


def read_result(exit_code: int, answer: Mapping[str, Any], project: Path) -> RecipeResult:
    """The result of a run that ended with this exit code and JSON answer, which names the run's folder if one began.

    The paths of the report's files are relative to `project`, in which the command was called.
    """
    status, reason = answer.get("status", "error"), answer.get("reason", "") or answer.get("report_error", "")
    if "folder" not in answer:
        nothing = ResultTable(reason=f"{NOTHING_RUN}{reason.removeprefix(NOTHING_RUN)}")
        return RecipeResult(exit_code, Verdict(status, reason), reason=reason, steps=nothing, context=nothing)
    context, steps = run_context.Context(), CountedRecords()
    JournalReader(Path(answer["folder"], JOURNAL)).dispatch(run_context.fold_into(context, steps))
    held = {host: context.held(host) for host in (RUN, *context.hosts())}
    keys = ResultTable(((key, host), value) for host, own in held.items() for key, (_version, value) in own.items())
    page = next((str(project / path) for path in answer.get("report", ()) if path.endswith(".html")), "")
    whole = {cell for cell, one in steps.items() if one["verdict"] not in PASSING and not one.get("instances")}
    table = ResultTable(steps.items(), whole=whole)
    told = Verdict(status, "\n".join(_not_passed(table)) or reason)
    return RecipeResult(exit_code, told, context.run_id, reason, table, keys, answer["folder"], page)


def _not_passed(steps: Mapping[tuple[str, str], Record]) -> list[str]:
    """A line for each of the first results that did not pass, and how many more there are."""
    lines = [_in_words(place, record) for place, record in steps.items() if record["verdict"] not in HARMLESS]
    return [*lines[:MOST_NAMED], *([f"and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else [])]


def _in_words(place: tuple[str, str], record: Record) -> str:
    """How a step ended on a host or for the run: `ping on leaf1: failed no answer`."""
    step, host = place
    return f"{step} on {host or 'the run'}: {record['verdict']} {record.get('reason', '')}".rstrip()


def _verdict(record: Record) -> Verdict:
    return Verdict(record["verdict"], record.get("reason", ""))
