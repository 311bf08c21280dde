# SPDX-License-Identifier: GPL-3.0-or-later

"""What passed before and does not now.

Between two runs in the store, since the last pass, and against the accepted baseline of the test.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.analysis import run_changes
from rack_recipes.analysis.failed_and_blocked_results import UNREACHABLE
from rack_recipes.analysis.findings import (
    MOST_RESULTS,
    NOTABLE,
    NOTE,
    PROBLEM,
    SHOWN,
    Finding,
    ResultId,
    cap_findings,
    format_age,
    format_count,
    the_last,
)
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_changes import Change, run_field_changes, waived_steps, worse_criteria, worse_steps
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.run_statistics import NO_FAULT, gather_reasons
from rack_recipes.journal.step_results_and_end_status import cell_of
from rack_recipes.store.database.databases_and_errors import call_patiently, translate_errors
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.reading.earlier_runs import earlier_runs
from rack_recipes.store.result import Result
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import in_order, name, storable
from rack_recipes.store.writing.write_rows import write_rows
from rack_recipes.visible_text import visible

if TYPE_CHECKING:
    from sqlalchemy import Engine
Row = Mapping[str, Any]
LONGEST = 40  # characters of a value that has changed
LONGEST_REASON = 160  # characters
REASONS = 3  # are told in a sentence
PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is worse in a run than in its baseline, what is good again or waived, and what differs about the runs."""

    baseline: Row
    steps: Sequence[Change]
    criteria: Sequence[Change]
    better: Sequence[Change]
    waived: Sequence[Change]
    about: Sequence[Change]


def name_of_test(run: Row) -> str:
    """The name under which a test has its baseline: its id, or its recipe where it has none."""
    return str(run.get("test_id") or run.get("recipe") or "")


def baseline_of(engine: Engine, run: Row) -> Row | None:
    """The baseline that counts for a run: the newest of its test that nobody has withdrawn. Raises StoreError."""
    test = name_of_test(run)
    accepted = recorded_runs.baselines(engine, test) if test else ()  # stores of today have some without a name
    return next((one for one in accepted if not one["withdrawn"]), None)


def compare_with_baseline(engine: Engine, baseline: Row, run_id: str) -> Comparison:
    """Compare a run with its baseline. What only one of them has does not count. Raises UsageError and StoreError."""
    ids = baseline["run_id"], run_id
    first, second = (recorded_runs.steps(engine, one, attempts=False) for one in ids)
    measured, measured_now = (recorded_runs.measurements(engine, one) for one in ids)
    return Comparison(
        baseline,
        steps=worse_steps(first, second),
        criteria=worse_criteria(measured, measured_now, second),
        better=worse_steps(first=second, second=first),
        waived=waived_steps(first, second),
        about=run_field_changes(recorded_runs.run(engine, ids[0]), recorded_runs.run(engine, ids[1])),
    )


def accept(engine: Engine, run: Row, user: str, note: str = "") -> Row:
    """Make a run the baseline of its test; returns the row of `baselines`. Raises StoreError."""
    table = tables().baselines
    values = {"run_id": run["run_id"], "test_id": name(name_of_test(run)), "accepted": now(), "user": name(user)}
    row = {**values, "note": storable(note) or None, "withdrawn": None}

    def insert() -> None:
        with engine.begin() as connection:
            write_rows(connection, table, [in_order(table, row)])

    with translate_errors(engine.url):
        call_patiently(insert, PATIENCE)
    return row


def withdraw(engine: Engine, test: str) -> int:
    """Withdraw all baselines of a test, so that none counts; returns how many counted until now. Raises StoreError."""
    table = tables().baselines
    change = table.update().where(table.c.test_id == test, table.c.withdrawn.is_(None)).values(withdrawn=now())

    def update() -> int:
        with engine.begin() as connection:
            return connection.execute(change).rowcount

    with translate_errors(engine.url):
        return call_patiently(update, PATIENCE)


