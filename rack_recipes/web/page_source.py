# SPDX-License-Identifier: GPL-3.0-or-later

"""Where pages get what they show: the store, the journals of runs that go on, the project's recipes and scriptlets."""

from __future__ import annotations

import json
import subprocess
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS, rank
from rack_recipes.analysis.run_statistics import NO_FAULT
from rack_recipes.errors import StoreError, UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record, log_record_lines
from rack_recipes.journal.step_results_and_end_status import cell_of
from rack_recipes.natural_order import natural
from rack_recipes.report.format_values import shown
from rack_recipes.report.table_model import RUN_SCOPED, tail
from rack_recipes.run.launcher.progress_and_summary import Progress
from rack_recipes.run.run_folders import is_run_held, journals
from rack_recipes.store.database_engine import connect_for_reading
from rack_recipes.store.reading import recorded_runs

MOST_FAILURES, MOST_HOSTS, MOST_NEWEST = 30, 60, 12
"""So many failures and hosts are told, those that matter most first."""


@dataclass
class _Followed(Progress):
    """The progress of a run, with the ends of logs, counts by step and host, and what came last.

    `measured` are the newest measurements, `said` the newest lines of a run that shows in detail what its steps do.
    """

    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    by_step: dict[str, Counter[str]] = field(default_factory=dict)
    by_host: dict[str, Counter[str]] = field(default_factory=dict)
    measured: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_NEWEST))
    said: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_NEWEST))
    last: dict[str, str] = field(default_factory=dict)  # by step when its last result came

    def _handlers(self) -> dict[str, Callable[[Record], object]]:
        return {**super()._handlers(), "log": self._say}

    def _say(self, record: Record) -> None:
        self.said.extend(log_record_lines(record, self.about.get("run", "")))

    def _add(self, record: dict[str, Any]) -> None:
        cell = cell_of(record)
        before = self.results.ended.get(cell)
        super()._add(record)
        after = self.results.ended[cell]
        for counts, name in ((self.by_step, after.parent or cell.step), (self.by_host, cell.host)):
            own = counts.setdefault(name, Counter())
            if before and not before.instances:
                own[before.verdict] -= 1
            if not after.instances:
                own[after.verdict] += 1
        self.last[after.parent or cell.step] = _end_of(record)
        place = {"step": cell.step, "host": cell.host or RUN_SCOPED}
        self.measured.extend({**place, **_newest(one)} for one in record.get("measurements") or ())
        if _is_bad(after.verdict):
            attempts = record.get("attempts") or [{}]
            self.logs[cell] = tail(str(attempts[-1].get("stderr") or attempts[-1].get("stdout") or ""))


def _end_of(record: Mapping[str, Any]) -> str:
    """When a step ended on a host; empty where its record does not tell."""
    with suppress(ValueError, TypeError, OverflowError):
        return (datetime.fromisoformat(record["started"]) + timedelta(seconds=record["seconds"])).isoformat()
    return ""


def _newest(measured: Mapping[str, object]) -> dict[str, Any]:
    value = shown(measured.get("value"), "number")
    return {"name": measured["name"], "value": f"{value} {measured.get('unit') or ''}".strip(),
            "verdict": measured.get("verdict") or ""}  # fmt: skip


def _is_bad(verdict: str) -> bool:
    return verdict not in NO_FAULT


