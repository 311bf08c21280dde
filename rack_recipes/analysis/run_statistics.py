# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics of one run.

Counts by verdict, the gravest first, reasons, times of steps, spread of measurements, retries, reused results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from heapq import nlargest
from math import fsum, isnan
from operator import itemgetter
from statistics import median
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, RAN, rank
from rack_recipes.analysis.alike_reasons import join_reasons, mask_numbers
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.store.result import Result, is_looped

SLOWEST = 50
"""How many results are among the slowest."""
ONCE = (None, 0, 1)
"""The numbers of tries of a result without a retry."""
STEP = itemgetter("step")
NO_FAULT = PASSING | NOT_TRIED
"""The verdicts of results that passed, and of those that were not tried."""


def counts(run: RunData) -> list[Row]:
    """`verdict`, `results`, `share` in percent; the gravest verdict first."""
    counted = Counter(row["verdict"] for row in run.results)
    total = max(counted.total(), 1)
    found = counted.most_common()
    return gravest_first(
        {"verdict": verdict, "results": number, "share": round(100 * number / total, 2)} for verdict, number in found
    )


def count_bad(results: Mapping[str, int]) -> int:
    """How many results were tried and did not pass, by how many each verdict has."""
    return sum(number for verdict, number in results.items() if verdict not in NO_FAULT)


def not_passed(run: RunData) -> list[Result]:
    """The results that were tried and did not pass, the gravest first, then by host and step."""
    return gravest_first(row for row in run.results if row["verdict"] not in NO_FAULT)


def reasons(run: RunData) -> list[Row]:
    """The rows of `not_passed`, grouped by verdict, step and reason."""
    return gather_reasons(run, not_passed(run))


def waived_results(run: RunData) -> list[Row]:
    """The results that waivers cover, with the verdict (`was`) and the reason (`failure`) that they had before."""
    found = ((row, before) for row in run.results if (before := row.get("waived")))
    return [{**row, "was": before.get("verdict") or "", "failure": before.get("reason") or ""} for row, before in found]


def not_run(run: RunData) -> list[Row]:
    """Skipped and blocked results, grouped by verdict, step and reason."""
    return gather_reasons(run, [row for row in run.results if row["verdict"] in NOT_TRIED])


def gather_reasons(run: RunData, found: Sequence[Result]) -> list[Row]:
    """Group by `verdict`, planned `step` and `reason`: number of `results` and of `hosts`, and the `first_host`.

    Reasons that differ only in numbers, ids, addresses and paths are one.
    """
    names = {run.planned(step) for step in {row["step"] for row in run.steps}} if found else ()
    masked = [mask_numbers(row.get("reason") or "", names) for row in found]
    groups: dict[tuple[str, str, tuple[str, ...]], dict[tuple[str, ...], list[Result]]] = {}
    for row, reason in zip(found, masked, strict=True):
        alike = groups.setdefault((row["verdict"], run.planned(row["step"]), reason.around), {})
        alike.setdefault(reason.words, []).append(row)
    gathered = [
        {
            "verdict": verdict,
            "step": step,
            "reason": reason,
            **_on_hosts([row for words in own for row in alike[words]]),
        }
        for (verdict, step, around), alike in groups.items()
        for reason, own in join_reasons(around, [*alike])
    ]
    ordered = sorted(gathered, key=lambda row: (-row["results"], run.place(row["step"]), row["reason"]))
    return gravest_first(sorted(ordered, key=lambda row: str(row["verdict"])))


def _on_hosts(rows: Sequence[Row]) -> dict[str, Any]:
    return {"results": len(rows), "hosts": len({row["host"] for row in rows}), "first_host": rows[0]["host"]}


