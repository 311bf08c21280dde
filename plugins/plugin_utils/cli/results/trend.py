# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command trend."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.archive.ages_and_sizes import number
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import add_db, examples

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.history import History
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.change_points import ChangePoint
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.series_over_runs import OverRuns
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.value_series import SeriesValues

TITLES = ("run", "started", "value", "")
NO_TREND = "no trend"
Told = dict[str, Any]


def add_trend(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("key", metavar="KEY", help="a measurement's name, or a number's path in the context")
    command.add_argument(
        "--host", metavar="HOST", default="", help="only this host (default: the median of each class)"
    )
    command.add_argument("--step", metavar="NAME", default="", help="only what this step has measured")
    command.add_argument(
        "--last", metavar="N", type=number, default=20, help="the last N runs that have it (default: 20)"
    )
    command.add_argument("--run", metavar="RUN", default="", help="up to this run (default: the newest that has it)")
    add_db(command)
    examples(
        command,
        "rack-recipes trend latency --step ping",
        "rack-recipes trend numbers.stats_v1.mean --host r1 --last 50",
    )


def trend(options: argparse.Namespace) -> Answer:
    """Show a measurement, or a number inside of the context, over the last runs of a test.

    Hosts of one class (attribute `class`, or `model` and `role`) are shown by their median. Where there are fewer than
    four, each host is shown. Below the values stand changes of level, the slope with its 95 % interval, the limit and
    when the slope leads to it; with fewer than ten runs neither changes nor a trend are told.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.results.open_store import opened

    with opened(options) as store:
        history = _history(store, options)
        told = [_told(one, history) for one in _over_runs(history, options)]
    if options.json:
        return {"key": options.key, "run_id": history.run.run["run_id"], "series": told}, 0
    return "\n".join("".join(_lines(one)) for one in told), 0


def _history(store: Engine, options: argparse.Namespace) -> History:
    """The history up to the run that was asked for, or to the newest that has the key."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.history import History
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.results.open_store import run_id_of
    from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
    from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import values_of_runs

    found = run_id_of(store, options.run, options.db) if options.run else values_of_runs.newest_with(store, options.key)
    if found is None:
        raise UsageError(f"no run in the store has a measurement or a key {options.key!r}")
    return History(store, _run_data(store, found), options.last - 1)


def _run_data(store: Engine, run_id: str) -> RunData:
    """What a trend needs of a run: not its results."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData, with_numbers
    from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import queries

    return RunData(
        run=queries.run(store, run_id),
        measurements=queries.measurements(store, run_id),
        context=with_numbers(queries.context(store, run_id)),
        runs=queries.runs(store),
        attributes=queries.attributes(store, run_id),
    )


def _over_runs(history: History, options: argparse.Namespace) -> Sequence[OverRuns]:
    """The series that were asked for. Raises UsageError where the run has none."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.series_over_runs import over_runs
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.argument_parser import hint
    from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError

    wanted = [one for one in history.series if _is_wanted(one, options)]
    of_hosts = [one for one in map(_of_host, wanted, [options.host] * len(wanted)) if len(one.hosts)]
    found = [*over_runs(of_hosts, [*history.runs, history.run.run], history.run.attributes, 1)]
    if not found:
        names = sorted({one.series.name for one in history.series})
        near = "" if options.key in names else hint(options.key, names)
        raise UsageError(f"run {history.run.run['run_id']} has no such numbers for {options.key!r}{near}")
    return found


def _is_wanted(one: SeriesValues, options: argparse.Namespace) -> bool:
    name, key = one.series.name, options.key
    return (name == key or name.startswith((f"{key}.", f"{key}["))) and options.step in ("", one.series.step)


def _of_host(one: SeriesValues, host: str) -> SeriesValues:
    """The series of one host; of all hosts where none is named."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.value_series import SeriesValues

    if not host:
        return one
    places = [place for place, name in enumerate(one.hosts) if name == host]
    return SeriesValues(one.series, [one.hosts[place] for place in places], one.values[places])


def _told(one: OverRuns, history: History) -> Told:
    """What is told of one series, as plain values."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.series_over_runs import level_changes

    runs = [*history.runs, history.run.run]
    changes = level_changes([one]).get(one.key, ())
    limits = history.limits.of(one.series)
    ends = [end for end in (limits.low, limits.high) if end is not None]
    values = zip(one.places, one.values.tolist(), strict=True)
    return {
        "step": one.series.step,
        "name": one.series.name,
        "number": one.series.number,
        "unit": one.series.unit,
        "hosts": [*one.hosts],
        "whose": one.whose,
        "limits": ends,
        "values": [
            {"run_id": runs[place]["run_id"], "started": runs[place]["started"], "value": value}
            for place, value in values
        ],
        "changes": [_change(change, one, runs) for change in changes],
        "trend": _trend(one, changes, ends),
    }


def _change(change: ChangePoint, one: OverRuns, runs: Sequence[Mapping[str, Any]]) -> Told:
    since = runs[one.places[change.place]]["run_id"]
    return {"since": since, "before": change.before, "after": change.after, "p": change.p}


def _trend(one: OverRuns, changes: Sequence[ChangePoint], ends: Sequence[float]) -> Told | None:
    """The trend since the last change of level, in units a day; None where nothing can be told."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.trends import crossing
    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.series_over_runs import FIRST_DAY, trend_of

    found = trend_of(one, changes)
    if found is None:
        return None
    told = {"slope": found.slope, "low": found.low, "high": found.high, "p": found.p, "why_not": found.why_not}
    reached = [(when, end) for end in ends if (when := crossing(found, end))]
    if not reached:
        return told
    when, end = min(reached, key=lambda each: each[0].time)
    days = {"time": when.time, "earliest": when.earliest, "latest": when.latest}
    dates = {name: day and f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for name, day in days.items()}
    return {**told, "reaches": end, **dates}


def _lines(told: Told) -> Iterator[str]:
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.terminal.text_table import printable, to_text

    number = f" (number {told['number']})" if told["number"] > 1 else ""
    of = f" of {told['step']}" if told["step"] else ""
    limits = f", limit {' to '.join(f'{end:g}' for end in told['limits'])}" if told["limits"] else ""
    yield printable(f"{told['name']}{number}{of}, {told['whose']}{limits}") + "\n"
    changes = {change["since"]: change for change in told["changes"]}
    rows = [
        (one["run_id"], one["started"], f"{one['value']:g} {told['unit']}".rstrip(), _mark(changes.get(one["run_id"])))
        for one in told["values"]
    ]
    yield to_text(TITLES, rows)
    yield _trend_line(told["trend"], told["unit"])


def _mark(change: Told | None) -> str:
    return f"level {change['before']:g} -> {change['after']:g} (p {change['p']:.2g})" if change else ""


def _trend_line(found: Told | None, unit: str) -> str:
    if found is None:
        return f"{NO_TREND}: fewer than two times\n"
    if found["why_not"]:
        return f"{NO_TREND}: {found['why_not']}\n"
    slope = f"{found['slope']:+.3g} {unit} a day ({found['low']:+.3g} to {found['high']:+.3g}, 95 %)"
    if "reaches" not in found:
        return f"{slope}\n"
    latest = found["latest"] or "later than can be told"
    return f"{slope}; reaches {found['reaches']:g} on {found['time']} ({found['earliest']} to {latest}, 90 %)\n"