class LiveRun:
    """One run that goes on; several readers share it."""

    def __init__(self, folder: Path) -> None:
        self.run_id = folder.name
        self._folder = folder
        self._progress = _Followed(JournalReader(folder / JOURNAL))
        self._lock = Lock()

    def about(self) -> dict[str, Any]:
        """The run in one row, as the store has rows of runs."""
        with self._lock:
            self._progress.catch_up()
            record = self._progress.about
            meta = record.get("recipe") or {}
            return {
                "run_id": self.run_id,
                "status": self._progress.end.get("status") or "running",
                "test_id": meta.get("test_id"),
                "description": meta.get("description"),
                "recipe": meta.get("path"),
                "user": record.get("user"),
                "stopped_by": self._progress.stopped_by,
                "started": record.get("time"),
                "counts": {name: number for name, number in self._progress.verdicts.items() if number},
                "labels": record.get("labels") or {},
                "hosts": self._progress.open.hosts,
            }

    def told(self) -> dict[str, Any]:
        """All that the page of a live run shows, small enough to be sent with each change."""
        about = self.about()
        with self._lock:
            open_ = self._progress.open
            planned = sum(len(hosts) for _stage, hosts in open_.planned.values())
            left = sum(hosts.total() for hosts in open_.of_stages.values())
            hosts = sorted(self._hosts(), key=lambda one: (one["rank"], -one["left"], natural(one["host"])))
            failures, stages = [*self._failures()], [*self._stages()]
            return {
                **about,
                "ended": bool(self._progress.end),
                "line": self._progress.line() if open_.planned else "starting",
                "done": planned - left,
                "planned": planned,
                "running": [*self._running(stages)],
                "measured": [*reversed(self._progress.measured)],
                "said": [*self._progress.said],
                "stages": stages,
                "hosts": [{name: one[name] for name in ("host", "verdict", "left")} for one in hosts[:MOST_HOSTS]],
                "more_hosts": max(len(hosts) - MOST_HOSTS, 0),
                "failures": failures[:MOST_FAILURES],
                "more_failures": max(len(failures) - MOST_FAILURES, 0),
            }

    def _stages(self) -> Iterator[dict[str, Any]]:
        open_ = self._progress.open
        for stage, left in sorted(open_.of_stages.items()):
            steps = [(name, hosts) for name, (own, hosts) in open_.planned.items() if own == stage]
            planned = sum(len(hosts) for _name, hosts in steps)
            state = "done" if not left else "waits" if left.total() == planned else "goes on"
            yield {
                "stage": stage,
                "state": state,
                "done": planned - left.total(),
                "planned": planned,
                "steps": [self._step(name, len(hosts)) for name, hosts in steps],
            }

    def _running(self, stages: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The steps that go on: in each stage that does, the first that has results to come."""
        for stage in stages:
            if stage["state"] == "goes on":
                step = next((one for one in stage["steps"] if one["done"] < one["planned"]), None)
                if step:
                    yield {**step, "since": self._progress.last.get(step["step"], "")}

    def _step(self, name: str, planned: int) -> dict[str, Any]:
        counts = self._progress.by_step.get(name, Counter())
        done = sum(1 for host in self._progress.open.planned[name][1] if (name, host) in self._progress.results.ended)
        return {"step": name, "verdict": _gravest(counts), "done": done, "planned": planned}

    def _hosts(self) -> Iterator[dict[str, Any]]:
        open_ = self._progress.open
        names = {host for _stage, hosts in open_.planned.values() for host in hosts if host}
        for host in names:
            verdict = _gravest(self._progress.by_host.get(host, Counter()))
            if open_.of_hosts.get(host) and not _is_bad(verdict):
                verdict = ""  # it has not passed yet
            place = rank(verdict) if verdict and _is_bad(verdict) else len(VERDICTS)
            yield {"host": host, "verdict": verdict, "left": open_.of_hosts.get(host, 0), "rank": place}

    def _failures(self) -> Iterator[dict[str, Any]]:
        bad = [(place, end) for place, end in self._progress.results.counted() if _is_bad(end.verdict)]
        for (step, host), end in sorted(bad, key=lambda one: rank(one[1].verdict)):
            yield {
                "verdict": end.verdict,
                "step": step,
                "host": host or RUN_SCOPED,
                "reason": end.reason,
                "log": self._progress.logs.get((step, host), ""),
            }


def _gravest(counts: Counter[str]) -> str:
    return min((verdict for verdict, number in counts.items() if number), key=rank, default="")


NEWEST = 50
"""So many of the newest run folders are looked at for runs that go on."""
KEPT = 16
LARGEST_UPLOAD = 2**30  # bytes of a pack, unless the command says otherwise
LONGEST_ID = 100  # characters: longer names are no folders of runs


@dataclass
class PageSource:
    """The store at the URL `db`, the folder of `runs`, and the folder of the `project` with its `scriptlets`.

    With `may_run` pages may start the project's recipes, with this `inventory`; `started` are the processes of those,
    and who counts them to start one more holds `starting`.
    With `may_upload` other controllers may bring runs here, each as a pack of at most `most_upload` bytes; `brought`
    has when (monotonic), by whom and how many bytes.
    """

    db: str
    runs: Path
    project: Path = Path()
    scriptlets: tuple[Path, ...] = ()
    may_run: bool = False
    inventory: tuple[str, ...] = ()
    may_upload: bool = False
    most_upload: int = LARGEST_UPLOAD
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    brought: list[tuple[float, str, int]] = field(default_factory=list)
    starting: Lock = field(default_factory=Lock)
    _engine: Engine | None = None
    _lock: Lock = field(default_factory=Lock)
    _live: dict[str, LiveRun] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)

    def store(self) -> Engine:
        """The store, for reading. It is opened when the first page needs it. Raises StoreError."""
        with self._lock:
            if self._engine is None:
                self._engine = connect_for_reading(self.db, 0.0)
            return self._engine

    def close(self) -> None:
        """Close the store."""
        if self._engine is not None:
            self._engine.dispose()

    def live(self, run_id: str) -> LiveRun | None:
        """A run whose journal is here and whose process is alive; None for any other."""
        folder = self.runs / run_id
        is_name = 0 < len(run_id) <= LONGEST_ID and folder.name == run_id
        if not is_name or not folder.is_dir() or not is_run_held(folder):
            self._live.pop(run_id, None)
            return None
        with self._lock:
            return self._live.setdefault(run_id, LiveRun(folder))

    def going_on(self) -> Mapping[str, LiveRun]:
        """The runs that go on, the newest first."""
        found = (path.parent.name for path in reversed(journals(self.runs)[-NEWEST:]))
        return {run_id: live for run_id in found if (live := self.live(run_id))}

    def has_run(self, run_id: str) -> bool:
        """Whether the store has a run of exactly this id; not so where there is no store."""
        try:
            return recorded_runs.find(self.store(), run_id) == run_id
        except (UsageError, StoreError):
            return False

    def run_of(self, start: str) -> Mapping[str, Any]:
        """The run in the store whose id begins so. Raises UsageError, StoreError."""
        return recorded_runs.run(self.store(), recorded_runs.find(self.store(), start))

    def running(self) -> list[str]:
        """The runs that pages have started and whose processes go on."""
        return [run_id for run_id, child in self.started.items() if child.poll() is None]

    def of_run[Made](self, run: Mapping[str, object], name: str, make: Callable[[], Made]) -> Made:
        """What is made of all results of a run. Of a run that has ended it is made once, until its counts change."""
        if not run["ended"]:
            return make()
        key = (name, run["run_id"], run["ended"], json.dumps(run["counts"]))
        found: Made | None = self.kept.get(key)
        if found is None:
            found = self.keep(key, make())
        return found

    def keep(self, name: object, value: object) -> Any:
        """Remember what took long to make; the oldest goes when there are many."""
        with self._lock:
            self.kept[name] = value
            while len(self.kept) > KEPT:
                self.kept.pop(next(iter(self.kept), None))
        return value
