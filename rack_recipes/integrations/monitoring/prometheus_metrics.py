# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rack team alerts on, as metrics that Prometheus reads: how the runs of each test end, and when.

The format is "Text-based format", version 0.0.4, of
https://prometheus.io/docs/instrumenting/exposition_formats/. All metrics here are gauges: what a store holds may also
become less.

A label names a test, a status, a verdict or a grade, never a run, a host, a step or a result. So the number of samples
does not grow with the store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from rack_recipes.analysis.findings import GRADES
from rack_recipes.errors import UsageError
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES
from rack_recipes.report.tables.summary_and_finding_tables import duration
from rack_recipes.store.reading import counts_and_short_results
from rack_recipes.version import VERSION

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOR_ALL = 0o644  # node_exporter is another user
_IN_LABELS = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_IN_HELP = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, and the labels that tell it from the others of its metric."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name with its unit, what it means, and its samples."""

    name: str
    meaning: str
    samples: Sequence[Sample]


def as_text(metrics: Sequence[Metric]) -> str:
    """The text that Prometheus reads; metrics without samples are left out."""
    return "".join(line for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning.translate(_IN_HELP)}\n"
    yield f"# TYPE {metric.name} gauge\n"
    for sample in metric.samples:
        labels = ",".join(f'{name}="{value.translate(_IN_LABELS)}"' for name, value in sample.labels.items())
        yield f"{metric.name}{f'{{{labels}}}' if labels else ''} {sample.value!r}\n"


def write_textfile(path: Path, text: str) -> None:
    """Put a text into a file for node_exporter, which never sees a half of it. Raises UsageError.

    The draft lies beside the file. Its name has another ending than `.prom`, so that it is not read.
    """
    draft = None
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            draft = Path(file.name)
            file.write(text)
            os.fchmod(file.fileno(), FOR_ALL)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


MOST_TESTS = 100
"""So many tests have metrics, those that ran last: at most 2,811 samples."""
PREFIX = "rack_recipes_"
RUNNING = "running"
STATUSES = (*EXIT_CODES, RUNNING)
BAD = frozenset(VERDICTS) - PASSING - NOT_TRIED
Row = Mapping[str, Any]
Labelled = Iterator[tuple[dict[str, str], float]]


@dataclass(frozen=True, slots=True)
class RunsOfTest:
    """The runs of one test, the newest first; of the last one that has ended, how many hosts fail and its findings."""

    test: str
    runs: Sequence[Row]
    failing_hosts: int = 0
    findings: Mapping[str, int] | None = None

    @property
    def last(self) -> Row | None:
        """The newest run that has ended."""
        return next((run for run in self.runs if run["ended"]), None)

    @property
    def last_passed(self) -> Row | None:
        """The newest run that has passed."""
        return next((run for run in self.runs if run["status"] == "passed"), None)


def read_metrics(store: Engine) -> list[Metric]:
    """The metrics of the runs in a store. Raises StoreError."""
    runs = counts_and_short_results.ended_or_not(store)
    by_test: dict[str, list[Row]] = {}
    for run in runs:
        by_test.setdefault(run["test_id"] or "", []).append(run)
    tests = [RunsOfTest(name, own) for name, own in [*by_test.items()][:MOST_TESTS]]
    return [
        _metric("build_info", "The version that made these metrics; always 1.", [({"version": VERSION}, 1)]),
        _metric("results", "Results of all runs in the store, by verdict.", _all_results(runs)),
        _metric("tests_without_metrics", "Tests beyond the limit of tests that have metrics.",
                [({}, max(0, len(by_test) - MOST_TESTS))]),
        *_of_tests(_with_last(store, tests)),
    ]  # fmt: skip


