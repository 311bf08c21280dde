# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands diff, and baseline accept, show, compare and withdraw: a run beside another one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table, painter, printable, value_text
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.analysis.regression_gate import Levels

NOTABLE = 10.0  # percent
SHORTEST = 0.1  # seconds: smaller changes of a duration are mostly chance
NO_CHANGE = "no change"
NOTHING_COMPARED = 4  # the exit code where two runs have nothing in common
Row = Mapping[str, Any]


COMPARED = f"""\
    --percent P={NOTABLE:g}  show durations and measurements that changed by at least so much, durations also by at
        least {SHORTEST:g} s (default: {NOTABLE:g}; JSON has all)
    --exit-code  for CI: end with 1 if something got worse, and name it on stderr; otherwise with 0. Something got worse
        if a step passed on a host {{first}} and does not pass there {{second}} (it passes if it is passed, marginal,
        cached or waived), if a criterion held and does not hold any more, or if a measurement is at another level than
        in up to 20 runs around the first one, and no limit tells that this is better. What only one run has does not
        count, nor does what a waiver covers: that is named as waived. It says how small a shift would be seen; where
        there is no history only verdicts and criteria are compared"""


@takes(
    f"""
    RUN as first
    RUN as second
{COMPARED.format(first="in the first run", second="in the second one")}
    --db URL
    examples:
    rack-recipes diff last~1 last
    rack-recipes diff 20261124-09 20261125-14 --percent 1
    rack-recipes diff last~1 last --exit-code
    """
)
def diff(options: argparse.Namespace) -> Answer:
    """Show what changed between two runs: verdicts, durations, measurements, the context.

    It also shows what is different about the runs themselves: recipe, parameters, versions.
    """
    with open_store(options) as store:
        first, second = (run_id_of(store, start, options.db) for start in (options.first, options.second))
        return compare_runs(store, first, second, options)


def compare_runs(store: Any, first: str, second: str, options: argparse.Namespace) -> Answer:
    """The answer to a comparison of two runs; `options` are those of `add_comparison`, and `json`."""
    from rack_recipes.analysis.regressions_and_baselines import stored_changes

    found: dict[str, Any] = dict(stored_changes(store, first, second))
    levels, code = _gate(store, first, second) if options.exit_code else (None, 0)
    if options.json:
        return {"runs": [first, second], **found, **({"levels": levels.to_data()} if levels else {})}, code
    told = [f"\nlevels: {levels.power}\n", *_shift_lines(levels)] if levels else []
    return "".join([*_lines([first, second], found, options.percent), *told]), code


def _shift_lines(levels: Levels) -> Iterator[str]:
    """The measurements that are at another level: whether that is worse, and the chance of it."""
    words = {True: "worse", False: "better", None: "changed"}
    for one in levels.shifts:
        yield printable(f"{words[one.worse]}: {one.in_words}, p {one.p:.2g}") + "\n"


def _gate(store: Any, first: str, second: str) -> tuple[Levels, int]:
    """The levels of two runs and the exit code; stderr names what got worse, and what a waiver covers."""
    from rack_recipes.analysis import run_changes
    from rack_recipes.analysis.regression_gate import compare_levels
    from rack_recipes.store.reading import recorded_runs

    before, after = (recorded_runs.steps(store, run_id) for run_id in (first, second))
    measured, measured_now = (recorded_runs.measurements(store, run_id) for run_id in (first, second))
    levels, waived = compare_levels(store, first, second), run_changes.waived_places(after)
    worse = [
        *_changed(run_changes.worse_steps(before, after)),
        *_changed(run_changes.worse_criteria(measured, measured_now, after)),
        *(printable(one.in_words) for one in levels.worse if (one.series.step, one.whose) not in waived),
    ]
    sys.stderr.writelines(f"worse: {what}\n" for what in worse)
    sys.stderr.writelines(f"waived: {what}\n" for what in _changed(run_changes.waived_steps(before, after)))
    if worse or {(row["step"], row["host"]) for row in before} & {(row["step"], row["host"]) for row in after}:
        return levels, 1 if worse else 0
    sys.stderr.write(f"nothing was compared: no step on a host is in both {first} and {second}\n")
    return levels, NOTHING_COMPARED


