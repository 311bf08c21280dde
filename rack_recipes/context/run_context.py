# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of one run in memory: the newest value of each key, folded from the journal.

A step with a refused write ends as an error, whatever the record of its host says.

The same journal gives the same context wherever it is folded. The merge policies that decide on conflicts are in its
`run` record, and the values that merge hooks made are in its `merge` records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from sys import intern
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    LARGEST_VALUE,
    mark_if_long,
    shortened,
)
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.context.context_model import (
    KEPT,
    MERGED,
    REFUSED,
    Delta,
    EarlierValues,
    HeldValue,
    HostKey,
    KnownVersion,
    WriterVersions,
)
from rack_recipes.context.merge_policies import ABSENT, DEEP_MERGE, FAIL, MergePolicies, deep_merge, from_record
from rack_recipes.journal.reader import Handlers
from rack_recipes.journal.record_fields import Record, json_text
from rack_recipes.journal.step_results_and_end_status import Cell, CountedRecords, Results, cell_of


class RefusedWrites:
    """The reasons of steps with refused writes. `optional` names the steps whose failure blocks no other step."""

    __slots__ = ("_reasons", "optional")

    def __init__(self) -> None:
        self._reasons: dict[Cell, str] = {}
        self.optional: frozenset[str] = frozenset()

    def add(self, host: str, step: str, reason: str) -> None:
        """Note that a write of a step was refused. The reason of the first one is kept."""
        self._reasons.setdefault(Cell(step, host), reason)

    def final_record(self, record: Record) -> Record:
        """The record that counts for a step: the host's own, or a final one that makes it an error for this reason."""
        if not self._reasons or record.get("final") is True:
            return record
        reason = self._reasons.get(cell_of(record))
        if reason is None:
            return record
        parent = record.get("parent")
        if isinstance(parent, str):
            self.add(record["host"], parent, f"{record['step']} error: {reason}")
        final = {**record, "n": 0, "final": True, "verdict": "error", "reason": reason + _own_outcome(record)}
        if record["step"] not in self.optional and not parent:
            final["blocks"] = True
        return final


def _own_outcome(record: Record) -> str:
    """The verdict and reason of the host's own record, empty where it passed."""
    outcome = "" if record["verdict"] in PASSING else f"{record['verdict']}: {record.get('reason', '')}".rstrip(": ")
    return f"; it ended as {outcome}" if outcome else ""


RUN = ""  # stands for a host where keys of the run are held


class Conflict(NamedTuple):
    """How a conflict of two writes was decided; the fields are those of a Delta."""

    policy: str
    outcome: str
    other: str | None = None
    both: tuple[str, ...] = ()
    base: str | None = None


