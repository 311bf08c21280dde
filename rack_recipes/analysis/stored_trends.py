# SPDX-License-Identifier: GPL-3.0-or-later

"""A measurement, or a number inside of the context, over the last runs of a test: for `trend` and for pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED
from rack_recipes.analysis import hosts_beside_twins
from rack_recipes.analysis.findings import SHOWN, format_amount, format_count, format_percent
from rack_recipes.analysis.history import History
from rack_recipes.analysis.measured_and_derived_values import limits_in_words
from rack_recipes.analysis.methods.change_points_and_trends import find_crossing
from rack_recipes.analysis.missing_results_and_values import RUN
from rack_recipes.analysis.run_data import Row, RunData, Twins, add_numbers
from rack_recipes.analysis.values_over_runs import (
    FIRST_DAY,
    KnownLimits,
    OverRuns,
    SeriesValues,
    find_level_changes,
    trend_of,
    values_by_run,
)
from rack_recipes.errors import MOST_NAMED, UsageError, nearest
from rack_recipes.natural_order import natural
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.reading.earlier_runs import counts, earlier_runs, is_same_test

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.analysis.hosts_beside_twins import Move
    from rack_recipes.analysis.methods.change_points_and_trends import ChangePoint

Told = dict[str, Any]


def stored_trends(
    store: Engine, key: str, host: str = "", step: str = "", last: int = 20, run_id: str = ""
) -> tuple[str, list[Told]]:
    """The id of the last run, and for each series of the `key` its values, limits, changes of level and trend.

    Also what its hosts do beside their twins. Only what `host` and `step` have, where these are named. `last` is how
    many runs, with `run_id` or the newest that has the key among them. Raises UsageError where there are no such
    numbers.
    """
    history = _history_of(store, key, step, last, run_id)
    wanted = [one for one in history.series if is_wanted(one, key, step)]
    twins = Twins(history.run.attributes)
    moves = hosts_beside_twins.find_moves(hosts_beside_twins.peers_of(wanted, twins), twins)
    copies = _copies(history, () if run_id else _newer(history.run))
    ids = [run["run_id"] for run in (*history.runs, history.run.run)]
    bad = [recorded_runs.measurements(store, each, only_bad=True, name=key, step=step or None) for each in ids]
    return ids[-1], [_told(one, history, moves, copies, bad) for one in _over_runs(history, key, host, wanted)]


def check_key(store: Engine, key: str) -> None:
    """Raise UsageError where no run has numbers of this `key`, with what the newest run has measured.

    For those who may see all runs: it names measurements.
    """
    if key and several_runs.newest_with(store, key):
        return
    newest = recorded_runs.newest(store)
    names = sorted({row["name"] for row in several_runs.measurements_by_name(store, [newest] if newest else [])})
    told = f"no run in the store has a measurement or a key {key!r}" if key else "a trend of what"
    if near := nearest(key, names):
        raise UsageError(f"{told} (did you mean {near!r}?)")
    raise UsageError(f"{told}; the newest run has measured {first_few(names, MOST_NAMED)}" if names else told)


def _newer(run: RunData) -> list[Row]:
    """The runs of the test after this one: they have no such numbers, or have used those of an earlier run again."""
    started = run.run["started"] or ""
    return [one for one in run.runs if (one["started"] or "") > started and is_same_test(one, run.run) and counts(one)]


def _copies(history: History, newer: Sequence[Row]) -> Mapping[int, frozenset[tuple[str, str]]]:
    """By the place of a run the host and the step, or key, of what it used again of an earlier run."""
    places = {run["run_id"]: place for place, run in enumerate((*history.runs, history.run.run, *newer))}
    return {
        places[run_id]: several_runs.copied_results(history.engine, run_id)
        | {(host, key) for host, key, _step in several_runs.copied_keys(history.engine, run_id)}
        for run_id in several_runs.with_copies(history.engine, places)
    }


def _history_of(store: Engine, key: str, step: str, last: int, run_id: str) -> History:
    """The history up to the run that was asked for, or to the newest that has the key."""
    found = run_id or several_runs.newest_with(store, key)
    if found is None:
        raise UsageError(f"no run in the store has a measurement or a key {key!r}")
    return History(store, _run_data(store, found, key, step or None), last - 1)


def _run_data(store: Engine, run_id: str, key: str | None = None, step: str | None = None) -> RunData:
    """What a trend needs of a run: not its results, and only the numbers of this key and step."""
    return RunData(
        run=recorded_runs.run(store, run_id),
        measurements=recorded_runs.measurements(store, run_id, name=key, step=step),
        context=add_numbers(recorded_runs.context(store, run_id, path=key)),
        runs=recorded_runs.runs(store),
        attributes=recorded_runs.attributes(store, run_id),
    )


def _over_runs(history: History, key: str, host: str, wanted: Sequence[SeriesValues]) -> Sequence[OverRuns]:
    """The series of the wanted host, or of all. Raises UsageError where the run has none."""
    of_hosts = [one for one in map(_of_host, wanted, [host] * len(wanted)) if len(one.hosts)]
    found = [*values_by_run(of_hosts, [*history.runs, history.run.run], history.run.attributes, 1)]
    if not found:
        run_id = history.run.run["run_id"]
        if of_hosts:
            raise UsageError(f"run {run_id} has measured no {key!r} itself: it used results of earlier runs again")
        if others := sorted({name for one in wanted for name in one.hosts if name}, key=natural):
            near = nearest(host, others)
            known = f" (did you mean {near!r}?)" if near else f", only of {first_few(others, MOST_NAMED)}"
            raise UsageError(f"run {run_id} has no {key!r} of host {host!r}{known}")
        raise UsageError(f"run {run_id} has no such numbers for {key!r}{_hint(history.engine, run_id, key)}")
    return found


def _hint(store: Engine, run_id: str, key: str) -> str:
    """The name of a number that was perhaps meant."""
    names = sorted({one.series.name for one in History(store, _run_data(store, run_id), 0).series})
    near = "" if key in names else nearest(key, names)
    return f" (did you mean {near!r}?)" if near else ""


def is_wanted(one: SeriesValues, key: str, step: str) -> bool:
    """Whether a series is that of a measurement or key, or inside of this key, and of the step where one is named."""
    name = one.series.name
    return (name == key or name.startswith((f"{key}.", f"{key}["))) and step in ("", one.series.step)


def _of_host(one: SeriesValues, host: str) -> SeriesValues:
    """The series of one host; of all hosts where none is named."""
    if not host:
        return one
    places = [place for place, name in enumerate(one.hosts) if name == host]
    return SeriesValues(one.series, [one.hosts[place] for place in places], one.values[places])


def _told(
    one: OverRuns,
    history: History,
    moves: Sequence[Move],
    copies: Mapping[int, frozenset[tuple[str, str]]],
    bad: Sequence[Sequence[Row]],
) -> Told:
    """What is told of one series, as plain values.

    `of_runs` is how many runs of the test there are up to this one. `copies` are the runs without a value because they
    used an earlier result again. `limits` are the strictest of these hosts, `limits_of_hosts` has the least and the
    greatest allowed value of each, where they differ. `beyond` has the hosts whose value in the last run, or in that of
    a value, breaks the limit that it had there. `bad` are the measurements of each run that did not hold.
    """
    run_data, run = history.run, history.run.run
    runs = [*history.runs, run]
    changes = find_level_changes([one]).get(one.key, ())
    hosts = {*one.hosts}
    known = KnownLimits(row for row in run_data.measurements if row["host"] in hosts)
    limits, each = known.of(one.series), known.each_of(one.series)
    ends = [end for end in (limits.low, limits.high) if end is not None]
    own = [move for move in moves if move.peers.series == one.series and hosts & {*move.hosts}]
    return {
        "step": one.series.step,
        "name": one.series.name,
        "number": one.series.number,
        "unit": one.series.unit,
        "hosts": [*one.hosts],
        "whose": one.whose,
        "limits": ends,
        "limits_of_hosts": [[*pair] for pair in sorted(each, key=str)] if len(each) > 1 else [],
        "runs": len(runs),
        "of_runs": len(earlier_runs(run, run_data.runs, len(run_data.runs))) + 1,
        "values": [
            {
                **{name: runs[place][name] for name in ("run_id", "started")},
                "value": value,
                "beyond": _beyond(one, bad[place]),
            }
            for place, value in zip(one.places, one.values.tolist(), strict=True)
        ],
        "copies": sum(
            place not in one.places and any((host, one.series.step or one.series.key) in own for host in one.hosts)
            for place, own in copies.items()
        ),
        "beyond": _beyond(one, bad[-1]),
        "changes": [_change(change, one, runs) for change in changes],
        "trend": _trend(one, changes, ends),
        "beside_twins": [hosts_beside_twins.in_words(move, runs) for move in own],
    }


def _beyond(one: OverRuns, bad: Sequence[Row]) -> Told:
    """By host the values of a run that break their limits."""
    rows = [row for row in bad if row["verdict"] == FAILED and row["host"] in {*one.hosts}]
    return {
        row["host"]: {"value": row["value"], "limits": limits_in_words(row["limits"])}
        for row in rows
        if (row["step"], row["name"], row["unit"] or "") == one.series[:3]
    }


def _change(change: ChangePoint, one: OverRuns, runs: Sequence[Mapping[str, object]]) -> Told:
    run = runs[one.places[change.place]]
    levels = {"before": change.before, "after": change.after, "p": change.p}
    return {"since": run["run_id"], "started": run["started"], **levels, "runs": len(one.values) - change.place}


def _trend(one: OverRuns, changes: Sequence[ChangePoint], ends: Sequence[float]) -> Told | None:
    """The trend since the last change of level, in units a day and a run; None where nothing can be told."""
    found = trend_of(one, changes)
    if found is None:
        return None
    runs, days = int((one.days >= found.first).sum()), found.last - found.first
    told = {"slope": found.slope, "low": found.low, "high": found.high, "p": found.p, "why_not": found.why_not}
    told |= {"slope_a_run": found.shift / max(runs - 1, 1), "runs": runs, "days": days}
    reached = [(when, end) for end in ends if (when := find_crossing(found, end))]
    if not reached or days < 1:  # runs within a day say nothing of days
        return told
    when, end = min(reached, key=lambda each: each[0].time)
    times = {"time": when.time, "earliest": when.earliest, "latest": when.latest}
    dates = {name: day and f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for name, day in times.items()}
    return {**told, "reaches": end, **dates}


def limits_told(told: Told) -> str:
    """The limits of a series: `limit 3 to 9`, or how far those of its hosts are apart; empty where there are none."""
    if not told["limits_of_hosts"]:
        return f"limit {' to '.join(f'{end:g}' for end in told['limits'])}" if told["limits"] else ""
    ends = zip(("min", "max"), zip(*told["limits_of_hosts"], strict=True), strict=True)
    spans = [(word, sorted({end for end in own if end is not None})) for word, own in ends]
    words = (
        f"{word} {' to '.join(f'{end:g}' for end in dict.fromkeys((own[0], own[-1])))}" for word, own in spans if own
    )
    return f"limits that differ by host: {', '.join(words)}"


def told_in_words(told: Told) -> list[str]:
    """What a series says, in sentences.

    Runs without a value of their own, values beyond a limit, each change of level, the trend since the last, hosts
    beside their twins.
    """
    changes = [_change_in_words(told, change) for change in told["changes"]]
    return [*_copies_in_words(told), *_beyond_in_words(told), *changes, _trend_in_words(told), *told["beside_twins"]]


def _copies_in_words(told: Told) -> Iterator[str]:
    if number := told["copies"]:
        yield f"{format_count(number, 'run')} used an earlier result again and measured nothing anew: not counted"


def _beyond_in_words(told: Told) -> Iterator[str]:
    hosts = [
        f"{host or RUN}: {format_amount(found['value'], told['unit'])} ({found['limits']})"
        for host, found in told["beyond"].items()
    ]
    if hosts:
        of = f"{len(hosts)} of {len(told['hosts'])} hosts: " if len(told["hosts"]) > 1 else ""
        yield f"beyond the limit in the last run: {of}{first_few(hosts, SHOWN)}"


def _change_in_words(told: Told, change: Told) -> str:
    before, after = (format_amount(change[name], told["unit"]) for name in ("before", "after"))
    percent = format_percent(change["before"], change["after"])
    when = f"run {change['since']} ({(change['started'] or '')[:10]}, {format_count(change['runs'], 'run')} since)"
    return f"went from {before} to {after}{percent} in {when}"


def _trend_in_words(told: Told) -> str:
    found, unit = told["trend"], told["unit"]
    since = " since then" if told["changes"] else ""
    if found is None or found["why_not"]:
        return f"no trend{since}: {found['why_not'] if found else 'fewer than two times'}"
    slope = f"{found['slope_a_run']:+.3g} {unit} a run over {format_count(found['runs'], 'run')}{since}"
    if found["days"] >= 1:  # runs within a day say nothing of days
        slope += f", {found['slope']:+.3g} {unit} a day ({found['low']:+.3g} to {found['high']:+.3g}, 95 %)"
    if "reaches" not in found:
        return slope
    span = f"{found['earliest']} to {found['latest'] or 'later than can be told'}"
    strictest = ", the strictest limit," if told["limits_of_hosts"] else ""
    return f"{slope}; reaches {found['reaches']:g}{strictest} on {found['time']} ({span}, 90 %)"