def stored_changes(store: Engine, first: str, second: str) -> dict[str, list[dict[str, Any]]]:
    """The changes by what they are of: `run`, `verdicts`, `durations`, `measurements`, `context`. Raises UsageError."""
    steps = [recorded_runs.steps(store, run_id) for run_id in (first, second)]
    return {
        "run": run_changes.run_field_changes(recorded_runs.run(store, first), recorded_runs.run(store, second)),
        "verdicts": run_changes.verdict_changes(*steps),
        "durations": run_changes.duration_changes(*steps),
        "measurements": run_changes.measurement_changes(
            recorded_runs.measurements(store, first), recorded_runs.measurements(store, second)
        ),
        "context": run_changes.context_changes(
            recorded_runs.context(store, first), recorded_runs.context(store, second)
        ),
    }


PASSED = "passed"
NOT_THERE = ("", None)
GIVEN = "what {} was given: its arguments, the context it reads, its code or its files"
FACT = "compared as they are stored; no statistics, so no rate of false alarms"


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """Yield findings of the kinds `regression` and `baseline`."""
    failing = {ResultId(row["host"], row["step"]): row for row in run.steps if _is_failing(row)}
    if failing:
        yield from _since_the_last_pass(run, [*failing])
        yield from cap_findings([*_own_last_passes(run, history, failing)])
    yield from _against_the_baseline(run, history)


def _is_failing(row: Result) -> bool:
    """Whether a result was tried and did not pass; the instances of a looped step count, and not the step."""
    return not row.get("instances") and row["verdict"] not in NO_FAULT


def _since_the_last_pass(run: RunData, failing: Sequence[ResultId]) -> Iterator[Finding]:
    """When this test last passed as a whole, and what is different about the runs."""
    earlier = earlier_runs(run.run, run.runs, len(run.runs))
    passed = next((one for one in reversed(earlier) if one["status"] == PASSED), None)
    if passed is None:
        if earlier:
            yield _never_passed(earlier, failing)
        return
    changed = _changes_between(passed, run.run)
    since = len(earlier) - [one["run_id"] for one in earlier].index(passed["run_id"])
    fields = first_few([*_in_words(changed)], SHOWN) or "nothing that is recorded"
    yield Finding(
        "regression",
        NOTE,
        f"This test last passed {_ago(passed, run.run)}in run {passed['run_id']}, "
        f"{format_count(since, 'run')} before this "
        f"one; since then changed: {fields}",
        tuple(failing[:MOST_RESULTS]),
        f"rack-recipes diff {passed['run_id']} {run.run['run_id']}",
        {"last pass": passed["run_id"], "when": passed["started"], "runs since": since, "changed": changed},
        {"card": "since the last pass"},
        FACT,
    )


def _never_passed(earlier: Sequence[Row], failing: Sequence[ResultId]) -> Finding:
    of = "its only earlier run" if len(earlier) == 1 else f"any of {len(earlier):,} earlier runs"
    title = f"This test has not passed as a whole in {of}"
    figures = {"earlier runs": len(earlier), "first": earlier[0]["run_id"]}
    return Finding(
        "regression", NOTE, title, tuple(failing[:MOST_RESULTS]), "", figures, {"card": "since the last pass"}, FACT
    )


def _changes_between(earlier: Row, later: Row) -> list[dict[str, Any]]:
    return [dict(change) for change in run_field_changes(earlier, later) if change["field"] != "status"]


