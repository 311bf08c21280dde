# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands ctx show, ctx history, ctx diff and ctx export."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.argument_parser import hint
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import MOST_NAMED, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

RUN = "run"  # shown instead of a host for keys of the run itself

Row = Mapping[str, Any]


@takes(
    """
    [RUN]
    --at SEQ  as it was after this change, a number of `ctx history`, or 0 for the start (default: the last)
    --host HOST  only what this host sees: its own keys, and those of the run
    --db URL
    examples:
    rack-recipes ctx show
    rack-recipes ctx show 20261125-1444 --at 12
    rack-recipes ctx show --host leaf1 --json > context.json
    rack-recipes debug rack.recipes.numbers_median --arg src=data/numbers.csv --context context.json
    """,
    at=int,
)
def show(options: argparse.Namespace) -> Answer:
    """Show the keys of a run with their values, as they were at its end or after any change.

    With --host and --json the object's `values` can be given to `debug --context`.
    """
    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        entries = _entries(store, run_id, options.at)
        _check_host(options.host, store, run_id)
        told = _not_here(store, run_id)
    if options.host is not None:
        entries = [entry for entry in entries if entry["host"] in ("", options.host)]
    if options.json:
        seen = {"values": _values(entries)} if options.host is not None else {}
        return {"run_id": run_id, "at": options.at, **seen, "context": entries}, 0
    rows = (
        (one["key"], one["host"] or RUN, one["version"], one["seq"], one["who"], _written(one["value"]))
        for one in entries
    )
    return format_table(("key", "host", "version", "seq", "set by", "value"), rows) + (f"{told}\n" if told else ""), 0


@takes(
    """
    KEY  the key, such as numbers.stats_v1
    [RUN]
    --host HOST  only the changes that belong to this host; `run` for those of the run
    --db URL
    examples:
    rack-recipes ctx history numbers.stats_v1
    rack-recipes ctx history mode_v1 20261125 --host leaf1
    """
)
def history(options: argparse.Namespace) -> Answer:
    """Show each change of a key: when, by which step and try of which host, from what to what.

    The times are those of the hosts, in UTC; `clock` is by how many seconds a host's clock was ahead of the
    controller's.
    """
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        changes = recorded_runs.history(store, run_id, options.key, _place(options.host))
        if not changes:
            of = "" if options.host is None else f" of {options.host}"
            told = _elsewhere(options.key, recorded_runs.context(store, run_id)) or _not_here(store, run_id, "; ")
            raise UsageError(f"run {run_id} has no key {options.key!r}{of}{told}")
    if options.json:
        return {"run_id": run_id, "key": options.key, "changes": changes}, 0
    rows = (
        (
            one["seq"],
            one["time"],
            _clock(one["clock_offset"]),
            one["host"] or RUN,
            one["who"],
            one["step"],
            one["attempt"],
            _before(one),
            "->",
            _written(one["after"]),
        )
        for one in changes
    )
    return format_table(("seq", "time", "clock", "host", "set by", "step", "try", "before", "", "after"), rows), 0


@takes(
    """
    RUN as first
    RUN as second
    --host HOST  only the keys of this host; `run` for those of the run
    --db URL
    examples:
    rack-recipes ctx diff 20261124-09 20261125-14
    """
)
def diff(options: argparse.Namespace) -> Answer:
    """Show the keys in which two runs ended differently, field by field."""
    from rack_recipes.analysis.run_changes import context_changes
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        ids = [run_id_of(store, options.first, options.db), run_id_of(store, options.second, options.db)]
        first, second = (recorded_runs.context(store, run_id) for run_id in ids)
        _check_host(options.host, store, *ids)
    found = context_changes(first, second)
    if options.host is not None:
        found = [change for change in found if change["host"] == _place(options.host)]
    if options.json:
        return {"runs": ids, "context": found}, 0
    return "".join(change_lines(found)) or f"{ids[0]} and {ids[1]} ended with the same context\n", 0