def group_rows[Kind: Row, Key: Hashable](rows: Iterable[Kind], key: Callable[[Kind], Key]) -> dict[Key, list[Kind]]:
    """The rows by a key, groups and rows in the order in which they come."""
    found: dict[Key, list[Kind]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def matrix(run: RunData) -> tuple[list[str], list[Row]]:
    """The planned steps, and for each host its verdicts by step, with the `host`; steps of other hosts are missing."""
    planned = [row for row in run.steps if row.get("parent") is None]
    steps = sorted({row["step"] for row in planned}, key=run.place)
    of_host = group_rows(planned, lambda row: str(row["host"]))
    return steps, [{"host": host, "verdicts": _verdicts(rows)} for host, rows in of_host.items()]


def _verdicts(rows: Iterable[Result]) -> dict[str, str]:
    return {row["step"]: row["verdict"] for row in rows}


def by_step(run: RunData, timed: Sequence[Result]) -> list[Row]:
    """A row for each step: numbers of results by verdict and of retries, seconds, and the slowest host.

    `timed` are the results that ran. A looped step has the number of its `instances` on all hosts; the results are
    counted for the instances only.
    """
    ran, groups = (group_rows(rows, STEP) for rows in (timed, run.steps))
    ordered = sorted(groups, key=run.place)
    return [{"step": step, **_of_step(groups[step]), **_seconds(ran.get(step, ()))} for step in ordered]


def _of_step(rows: Sequence[Result]) -> dict[str, Any]:
    counted = [row for row in rows if not row.get("instances")]
    stages = [stage for row in rows if (stage := row.get("stage")) is not None]
    instances = sum(row.get("instances") or 0 for row in rows)
    return {
        "stage": min(stages, default=None),
        "instances": instances or None,
        **(_numbers(counted) if counted else {}),
    }


def _numbers(rows: Sequence[Result]) -> dict[str, int]:
    """How many results there are, in all, by verdict, and after a retry."""
    verdicts = Counter(row["verdict"] for row in rows)
    return {
        "results": len(rows),
        "passing": sum(verdicts[verdict] for verdict in PASSING),
        **{verdict: verdicts[verdict] for verdict in ("failed", "error", "unreachable")},
        "not_run": sum(verdicts[verdict] for verdict in NOT_TRIED),
        "retried": sum(_was_retried(row) for row in rows if row.get("flake") or row.get("tries") not in ONCE),
    }


def _seconds(rows: Collection[Result]) -> dict[str, Any]:
    if not rows:
        return {}
    slowest_row = max(rows, key=lambda row: row["seconds"] or 0.0)
    seconds = [row["seconds"] or 0.0 for row in rows]
    middle = {"median": median(seconds), "total": fsum(seconds)}
    return {**middle, "max": slowest_row["seconds"], "slowest_host": slowest_row["host"]}


def slowest(timed: Sequence[Result], limit: int = SLOWEST) -> list[Result]:
    """The results that took longest of those that ran."""
    return nlargest(limit, (row for row in timed if not is_looped(row)), key=itemgetter("seconds"))


def by_measurement(run: RunData, measurements: Iterable[Row]) -> list[Row]:
    """A row for each step, name and unit: number of hosts and values, least, median and greatest value, their hosts."""
    groups = group_rows(measurements, lambda row: (row["step"], row["name"], row.get("unit") or ""))
    ordered = sorted(groups, key=lambda of: (run.place(of[0]), *of[1:]))
    return [{"step": of[0], "name": of[1], "unit": of[2], **_spread(groups[of])} for of in ordered]


def _spread(rows: Sequence[Row]) -> dict[str, Any]:
    found = {"hosts": len({row["host"] for row in rows}), "values": len(rows)}
    numbers = [row for row in rows if row["number"] == row["number"]]  # not NaN
    if not numbers:
        return found
    least, greatest = (which(numbers, key=lambda row: float(row["number"])) for which in (min, max))
    ends = {"min": least["number"], "min_host": least["host"], "max": greatest["number"]}
    return {**found, **ends, "max_host": greatest["host"], "median": median(row["number"] for row in numbers)}


def timed_results(run: RunData) -> list[Result]:
    """The results that ran in this run. A looped step has no tries: there an instance must have been tried."""
    tried = {(row["host"], row["parent"]) for row in run.steps if row.get("parent") and _was_tried(row)}
    return [
        row
        for row in run.steps
        if row["verdict"] in RAN
        and row.get("seconds") is not None
        and row.get("source_run") is None
        and (_was_tried(row) or (row["host"], row["step"]) in tried)
    ]


def _was_tried(row: Result) -> bool:
    return (row.get("tries") or 0) > 0


def _was_retried(row: Result) -> bool:
    """Whether a result needed a retry. The tries of a repeated step are mostly its rounds, so they do not count."""
    return bool(row.get("flake")) or ((row.get("tries") or 0) > 1 and not row.get("rounds"))


def gravest_first[Kind: Row](rows: Iterable[Kind]) -> list[Kind]:
    """By how grave the `verdict` is; rows that are equally grave keep their order."""
    return sorted(rows, key=lambda row: rank(row["verdict"]))


STATISTICS = ("count", "min", "mean", "max", "stdev", "p95")
"""The statistics that a repeated step measures over its rounds, for example `NAME.mean` for `NAME`."""
HOOK = ("hook", "when", "verdict", "reason")
"""What is told of a hook."""
Place = tuple[str, str]  # host, step


def passed_after_retry(run: RunData) -> list[Row]:
    """Results that passed after a failed try; `first` says what went wrong first."""
    found = (row for row in run.results if row.get("flake"))
    return [{**row, "first": _first_failure(row.get("attempts") or ())} for row in found]


def _first_failure(attempts: Sequence[Mapping[str, object]]) -> str | None:
    failed = (one for one in attempts if one.get("verdict") not in PASSING and not one.get("waiting"))
    return next((f"{one.get('verdict')}: {one.get('reason') or 'no reason given'}" for one in failed), None)


def reused_results(run: RunData) -> list[Row]:
    """Results of earlier runs that were used again, by planned step, verdict and `source_run`."""
    found = (row for row in run.results if row.get("source_run") is not None)
    groups = group_rows(found, lambda row: (run.planned(row["step"]), row["verdict"], row["source_run"]))
    ordered = sorted(groups, key=lambda of: (run.place(of[0]), *of[1:]))
    return [{"step": of[0], "verdict": of[1], "source_run": of[2], **_hosts_and_results(groups[of])} for of in ordered]


def failed_hooks(run: RunData) -> list[Row]:
    """Hooks that did not pass, by planned step, `hook`, `when`, verdict and reason; the gravest first."""
    told = (
        {"host": row["host"], "step": run.planned(row["step"]), **{name: str(hook.get(name) or "") for name in HOOK}}
        for row in run.steps
        for hook in row.get("hooks") or ()
        if isinstance(hook, dict)
    )
    groups = group_rows(told, lambda row: tuple(row[name] for name in ("step", *HOOK)))
    found = [{**rows[0], **_hosts_and_results(rows)} for rows in groups.values()]
    return gravest_first(sorted(found, key=lambda row: (row["step"], row["hook"])))


def _hosts_and_results(rows: Sequence[Row]) -> dict[str, Any]:
    return {"results": len(rows), "first_host": rows[0]["host"]}


def repeated_results(run: RunData) -> list[Row]:
    """Repeated steps: how many `rounds`, how many of them `passed`, and the statistics of each measurement."""
    places = _repeated(run)
    measured = _statistics(row for row in run.measurements if _is_of(row, places))
    repeated = (row for row in run.steps if row.get("rounds"))
    return [
        {**row, "rounds": row["rounds"].get("count"), "passed": row["rounds"].get("passed"), **statistics}
        for row in repeated
        for statistics in measured.get((row["host"], row["step"])) or [{}]
    ]


def without_statistics_of_rounds(run: RunData) -> list[Row]:
    """The measurements that are no statistic over the rounds of their step."""
    repeated = _repeated(run)
    return [row for row in run.measurements if not _is_of(row, repeated)] if repeated else [*run.measurements]


def _is_of(measurement: Row, repeated: set[Place]) -> bool:
    """Whether a measurement is a statistic over the rounds of its step."""
    is_statistic = str(measurement["name"]).rpartition(".")[2] in STATISTICS
    return is_statistic and (measurement["host"], measurement["step"]) in repeated


def _repeated(run: RunData) -> set[Place]:
    return {(row["host"], row["step"]) for row in run.steps if row.get("rounds")}


def _statistics(measurements: Iterable[Row]) -> dict[Place, list[dict[str, Any]]]:
    """For each host and step the measurements, each with its name, its unit and its `STATISTICS`."""
    found: dict[Place, dict[str, dict[str, Any]]] = {}
    for row in measurements:
        base, _dot, statistic = str(row["name"]).rpartition(".")
        told = found.setdefault((row["host"], row["step"]), {}).setdefault(base, {"name": base, "unit": None})
        told |= {statistic: row["number"], "unit": told["unit"] or row.get("unit")}  # a count may have no unit
    return {place: [*names.values()] for place, names in found.items()}


class Metric(NamedTuple):
    """What a number is: a measurement of a `step`, or a number in the context, whose step is "".

    The name of a number in the context is its full path, as a reference in a recipe has it: `numbers.stats_v1.mean`.
    """

    step: str
    name: str
    unit: str


def by_metric(run: RunData) -> dict[Metric, list[float]]:
    """The numbers of each metric in reading order; statistics over the rounds of a step are left out."""
    measured: dict[tuple[str, str, str], list[float]] = {}
    for row in without_statistics_of_rounds(run):
        if not isnan(row["number"]):
            measured.setdefault((row["step"], row["name"], row.get("unit") or ""), []).append(row["number"])
    found = {Metric(*place): numbers for place, numbers in measured.items()}
    paths: dict[str, dict[str, list[float]]] = {}
    for row in run.context:
        of_key = paths.setdefault(row["key"], {})
        for path, number in row["numbers"]:
            numbers = of_key.get(path)
            if numbers is None:
                numbers = of_key[path] = found.setdefault(Metric("", f"{row['key']}{path}", ""), [])
            numbers.append(number)
    return found
