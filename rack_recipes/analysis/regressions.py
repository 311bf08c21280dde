# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What passed before and does not now: since the last pass, and against the accepted baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.analysis import choose_and_compare_baseline
from rack_recipes.analysis.capped_findings import MOST_RESULTS, SHOWN, capped
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_changes import run_changes
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.run_statistics import NO_FAULT
from rack_recipes.analysis.wording import age, plural, the_last
from rack_recipes.store.reading import recorded_runs, values_of_runs
from rack_recipes.store.reading.earlier_runs import earlier_runs

PASSED = "passed"
FACT = "compared as they are stored; no statistics, so no rate of false alarms"

Row = Mapping[str, Any]
Place = tuple[str, str]  # step and host


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kinds `regression` and `baseline`."""
    failing = [(row["step"], row["host"]) for row in run.steps if _is_failing(row)]
    if failing:
        yield from _since_the_last_pass(run, failing)
        yield from capped([*_own_last_passes(run, history, failing)])
    yield from _against_the_baseline(run, history)


def _is_failing(row: Row) -> bool:
    """Whether a result was tried and did not pass; the instances of a looped step count, and not the step."""
    return not row.get("instances") and row["verdict"] not in NO_FAULT


def _since_the_last_pass(run: RunData, failing: Sequence[Place]) -> Iterator[Finding]:
    """When this test last passed as a whole, and what is different about the runs."""
    earlier = earlier_runs(run.run, run.runs, len(run.runs))
    passed = next((one for one in reversed(earlier) if one["status"] == PASSED), None)
    if passed is None:
        if earlier:
            yield _never_passed(earlier, failing)
        return
    changed = _changes_between(passed, run.run)
    since = len(earlier) - [one["run_id"] for one in earlier].index(passed["run_id"])
    fields = ", ".join(change["field"] for change in changed) or "nothing that is recorded"
    yield Finding(
        "regression",
        NOTE,
        f"This test last passed {_ago(passed, run.run)}in run {passed['run_id']}, {plural(since, 'run')} before this "
        f"one; since then changed: {fields}",
        _results(failing),
        f"rack-recipes diff {passed['run_id']} {run.run['run_id']}",
        {"last pass": passed["run_id"], "when": passed["started"], "runs since": since, "changed": changed},
        {"card": "since the last pass"},
        FACT,
    )


def _never_passed(earlier: Sequence[Row], failing: Sequence[Place]) -> Finding:
    of = "its only earlier run" if len(earlier) == 1 else f"any of {len(earlier):,} earlier runs"
    title = f"This test has not passed as a whole in {of}"
    figures = {"earlier runs": len(earlier), "first": earlier[0]["run_id"]}
    return Finding("regression", NOTE, title, _results(failing), "", figures, {"card": "since the last pass"}, FACT)


def _changes_between(earlier: Row, later: Row) -> list[dict[str, Any]]:
    return [dict(change) for change in run_changes(earlier, later) if change["field"] != "status"]


def _own_last_passes(run: RunData, history: History, failing: Sequence[Place]) -> Iterator[Finding]:
    """For the results that do not pass: the run in which each of them last did."""
    left, seen = set(failing), set[Place]()
    for earlier in reversed(history.runs):
        hosts = {host for _step, host in left}
        verdicts = values_of_runs.verdicts(history.engine, earlier["run_id"], hosts)
        found = {(step, host): verdict for step, host, verdict in verdicts}
        passed = [place for place in failing if place in left and found.get(place) in PASSING]
        seen |= left & found.keys()
        left -= {*passed}
        if passed:
            yield _passed_before(run, history, earlier, passed)
        if not left:
            return
    if never := [place for place in failing if place in left & seen]:
        yield _none_passed(history, never)


def _passed_before(run: RunData, history: History, earlier: Row, places: Sequence[Place]) -> Finding:
    hosts, steps = _hosts(places), [*dict.fromkeys(step for step, _host in places)]
    moved = _attribute_changes(history, earlier["run_id"], run, hosts)
    changed = _changes_between(earlier, run.run)
    words = [f"{one['attribute']} of {one['host']}" for one in moved] + [change["field"] for change in changed]
    return Finding(
        "regression",
        PROBLEM,
        f"{plural(len(places), 'result')} of {few(steps, SHOWN)} on {few(hosts, SHOWN)} passed {_ago(earlier, run.run)}"
        f"in run {earlier['run_id']} and {'does' if len(places) == 1 else 'do'} not pass now",
        _results(places),
        f"Look first at what changed in between: {few(words, SHOWN)}." if words else "",
        {
            "last pass": earlier["run_id"],
            "when": earlier["started"],
            "results": len(places),
            "changed": changed,
            "attributes": moved[:MOST_RESULTS],
        },
        {"step": steps[0]} if len(steps) == 1 else {},
        FACT,
    )


def _none_passed(history: History, places: Sequence[Place]) -> Finding:
    hosts, steps = _hosts(places), [*dict.fromkeys(step for step, _host in places)]
    title = f"{plural(len(places), 'result')} of {few(steps, SHOWN)} on {few(hosts, SHOWN)} did not pass in "
    title += f"{'any of ' if len(history.runs) > 1 else ''}{the_last(len(history.runs), 'run')} either"
    figures = {"results": len(places), "earlier runs": len(history.runs)}
    return Finding("regression", NOTABLE, title, _results(places), "", figures, {}, FACT)


def _attribute_changes(history: History, run_id: str, run: RunData, hosts: Iterable[str]) -> list[dict[str, Any]]:
    """What the inventory says of these hosts now and did not say in an earlier run."""
    before = recorded_runs.attributes(history.engine, run_id)
    found = []
    for host in hosts:
        first, second = before.get(host, {}), run.attributes.get(host, {})
        names = dict.fromkeys([*first, *second]) if first and second else {}
        found += [
            {"host": host, "attribute": name, "before": first.get(name), "after": second.get(name)}
            for name in names
            if first.get(name) != second.get(name)
        ]
    return found


def _ago(earlier: Row, later: Row) -> str:
    before = age(earlier["started"], later["started"])
    return f"{before} earlier, " if before else ""


def _hosts(places: Iterable[Place]) -> list[str]:
    return [*dict.fromkeys(host or "the run" for _step, host in places)]


def _results(places: Sequence[Place]) -> tuple[ResultId, ...]:
    return tuple(ResultId(host, step) for step, host in places[:MOST_RESULTS])


def _against_the_baseline(run: RunData, history: History) -> Iterator[Finding]:
    accepted = choose_and_compare_baseline.baseline_of(history.engine, run.run)
    if accepted is None or accepted["run_id"] == run.run["run_id"]:
        return
    cut_off = {(row["step"], row["host"]) for row in run.steps if row.get("cut_off")}
    found = choose_and_compare_baseline.compare(history.engine, accepted, run.run["run_id"])
    found = replace(found, steps=[row for row in found.steps if (row["step"], row["host"]) not in cut_off])
    worse = [ResultId(row["host"], row["step"], row.get("name", "")) for row in (*found.steps, *found.criteria)]
    fields = [change["field"] for change in found.about if change["field"] != "status"]
    yield Finding(
        "baseline",
        PROBLEM if worse else NOTE,
        _worse_than(accepted, found, worse)
        if worse
        else f"All that passed in the baseline, run {accepted['run_id']}, passes or was not tried",
        tuple(worse[:MOST_RESULTS]),
        f"Look first at what changed since the baseline: {few(fields, SHOWN)}." if worse and fields else "",
        {
            "baseline": accepted["run_id"],
            "accepted": accepted["accepted"],
            "by": accepted["user"],
            "worse results": len(found.steps),
            "worse criteria": len(found.criteria),
            "better results": len(found.better),
            "changed": [dict(change) for change in found.about if change["field"] != "status"],
        },
        {},
        FACT,
    )


def _worse_than(accepted: Row, found: choose_and_compare_baseline.Comparison, worse: Sequence[ResultId]) -> str:
    counted = ((found.steps, "result", "results"), (found.criteria, "criterion", "criteria"))
    numbers = " and ".join(plural(len(rows), one, many) for rows, one, many in counted if rows)
    steps = few([*dict.fromkeys(one.step for one in worse)], SHOWN)
    hosts = few(_hosts((one.step, one.host) for one in worse), SHOWN)
    do = "does" if len(worse) == 1 else "do"
    return f"{numbers} that passed in the baseline, run {accepted['run_id']}, {do} not pass now: {steps} on {hosts}"