def _in_words(changed: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What has changed, from what to what: `params mtu (9000 to 1500)`; of a digest only that it has."""
    for change in changed:
        name, before, after = change["field"], change["before"], change["after"]
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for part in dict.fromkeys([*before, *after]):
                if before.get(part) != after.get(part) or (part in before) != (part in after):
                    yield _from_to(f"{name} {part}", before.get(part), after.get(part))
        else:
            yield "text of the recipe" if name == "digest" else _from_to(name, before, after)


def _from_to(name: str, before: object, after: object) -> str:
    return f"{name} ({_short(before)} to {_short(after)})"


def _short(value: object, longest: int = LONGEST) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return visible(text if len(text) <= longest else f"{text[: longest - 1]}…")


Failing = Mapping[ResultId, Result]


def _own_last_passes(run: RunData, history: History, failing: Failing) -> Iterator[Finding]:
    """For the results that do not pass: the run in which each of them last did."""
    left, seen = set(failing), set[ResultId]()
    for earlier in reversed(history.runs):
        hosts = {result.host for result in left}
        rows = several_runs.verdicts_and_inputs(history.engine, earlier["run_id"], hosts)
        found = {ResultId(host, step): (verdict, inputs) for step, host, verdict, inputs in rows}
        passed = [result for result in failing if result in left and found.get(result, NOT_THERE)[0] in PASSING]
        seen |= left & found.keys()
        left -= {*passed}
        given = {each for each in passed if _is_other_input(found[each][1], failing[each].get("inputs"))}
        for together in _together(run, {result: failing[result] for result in passed}):
            yield _passed_before(run, history, earlier, together, [each for each in together if each in given])
        if not left:
            return
    if never := [result for result in failing if result in left & seen]:
        yield _none_passed(run, history, {result: failing[result] for result in never})


def _together(run: RunData, failing: Failing) -> list[Failing]:
    """The results by what may have one cause: those of a host, of a step, and all that got no answer."""
    above: dict[tuple[str, str], tuple[str, str]] = {}

    def top(place: tuple[str, str]) -> tuple[str, str]:
        while above.setdefault(place, place) != place:
            above[place] = place = above[above[place]]
        return place

    of_kind = {
        result: ("", UNREACHABLE) if row["verdict"] == UNREACHABLE else ("step", run.planned(result.step))
        for result, row in failing.items()
    }
    for result, place in of_kind.items():
        if result.host:
            above[top(("host", result.host))] = top(place)
    found: dict[tuple[str, str], dict[ResultId, Result]] = defaultdict(dict)
    for result, row in failing.items():
        found[top(of_kind[result])][result] = row
    return [*found.values()]


def _why(run: RunData, rows: Iterable[Result]) -> str:
    """The reasons of results, most frequent first, after a colon; those that differ in their numbers are one."""
    found = dict.fromkeys(row["reason"] for row in gather_reasons(run, [row for row in rows if row.get("reason")]))
    told = [_short(reason, LONGEST_REASON) for reason in found]
    return f": {first_few(told, REASONS, '; ')}" if told else ""


def _is_other_input(before: str | None, after: str | None) -> bool:
    """Whether two digests tell that a step was given something else; one with a secret is made in another way."""
    return bool(before and after) and before != after and _way_of(before) == _way_of(after)


def _way_of(digest: str | None) -> str:
    return (digest or "").partition(":")[0]


def _passed_before(
    run: RunData, history: History, earlier: Row, failing: Failing, given: Sequence[ResultId]
) -> Finding:
    results = [*failing]
    hosts, steps = _hosts(results), [*dict.fromkeys(result.step for result in results)]
    moved = _attribute_changes(history, earlier["run_id"], run, hosts)
    changed = _changes_between(earlier, run.run)
    words = [_from_to(f"{one['attribute']} of {one['host']}", one["before"], one["after"]) for one in moved]
    words += _in_words(changed)
    others = [f"{result.step} on {result.host or 'the run'}" for result in given]
    if others:
        words.append(GIVEN.format(first_few(others, SHOWN)))
    return Finding(
        "regression",
        PROBLEM,
        f"{format_count(len(results), 'result')} of {first_few(steps, SHOWN)} on {first_few(hosts, SHOWN)} passed "
        f"{_ago(earlier, run.run)}"
        f"in run {earlier['run_id']} and {'does' if len(results) == 1 else 'do'} not pass now"
        f"{_why(run, failing.values())}",
        tuple(results[:MOST_RESULTS]),
        f"Look first at what changed in between: {first_few(words, SHOWN)}."
        if words
        else "Nothing that is recorded of how they were set up has changed; how their results differ: "
        f"rack-recipes diff {earlier['run_id']} {run.run['run_id']}",
        {
            "last pass": earlier["run_id"],
            "when": earlier["started"],
            "results": len(results),
            "changed": changed,
            "attributes": moved[:MOST_RESULTS],
            "inputs": others[:MOST_RESULTS],
        },
        {"step": steps[0]} if len(steps) == 1 else {},
        FACT,
    )


def _none_passed(run: RunData, history: History, failing: Failing) -> Finding:
    results = [*failing]
    hosts, steps = _hosts(results), [*dict.fromkeys(result.step for result in results)]
    counted = format_count(len(results), "result")
    title = f"{counted} of {first_few(steps, SHOWN)} on {first_few(hosts, SHOWN)} did not pass in "
    title += f"{'any of ' if len(history.runs) > 1 else ''}{the_last(len(history.runs), 'run')} either"
    title += _why(run, failing.values())
    figures = {"results": len(results), "earlier runs": len(history.runs)}
    return Finding("regression", NOTABLE, title, tuple(results[:MOST_RESULTS]), "", figures, {}, FACT)


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
    before = format_age(earlier["started"], later["started"])
    return f"{before} earlier, " if before else ""


def _hosts(results: Iterable[ResultId]) -> list[str]:
    return [*dict.fromkeys(result.host or "the run" for result in results)]


def _against_the_baseline(run: RunData, history: History) -> Iterator[Finding]:
    accepted = baseline_of(history.engine, run.run)
    if accepted is None or accepted["run_id"] == run.run["run_id"]:
        return
    cut_off = {cell_of(row) for row in run.steps if row.get("cut_off")}
    found = compare_with_baseline(history.engine, accepted, run.run["run_id"])
    found = replace(found, steps=[row for row in found.steps if cell_of(row) not in cut_off])
    worse = [ResultId(row["host"], row["step"], row.get("name", "")) for row in (*found.steps, *found.criteria)]
    fields = [*_in_words([change for change in found.about if change["field"] != "status"])]
    yield Finding(
        "baseline",
        PROBLEM if worse else NOTE,
        f"{_worse_than(accepted, found, worse)}{_why(run, _rows_of(run, worse))}"
        if worse
        else f"All that passed in the baseline, run {accepted['run_id']}, passes{_waived(found)} or was not tried",
        tuple(worse[:MOST_RESULTS]),
        f"Look first at what changed since the baseline: {first_few(fields, SHOWN)}." if worse and fields else "",
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


def _waived(found: Comparison) -> str:
    """What passed in the baseline and is waived now, in words."""
    places = [f"{row['step']} on {row['host'] or 'the run'}" for row in found.waived]
    return f", is waived ({first_few(places, SHOWN)})" if places else ""


def _rows_of(run: RunData, worse: Iterable[ResultId]) -> list[Result]:
    cells = {one[:2] for one in worse}
    return [row for row in run.results if (row["host"], row["step"]) in cells]


def _worse_than(accepted: Row, found: Comparison, worse: Sequence[ResultId]) -> str:
    counted = ((found.steps, "result", "results"), (found.criteria, "criterion", "criteria"))
    numbers = " and ".join(format_count(len(rows), one, many) for rows, one, many in counted if rows)
    steps = first_few([*dict.fromkeys(one.step for one in worse)], SHOWN)
    hosts = first_few(_hosts(worse), SHOWN)
    do = "does" if len(worse) == 1 else "do"
    return f"{numbers} that passed in the baseline, run {accepted['run_id']}, {do} not pass now: {steps} on {hosts}"