class Context:
    """The newest value of each key, as JSON text. Earlier values are in the journal and in the store.

    `run_id` is from the run's first record. `seq` counts the changes so far, refused writes included. `refusals` has
    the steps whose writes were refused.
    """

    __slots__ = ("_changed", "_earlier", "_held", "_hosts", "_policies", "_writers", "refusals", "run_id", "seq")

    def __init__(self, run_id: str = "") -> None:
        self.run_id = run_id
        self.seq = 0
        self.refusals = RefusedWrites()
        self._held: dict[str, dict[str, HeldValue]] = {RUN: {}}
        self._hosts: dict[str, None] = {}
        self._changed: set[str] = set()
        self._policies = MergePolicies()
        self._writers = WriterVersions()
        self._earlier = EarlierValues()

    def fold(self, record: Record) -> tuple[Delta, ...]:
        """Apply one record of the journal. Records have to come in its order. Returns the changes that it made."""
        fold = _FOLDS.get(record["kind"])
        return fold(self, record) if fold else ()

    def get(self, key: str, host: str = RUN) -> Any:
        """The value for a host: its own, or else the run's. Raises KeyError where neither is set."""
        entry = self.entry(key, host) or self.entry(key)
        if entry is None:
            raise KeyError(key)
        return json.loads(entry.text)

    def entry(self, key: str, host: str = RUN) -> HeldValue | None:
        """What is held under the key of exactly this host, or of the run; None where nothing was set."""
        return self._held.get(host, {}).get(key)

    def values(self, key: str) -> dict[str, Any]:
        """The value under the key of each host that has one of its own."""
        held = ((host, self.entry(key, host)) for host in self.hosts())
        return {host: json.loads(entry.text) for host, entry in held if entry}

    def held(self, host: str = RUN, keys: Collection[str] | None = None) -> dict[str, list[Any]]:
        """The keys of exactly this host, or of the run, as `{key: [version, value]}`; with `keys` only those."""
        held = self._held.get(host, {})
        chosen: Iterable[str] = held if keys is None else [key for key in keys if key in held]
        return {key: [held[key].version, json.loads(held[key].text)] for key in chosen}

    def hosts(self) -> list[str]:
        """The hosts of the run in its order, then other hosts that set a key."""
        return list(self._hosts)

    def keys(self) -> list[str]:
        """Every key that is set anywhere, sorted."""
        return sorted(set().union(*self._held.values()))

    def changed_hosts(self) -> set[str]:
        """The hosts whose keys changed since the last call; an empty name stands for keys of the run."""
        changed, self._changed = self._changed, set()
        return changed

    def _begin(self, record: Record) -> tuple[Delta, ...]:
        self.run_id = record["run"]
        self._hosts |= dict.fromkeys(record.get("hosts") or ())
        self._policies = from_record(record.get("merge"))
        steps = [step for step in record.get("steps") or () if isinstance(step, dict)]
        self.refusals.optional = frozenset(str(step.get("name")) for step in steps if step.get("optional") is True)
        return ()

    def _write(self, record: Record) -> tuple[Delta, ...]:
        return (self._change(record),)

    def _change(self, record: Record) -> Delta:
        place, held = self._place(record)
        version = held.version if held else 0
        if record.get("unless_changed") is True and record["based_on"] != version:
            return self._refuse_changed(place, record, held)
        known = self._writers.known_by(place, record) if place in self._writers.differing else None
        if known is None and record["based_on"] == version:
            return self._set(place, record, held, json_text(record["after"]))
        if known and known.text is None and known.version == version:
            return self._set_diverging(place, record, held, json_text(record["after"]))
        return self._decide_conflict(
            place, record, held, known or KnownVersion(record["stage"], -1, record["based_on"], None)
        )

    def _decide_conflict(self, place: HostKey, record: Record, held: HeldValue | None, known: KnownVersion) -> Delta:
        """Decide a conflict: another write has changed the key since the version that this writer knew."""
        after, policy = json_text(record["after"]), self._policies.policy_of(place[1])
        if held and policy == FAIL:
            return self._refuse(place, record, held, after, known)
        if held and policy == DEEP_MERGE:
            return self._deep_merge(place, record, held, after, known)
        base = self._base(place, known, held) if self._policies.needs_base(place[1]) else None
        return self._set_diverging(place, record, held, after, Conflict(policy, KEPT, base=base))

    def _set_diverging(
        self, place: HostKey, record: Record, held: HeldValue | None, after: str, conflict: Conflict | None = None
    ) -> Delta:
        """Set a key for a writer whose count of versions differs from the context's from now on."""
        made = self._set(place, record, held, after, conflict)
        self._writers.note_write(place, record, made.version, None)
        return made

    def _refuse(self, place: HostKey, record: Record, held: HeldValue, after: str, known: KnownVersion) -> Delta:
        by = f"{held.step} on {held.host}" if held.host else held.step
        when, value = held.time[:19].replace("T", " "), shortened(mark_if_long(held.text))
        reason = f"based on version {known.version}, but {by} had set version {held.version} at {when} UTC to {value}"
        self.refusals.add(record["host"], record["step"], f"wrote {place[1]} {reason} (merge policy {FAIL})")
        self._writers.note_write(place, record, known.version, after)
        return self._delta(place, record, held, held, Conflict(FAIL, REFUSED, after))

    def _refuse_changed(self, place: HostKey, record: Record, held: HeldValue | None) -> Delta:
        """Refuse a write that was to count only if nobody writes before it. Its writer is told; no step fails by it."""
        after = json_text(record["after"])
        return self._delta(place, record, held, held or HeldValue("null", 0), Conflict(FAIL, REFUSED, after))

    def _deep_merge(self, place: HostKey, record: Record, held: HeldValue, after: str, known: KnownVersion) -> Delta:
        base = self._base(place, known, held)
        theirs, ours = json.loads(held.text), json.loads(after)
        merged, both = deep_merge(ABSENT if base is None else json.loads(base), theirs, ours)
        text = json_text(merged)
        if (size := len(text.encode())) > LARGEST_VALUE:
            return self._refuse_large(place, record, held, Conflict(DEEP_MERGE, REFUSED, after), size, known)
        made = self._set(place, record, held, text, Conflict(DEEP_MERGE, MERGED, after, both))
        self._writers.note_write(place, record, made.version, None if text == after else after)
        return made

    def _refuse_large(
        self, place: HostKey, record: Record, held: HeldValue, conflict: Conflict, size: int, known: KnownVersion
    ) -> Delta:
        would = f"merged with what it holds it would have {size} bytes of JSON, a key can hold {LARGEST_VALUE}"
        self.refusals.add(record["host"], record["step"], f"wrote {place[1]}: {would} (merge policy {DEEP_MERGE})")
        self._writers.note_write(place, record, known.version, conflict.other)
        return self._delta(place, record, held, held, conflict)

    def _base(self, place: HostKey, known: KnownVersion, held: HeldValue | None) -> str | None:
        """The value that a writer knew, as JSON; None where it knew none, or where it is no longer kept."""
        if known.text is not None:
            return known.text
        if held and held.version == known.version:
            return held.text
        return self._earlier.text(known.stage, place, known.version)

    def _merge(self, record: Record) -> tuple[Delta, ...]:
        """Set the value that a merge hook made; nothing changes where another write came before its record."""
        place, held = self._place(record)
        if held is None or held.version != record["based_on"]:
            return ()
        conflict = Conflict(record["who"], MERGED, json_text(record["theirs"]))
        return (self._set(place, record, held, json_text(record["after"]), conflict),)

    def _place(self, record: Record) -> tuple[HostKey, HeldValue | None]:
        host = RUN if record["scope"] == "run" else intern(record["host"])
        key = intern(record["key"])
        held = self._held.get(host)
        if held is None:
            held = self._held[host] = {}
            self._hosts.setdefault(host)
        return (host, key), held.get(key)

    def _set(
        self, place: HostKey, record: Record, before: HeldValue | None, text: str, conflict: Conflict | None = None
    ) -> Delta:
        host, key = place
        version = before.version + 1 if before else 1
        moment = record["time"] if self._policies.rules and self._policies.policy_of(key) == FAIL else ""
        after = HeldValue(text, version, intern(record["host"]), intern(record["step"] or record["who"]), moment)
        self._held[host][key] = after
        self._changed.add(host)
        if before and self._policies.rules and self._policies.needs_base(key):
            self._earlier.add(record["stage"], place, before)
        return self._delta(place, record, before, after, conflict)

    def _delta(
        self,
        place: HostKey,
        record: Record,
        before: HeldValue | None,
        after: HeldValue,
        conflict: Conflict | None = None,
    ) -> Delta:
        self.seq += 1
        delta = Delta(
            self.run_id,
            self.seq,
            record["time"],
            place[0],
            record["step"],
            record["attempt"],
            record["scope"],
            place[1],
            after.version,
            record["based_on"],
            before.text if before else None,
            after.text,
            record["who"],
            conflict is not None,
        )
        return delta._replace(**conflict._asdict()) if conflict else delta


_FOLDS: Mapping[str, Callable[[Context, Record], tuple[Delta, ...]]] = {
    "delta": Context._write,
    "merge": Context._merge,
    "run": Context._begin,
}


def count_step(context: Context, results: Results | CountedRecords, record: Record) -> Record:
    """Count a step record; returns it, or the final one that counts instead of it since a write was refused."""
    final = context.refusals.final_record(record)
    results.add(final)
    return final


def fold_into(context: Context, results: Results | CountedRecords) -> Handlers:
    """What a reader does with each record from which the context of a run, or the result of a step, follows."""
    return {**dict.fromkeys(_FOLDS, context.fold), "step": partial(count_step, context, results)}