def _changed(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        name = f"{row['name']} of " if "name" in row else ""
        yield printable(f"{name}{row['step']} on {row['host'] or 'the run'}: {row['before']} -> {row['after']}")


def _lines(ids: Sequence[str], found: Mapping[str, Sequence[Row]], percent: float) -> Iterator[str]:
    from rack_recipes.cli.results.ctx import change_lines

    yield f"{ids[0]} -> {ids[1]}\n"
    yield from _run_lines(found["run"])
    yield from _verdict_lines(found["verdicts"])
    yield from _duration_lines(found["durations"], percent)
    yield from _measurement_lines(found["measurements"], percent)
    yield from _titled("context", change_lines(found["context"]))


def _run_lines(rows: Sequence[Row]) -> Iterator[str]:
    shown = ((row["field"], value_text(row["before"]), "->", value_text(row["after"])) for row in rows)
    yield from _table("the runs", ("field", "first", "", "second"), [*shown])


def _verdict_lines(rows: Sequence[Row]) -> Iterator[str]:
    shown = (
        (row.get("before", "-"), "->", row.get("after", "-"), row["step"], row["host"] or "run", row["reason"])
        for row in rows
    )
    yield from _table("verdicts", ("first", "", "second", "step", "host", "reason"), [*shown])


def _duration_lines(rows: Sequence[Row], percent: float) -> Iterator[str]:
    are_hidden = any(row["before"] != row["after"] for row in rows)
    none = f"no change of {percent:g} % and {SHORTEST:g} s or more" if are_hidden else NO_CHANGE
    shown = (
        (f"{row['before']:.3f} s", "->", f"{row['after']:.3f} s", _grown(row), row["step"], row["host"] or "run")
        for row in rows
        if _is_notable(row, percent) and _is_long(row)
    )
    yield from _table("durations", ("first", "", "second", "change", "step", "host"), [*shown], none)


def _measurement_lines(rows: Sequence[Row], percent: float) -> Iterator[str]:
    none = f"no change of {percent:g} % or more" if rows else NO_CHANGE
    shown = (
        (row["name"], *_sides(row), row["unit"], _grown(row), row["step"], row["host"] or "run")
        for row in rows
        if _is_notable(row, percent)
    )
    titles = ("name", "first", "", "second", "unit", "change", "step", "host")
    yield from _table("measurements", titles, [*shown], none)


def _sides(row: Row) -> tuple[str, str, str]:
    before, after = (value_text(row[side]) if side in row else "-" for side in ("before", "after"))
    return before, "->", after


def _is_notable(row: Row, percent: float) -> bool:
    """Whether a change is large enough; one without a percentage, such as a text or a new measurement, always is."""
    return bool(abs(row.get("percent", percent)) >= percent)


def _is_long(row: Row) -> bool:
    return bool(abs(row["after"] - row["before"]) >= SHORTEST)


def _grown(row: Row) -> str:
    return f"{row['percent']:+g} %" if "percent" in row else ""


def _table(title: str, titles: Sequence[str], rows: Sequence[Sequence[object]], none: str = NO_CHANGE) -> Iterator[str]:
    yield from _titled(title, [format_table(titles, rows, painter(sys.stdout))] if rows else [], none)


def _titled(title: str, parts: Iterator[str] | Sequence[str], none: str = NO_CHANGE) -> Iterator[str]:
    """The parts under their title, or a line that says that there are none."""
    text = "".join(parts)
    yield f"\n{title}:\n{text}" if text else f"\n{title}: {none}\n"


NO_BASELINE = "there is no baseline of {}; `rack-recipes baseline accept RUN` makes a run the baseline"
BASELINE_TITLES = ("test", "run", "accepted", "by", "counts", "note")


@takes(
    """
    [RUN]
    --note TEXT=  why it is good, such as `after the rebuild`
    --force  accept a run that did not pass, too: what failed in it is then never worse
    --db URL
    examples:
    rack-recipes baseline accept
    rack-recipes baseline accept 20261125 --note "after the rebuild"
    """
)
def accept(options: argparse.Namespace) -> Answer:
    """Make a run the baseline of its test, with which later runs are compared.

    The run is pinned, so that `prune` keeps it. A baseline counts until another run is accepted, or until it is
    withdrawn. A run that did not pass, or was interrupted, needs --force.
    """
    from rack_recipes import settings
    from rack_recipes.archive.pins_and_baselines import accept_baseline
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.run.trust.os_user import this_user
    from rack_recipes.store.reading import recorded_runs

    check_store("change", settings.load())
    with open_store(options) as store:  # reading only: this makes no store
        run = recorded_runs.run(store, run_id_of(store, options.run, options.db))
    _refuse_unfit(run, force=options.force)
    with open_store(options, writing=True) as store:
        row = accept_baseline(store, Path(settings.load().runs), run, this_user().name, options.note)
    return {"status": "ok", **row, "pinned": True}, 0


def _refuse_unfit(run: Any, *, force: bool) -> None:
    """Raise UsageError for a run that cannot be compared with, and without `force` for one that did not pass."""
    from rack_recipes.archive.pins_and_baselines import doubt, unfit

    if why := unfit(run):
        raise UsageError(why)
    if why := doubt(run):
        if not force:
            raise UsageError(f"{why}; --force accepts it all the same")
        sys.stderr.write(f"{why}\n")


@takes(
    """
    [RUN]  a run of the test, as everywhere (default: the newest run)
    --db URL
    examples:
    rack-recipes baseline withdraw
    rack-recipes baseline withdraw 20261125
    """
)
def withdraw(options: argparse.Namespace) -> Answer:
    """Withdraw the baseline of a test: no run of it is compared with one until another run is accepted.

    The runs that were baselines stay pinned; `rack-recipes pin RUN --off` lets `prune` remove them.
    """
    from rack_recipes import settings
    from rack_recipes.analysis import regressions_and_baselines
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.store.reading import recorded_runs

    check_store("change", settings.load())
    with open_store(options) as store:
        test = regressions_and_baselines.name_of_test(
            recorded_runs.run(store, run_id_of(store, options.run, options.db))
        )
    with open_store(options, writing=True) as store:
        number = regressions_and_baselines.withdraw(store, test)
    if not number:
        raise UsageError(NO_BASELINE.format(test))
    return {"status": "ok", "test_id": test, "withdrawn": number}, 0


@takes(
    """
    --db URL
    examples:
    rack-recipes baseline show
    rack-recipes baseline show --json
    """
)
def show(options: argparse.Namespace) -> Answer:
    """List all runs that were accepted as baselines, the newest first: by whom, when, why, and which of them count."""
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        found = recorded_runs.baselines(store)
    counting: dict[str, Any] = {}
    for row in found:
        if not row["withdrawn"]:
            counting.setdefault(row["test_id"], row)
    found = [{**row, "counts": row == counting.get(row["test_id"])} for row in found]
    if options.json:
        return {"baselines": found}, 0
    rows = [
        (
            row["test_id"],
            row["run_id"],
            row["accepted"],
            row["user"] or "-",
            "yes" if row["counts"] else "no",
            row["note"] or "",
        )
        for row in found
    ]
    return format_table(BASELINE_TITLES, rows) if rows else "no run was accepted as a baseline\n", 0


@takes(
    f"""
    [RUN]
{COMPARED.format(first="in the baseline", second="in the run")}
    --db URL
    examples:
    rack-recipes baseline compare
    rack-recipes baseline compare --exit-code
    """
)
def compare(options: argparse.Namespace) -> Answer:
    """Compare a run with the baseline of its test, as `diff` compares two runs.

    Without a baseline it ends with exit code 2; with --exit-code that is only a notice, unless the run's test has no
    name: then nothing can ever be compared, and it ends with 4.
    """
    from rack_recipes.analysis.regressions_and_baselines import baseline_of, name_of_test
    from rack_recipes.archive.pins_and_baselines import unfit
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run = recorded_runs.run(store, run_id)
        baseline = baseline_of(store, run)
        if baseline is not None:
            return compare_runs(store, str(baseline["run_id"]), run_id, options)
    test = name_of_test(run)
    reason = NO_BASELINE.format(test) if test else unfit(run)
    if not options.exit_code:
        raise UsageError(reason)
    told = {"status": "no baseline", "run": run_id, "reason": reason} if options.json else f"{reason}\n"
    return told, 0 if test else NOTHING_COMPARED