def _with_last(store: Engine, tests: Sequence[RunsOfTest]) -> list[RunsOfTest]:
    """The tests with what the store knows of their last runs."""
    last = {one.test: one.last["run_id"] for one in tests if one.last}
    bad = [one.last["run_id"] for one in tests if one.last and BAD & {*one.last["counts"]}]
    failing = counts_and_short_results.failing_hosts(store, bad)
    found = counts_and_short_results.finding_grades(store, [*last.values()])
    return [
        RunsOfTest(one.test, one.runs, failing.get(last.get(one.test, ""), 0), found.get(last.get(one.test, "")))
        for one in tests
    ]


def _metric(name: str, meaning: str, found: Iterator[tuple[dict[str, str], float]] | Sequence[Any]) -> Metric:
    return Metric(f"{PREFIX}{name}", meaning, [Sample(value, labels) for labels, value in found])


def _all_results(runs: Sequence[Row]) -> Labelled:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run["counts"])
    return (({"verdict": verdict}, total[verdict]) for verdict in VERDICTS)


def _of_tests(tests: Sequence[RunsOfTest]) -> Iterator[Metric]:
    for name, (meaning, values) in OF_TESTS.items():
        found = (({"test": one.test, **labels}, value) for one in tests for labels, value in values(one))
        yield _metric(name, meaning, found)


def _by_status(one: RunsOfTest) -> Labelled:
    counted = Counter(run["status"] or RUNNING for run in one.runs)
    return (({"status": status}, counted[status]) for status in STATUSES)


def _verdicts(one: RunsOfTest) -> Labelled:
    counts = one.last["counts"] if one.last else None
    return (({"verdict": verdict}, counts.get(verdict, 0)) for verdict in VERDICTS if counts is not None)


def _findings(one: RunsOfTest) -> Labelled:
    found = one.findings
    return (({"grade": grade}, found.get(grade, 0)) for grade in GRADES if found)


def _of_last(value: Callable[[Row], float | None]) -> Callable[[RunsOfTest], Labelled]:
    def values(one: RunsOfTest) -> Labelled:
        found = value(one.last) if one.last else None
        if found is not None:
            yield {}, found

    return values


def _last_pass(one: RunsOfTest) -> Labelled:
    found = _seconds(one.last_passed["ended"]) if one.last_passed else None
    if found is not None:
        yield {}, found


def _seconds(time: str | None) -> float | None:
    """An ISO time as seconds since 1970, as Prometheus counts time."""
    return datetime.fromisoformat(time).timestamp() if time else None


def _failing(one: RunsOfTest) -> Labelled:
    if one.last:
        yield {}, one.failing_hosts


OF_TESTS: Mapping[str, tuple[str, Callable[[RunsOfTest], Labelled]]] = {
    "runs": ("Runs of a test in the store, by how they ended.", _by_status),
    "last_run_passed": (
        "Whether the last run that has ended passed: 1 or 0.",
        _of_last(lambda run: int(run["status"] == "passed")),
    ),
    "last_run_start_timestamp_seconds": (
        "When the last run that has ended began, in seconds since 1970.",
        _of_last(lambda run: _seconds(run["started"])),
    ),
    "last_run_end_timestamp_seconds": (
        "When the last run that has ended did, in seconds since 1970.",
        _of_last(lambda run: _seconds(run["ended"])),
    ),
    "last_run_duration_seconds": (
        "How long that run took.",
        _of_last(lambda run: duration(run["started"], run["ended"])),
    ),
    "last_passed_run_end_timestamp_seconds": (
        "When the last run that passed ended, in seconds since 1970.",
        _last_pass,
    ),
    "last_run_hosts": ("Hosts of the last run that has ended.", _of_last(lambda run: run["hosts"])),
    "last_run_failing_hosts": (
        "Hosts of that run with a result that is failed, error or unreachable.",
        _failing,
    ),
    "last_run_results": ("Results of that run, by verdict.", _verdicts),
    "last_run_findings": ("Findings about that run, by grade; none where nobody has analysed it.", _findings),
}
"""The metrics of each test: their names, what they mean, and their samples without the label `test`."""