@takes(
    """
    [RUN]
    --at SEQ  as it was after this change, a number of `ctx history`, or 0 for the start (default: the last)
    --db URL
    examples:
    rack-recipes ctx export > before.json
    rack-recipes ctx export 20261125-1444 --at 12 > before.json
    rack-recipes run recipes/compare.yml --context before.json
    """,
    at=int,
)
def export(options: argparse.Namespace) -> Answer:
    """Print the context of a run as JSON, which `run --context` starts with: the run's own keys, and those of hosts."""
    from rack_recipes.context.initial_context_file import to_data

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        entries = _entries(store, run_id, options.at)
    return to_data(run_id, options.at, entries), 0


def _entries(store: Engine, run_id: str, seq: int | None) -> list[dict[str, Any]]:
    """The run's keys after the change `seq`. Raises UsageError where the run has no such change."""
    from rack_recipes.store.reading import recorded_runs

    changes = recorded_runs.history(store, run_id)
    last = max((change["seq"] for change in changes), default=0)
    if seq is not None and not 0 <= seq <= last:
        raise UsageError(f"--at {seq}: expected a number from 0 to {last}, the changes of run {run_id}")
    return state_at(changes, seq)


def state_at(changes: Sequence[Row], seq: int | None) -> list[dict[str, Any]]:
    """The last change of each key, with its `value`, among those up to number `seq`, or among all for None."""
    from rack_recipes.store.reading.reading_order import by_names

    last = {(one["key"], one["host"]): one for one in changes if seq is None or one["seq"] <= seq}
    left_out = {"before", "after", "run_id"}
    return [
        {**{name: part for name, part in one.items() if name not in left_out}, "value": one["after"]}
        for one in by_names([*last.values()], "key", "host")
    ]


def change_lines(found: Sequence[Row]) -> Iterator[str]:
    """The changed fields as a table; nothing if there are none."""
    if found:
        rows = ((one["key"], one["host"] or RUN, one["field"], *_sides(one)) for one in found)
        yield format_table(("key", "host", "field", "first", "second"), rows)


def _sides(change: Row) -> tuple[str, str]:
    first, second = (_written(change[side]) if side in change else "-" for side in ("before", "after"))
    return first, second


def _place(host: str | None) -> str | None:
    return "" if host == RUN else host


def _elsewhere(key: str, entries: Sequence[Row]) -> str:
    """A hint for a key that was not found: the hosts that have it, or a similar key."""
    places = [entry["host"] or RUN for entry in entries if entry["key"] == key]
    if places:
        return f"; it is a key of {first_few(places, MOST_NAMED)}"
    return hint(key, sorted({one["key"] for one in entries}))


def _not_here(store: Engine, run_id: str, before: str = "") -> str:
    """What is said of a run whose recipe or settings keep only some of its keys in the store."""
    from rack_recipes.context.persisted_keys import elsewhere
    from rack_recipes.store.reading import recorded_runs

    told = elsewhere(recorded_runs.run(store, run_id)["options"])
    return f"{before}{told}" if told else ""


def _check_host(host: str | None, store: Engine, *run_ids: str) -> None:
    """Raise UsageError for a host that none of the runs had. A host without keys is fine: it sees those of the run."""
    from rack_recipes.natural_order import natural_places
    from rack_recipes.store.reading import recorded_runs

    if host in (None, RUN):
        return
    hosts = [RUN, *natural_places(name for run_id in run_ids for name in recorded_runs.hosts(store, run_id))]
    if host not in hosts:
        runs = "run " + " and ".join(dict.fromkeys(run_ids))
        raise UsageError(
            f"there is no host {host!r} in {runs}{hint(host, hosts)}; there are {first_few(hosts, MOST_NAMED)}"
        )


def _values(entries: Sequence[Row]) -> dict[str, Any]:
    """The value of each key; a host's own key wins over that of the run."""
    return {entry["key"]: entry["value"] for entry in sorted(entries, key=lambda entry: bool(entry["host"]))}


def _before(change: Row) -> str:
    return "" if change["version"] == 1 else _written(change["before"])


def _clock(offset: float | None) -> str:
    """By how much a clock is ahead; empty if that is not known."""
    return "" if offset is None else f"{offset:+.3f} s"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
