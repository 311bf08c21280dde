# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that moved: whether a fault followed the part, by its serial number, or stayed with the slot.

Serial numbers are leaves of the context, and attributes of the inventory, whose names end in `serial` or
`serial_number`. A slot is a host with the path of such a leaf.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.findings import NOTE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.natural_order import natural
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.reading.several_runs import changes_of_keys
from rack_recipes.store.result import Result, planned_step

KIND = "moved"
SERIAL = re.compile(r"(.*_)?serial(_?(number|no))?", re.IGNORECASE)
LONGEST = 64  # characters of a serial number
INVENTORY = "inventory"  # the path of an attribute begins with it

METHOD = "one move compared: the runs before and after it; other changes of that day are not ruled out"


class Slot(NamedTuple):
    """Where a part is: a host, and the path of its serial number."""

    host: str
    path: str


Serials = Mapping[Slot, str]


@dataclass(frozen=True, slots=True)
class Move:
    """A part that was in another host in an earlier run, the newest one that has it elsewhere."""

    serial: str
    was: Slot
    now: Slot
    run_id: str


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """What became of faults whose host gave a part to another host since an earlier run."""
    if not history.runs:
        return
    now = {**_in_context((row["host"], row["key"], row["value"]) for row in run.context), **_said(run.attributes)}
    if not now:
        return
    keys = {row["key"] for row in run.context if row["host"] and any(_serials(row["key"], row["value"]))}
    together: dict[tuple[str, str, str], list[Move]] = defaultdict(list)
    for move in _moves(now, history, keys):
        together[move.run_id, move.was.host, move.now.host].append(move)
    failing = _verdicts(run.steps)
    for (run_id, was, at), moves in together.items():
        before = _verdicts(several_runs.results_on(history.engine, [run_id], {was, at}))
        yield from _judged(moves, before, failing)


# Where the parts are.


def _in_context(changes: Iterable[tuple[str, str, object]]) -> dict[Slot, str]:
    """The serial numbers in values of keys: host, key, value; a later change of the same key replaces the earlier."""
    newest = {(host, key): value for host, key, value in changes if host}
    return {Slot(host, path): serial for (host, key), value in newest.items() for path, serial in _serials(key, value)}


def _serials(path: str, value: object) -> Iterator[tuple[str, str]]:
    """The paths and texts of all leaves with the name of a serial number."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value, 1)
    for name, item in items:
        if isinstance(item, dict | list):
            yield from _serials(f"{path}.{name}", item)
        elif isinstance(item, str) and 0 < len(item) <= LONGEST and SERIAL.fullmatch(str(name)):
            yield f"{path}.{name}", item


def _said(attributes: Mapping[str, Mapping[str, object]]) -> dict[Slot, str]:
    return {
        Slot(host, path): serial for host, own in attributes.items() for path, serial in _serials(INVENTORY, dict(own))
    }


def _moves(now: Serials, history: History, keys: Iterable[str]) -> list[Move]:
    """The parts that are in another host than in an earlier run. A serial number in two places is no part's."""
    places = _unique(now)
    found: dict[str, Move] = {}
    for row in reversed(history.runs):
        for serial, was in _unique(_earlier(history, row["run_id"], keys)).items():
            slot = places.get(serial)
            if slot and serial not in found and slot.host != was.host:
                found[serial] = Move(serial, was, slot, row["run_id"])
    return sorted(found.values(), key=lambda move: (natural(move.was.host), move.was.path))


def _unique(serials: Serials) -> dict[str, Slot]:
    found: dict[str, list[Slot]] = defaultdict(list)
    for slot, serial in serials.items():
        found[serial].append(slot)
    return {serial: slots[0] for serial, slots in found.items() if len({slot.host for slot in slots}) == 1}


def _earlier(history: History, run_id: str, keys: Iterable[str]) -> Serials:
    changes = changes_of_keys(history.engine, run_id, [*keys])
    found = _in_context((host, key, json.loads(after)) for host, key, after in changes)
    return {**found, **_said(recorded_runs.attributes(history.engine, run_id))}


# What became of the faults.

Verdicts = Mapping[tuple[str, str], bool]  # by host and planned step, whether it failed
Ends = tuple[bool | None, bool | None]  # whether a step fails now where the part was, and where it is


def _verdicts(rows: Iterable[Result]) -> Verdicts:
    """Whether each step failed on each host, where it was tried; one failing instance is enough."""
    found: dict[tuple[str, str], bool] = {}
    for row in rows:
        if row["verdict"] not in NOT_TRIED:
            place = (row["host"], planned_step(row))
            found[place] = found.get(place, False) or row["verdict"] not in PASSING
    return found


def _judged(moves: Sequence[Move], before: Verdicts, now: Verdicts) -> Iterator[Finding]:
    """What became of the steps that failed, before these parts moved together, only where they were then."""
    was, at = moves[0].was.host, moves[0].now.host
    by_ends: dict[Ends, list[str]] = defaultdict(list)
    for step in dict.fromkeys(step for _host, step in now):  # in the order of the recipe
        if before.get((was, step)) and before.get((at, step)) is False:
            by_ends[now.get((was, step)), now.get((at, step))].append(step)
    yield from (_finding(moves, steps, ends) for ends, steps in by_ends.items() if ends in JUDGEMENTS)


# The grade, the title and the advice.
JUDGEMENTS: Mapping[Ends, tuple[str, str, str]] = {
    (False, True): (
        PROBLEM,
        "{step}: the fault followed the part with serial number {serial} from {was} to {now}",
        "Replace the part {serial} ({path}), which is in {now}.",
    ),
    (True, False): (
        PROBLEM,
        "{step}: the fault stayed with {was}; the part with serial number {serial} is in {now} now, which passes",
        "Leave the part alone. Look at what stayed in {was}: the slot, the cable, the port, the settings.",
    ),
    (False, False): (
        NOTE,
        "{step}: the fault is gone since the part with serial number {serial} moved from {was} to {now}",
        "Watch both: to seat a part anew, or its cable, can be all that was missing.",
    ),
}


def _finding(moves: Sequence[Move], steps: Sequence[str], ends: Ends) -> Finding:
    grade, title, advice = JUDGEMENTS[ends]
    first = moves[0]
    was, at = first.was.host, first.now.host
    more = f" and {len(moves) - 1} more" if len(moves) > 1 else ""
    words = {
        "step": " and ".join((steps[0], *([f"{len(steps) - 1} more steps"] if len(steps) > 1 else []))),
        "serial": f"{first.serial}{more}", "was": was, "now": at, "path": first.now.path,
    }  # fmt: skip
    hosts = (was, at) if ends[0] else (at, was)
    results = tuple(ResultId(host, step) for host in hosts for step in steps)
    figures = {"parts": {move.serial: [*move.was, *move.now] for move in moves}, "before": first.run_id}
    about = {"host": hosts[0], "step": steps[0], "name": first.now.path, "value": first.serial}
    return Finding(
        KIND, grade, title.format(**words), results, advice.format(**words), figures, about, METHOD,
        explains=len(steps) if grade == PROBLEM else 0,
    )  # fmt: skip
