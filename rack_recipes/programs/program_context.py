# SPDX-License-Identifier: GPL-3.0-or-later

"""The context in a program or a notebook: that of a run, or one that the program fills itself."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long, shortened
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from rack_recipes.analysis.run_changes import context_changes
from rack_recipes.cli.argument_parser import hint
from rack_recipes.context import run_context
from rack_recipes.context.context_model import REFUSED, Delta
from rack_recipes.context.merge_policies import to_record
from rack_recipes.context.run_context import RUN
from rack_recipes.errors import UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.settings import MERGE_POLICIES

NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
PROGRAM = "program"  # who sets a key, where nobody is named
MOST_BYTES = 256 * 1024 * 1024
"""How much memory the history of a context may take, if nothing else is asked for; it forgets the oldest changes."""
STAGE = 0  # a program has no stages: all of its writes are of one


class Context:
    """Values under keys, each of a host or of the run, with their history.

    The code of a run decides here, too: what a value may be, whether a write is a new version, how two writes of one
    key are merged. `merge` has merge policies by patterns of keys, as in a recipe: `{"power.*": "deep_merge"}`. In a
    program a key needs no version at its end; a run takes only keys with one. Several threads may share a context.

    A context remembers its newest changes, as many as `most_bytes` of memory hold, so that one that lives for days
    stays small; None for all. The values that it holds, and the newest change, are never forgotten.

    >>> context = Context()
    >>> context.set("link.speed_v1", 100, host="leaf1", who="night shift")
    >>> context.get("link.speed_v1"), context.get_history()[0]["who"]
    (100, 'night shift')
    """

    def __init__(self, merge: Mapping[str, str] | None = None, most_bytes: int | None = MOST_BYTES) -> None:
        if most_bytes is not None and most_bytes < 1:
            raise UsageError(f"most_bytes: expected a number above 0, or None, got {most_bytes!r}")
        self._most, self._bytes = most_bytes, 0
        self._lock = RLock()
        self._folded = run_context.Context()
        self._deltas: deque[Delta] = deque()
        self._dirty: dict[str, None] = {}
        rules = [*(merge or {}).items()]
        for pattern, policy in rules:
            _check_policy(pattern, policy)
        self._fold({"kind": "run", "run": "", "merge": to_record(rules, {})})

    def set(self, key: str, value: object, who: str | None = None, host: str = RUN) -> None:
        """Set a key of the run, or of `host`. `who` is the author. The same value again is no change.

        Raises ValueError if the value is not JSON or too large, and if the key is malformed.
        """
        author = who or PROGRAM

        def emit(change: dict[str, object]) -> None:
            self._fold({**change, "stage": STAGE, "host": host, "step": author, "attempt": 1})

        scope = "host" if host else "run"
        with self._lock:
            view = _ProgramView(author, host, scope, self._folded.held(host, [key]), {}, {}, emit)
            try:
                view.set(key, value, who)
            except ValueError as error:
                raise ValueError(shortened(str(error))) from None

    def get(self, key: str, default: object = None, host: str | None = None) -> Any:
        """The value of a key, or `default`. With `host` it is that host's, or else that of the run.

        Without `host` there must be only one value. Raises ValueError if several hosts have one.
        """
        with self._lock:
            if host is not None:
                found = self._folded.entry(key, host) or self._folded.entry(key)
            else:
                place = self._only_place(key)
                found = None if place is None else self._folded.entry(key, place)
        return default if found is None else json.loads(found.text)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self._having(key))

    def keys(self) -> list[str]:
        """Every key that is set anywhere, sorted."""
        return self._folded.keys()

    def hosts(self) -> list[str]:
        """The hosts of the run, and others that have keys."""
        return self._folded.hosts()

    def values(self, key: str) -> dict[str, Any]:
        """The value of a key on each host that has it, by host."""
        return self._folded.values(key)

    def to_dict(self, host: str | None = None) -> dict[str, Any]:
        """Every key that `get` would find, with its value. Raises ValueError as `get` does."""
        with self._lock:
            keys = [key for key in self.keys() if host is None or self._has(key, host) or self._has(key, RUN)]
            return {key: self.get(key, host=host) for key in keys}

    def get_history(self, key: str | None = None, host: str | None = None) -> list[dict[str, Any]]:
        """Every change that is remembered, or those of a key or a host, the oldest first.

        Each has `timestamp` (UTC, ISO 8601), `step`, `key`, `before` and `after`, and also `host`, `version`,
        `based_on`, `who` and `seq`. A write that met another one has `policy`, `outcome` and, where both values are not
        in `before` and `after`, the `other` one: of a refused write what it wanted.
        """
        with self._lock:
            chosen = [
                delta for delta in self._deltas if key in (None, delta.key) and (host is None or delta.host == host)
            ]
        return [_as_history(delta) for delta in chosen]

    def versions(self, key: str, host: str | None = None) -> dict[int, Any]:
        """The values that a key has had, by version. Raises ValueError if several hosts have it and none is named."""
        place = self._only_place(key) if host is None else host
        changes = [] if place is None else self.get_history(key, place)
        return {change["version"]: change["after"] for change in changes if change.get("outcome") != REFUSED}

    def pop_dirty_keys(self) -> list[str]:
        """The keys that were set since the last call, in their order."""
        with self._lock:
            keys, self._dirty = [*self._dirty], {}
        return keys

    pop_dirty = pop_dirty_keys

    def diff(self, other: Context) -> list[dict[str, Any]]:
        """What differs in another context: `key`, `host`, `field`, `before` here and `after` there.

        A key that only one of them has is one change with an empty `field`, and with one of `before` and `after`.
        """
        return context_changes(self.rows(), other.rows())

    def copy(self) -> Context:
        """A context with the same values and history, to be changed on its own and merged later."""
        made = Context(most_bytes=self._most)
        with self._lock:
            made._folded, made._deltas = copy.deepcopy(self._folded), self._deltas.copy()
            made._bytes = self._bytes
        return made

    def merge(self, other: Context) -> list[dict[str, Any]]:
        """Take over what was set in another context since the two had the same history, as a run merges its hosts.

        Returns the conflicts: the changes of keys that both have set, as `get_history` has them. The merge policy of
        the key has decided; `outcome` is `kept` (the other's value counts), `merged` or `refused`. Raises UsageError
        where a context has forgotten the changes that both have.
        """
        with self._lock:
            done = self._folded.seq
            for record in _writes(self._deltas, other._deltas):
                entry = self._folded.entry(record["key"], record["host"])
                if entry is None or json.loads(entry.text) != record["after"]:
                    self._fold(record)
            return [_as_history(delta) for delta in self._deltas if delta.conflict and delta.seq > done]

    def rows(self) -> list[dict[str, Any]]:
        """All values: `key`, `host` (empty for the run) and `value`."""
        with self._lock:
            held = [(host, self._folded.held(host)) for host in (RUN, *self._folded.hosts())]
        return [
            {"key": key, "host": host, "value": value}
            for host, keys in held
            for key, (_version, value) in sorted(keys.items())
        ]

    def __repr__(self) -> str:
        return f"<Context with {len(self.keys())} keys in {self._folded.seq} changes>"

    def _has(self, key: str, host: str) -> bool:
        return self._folded.entry(key, host) is not None

    def _having(self, key: str) -> list[str]:
        return [host for host in (RUN, *self._folded.hosts()) if self._has(key, host)]

    def _only_place(self, key: str) -> str | None:
        """The host that has a key, empty for the run; None where nobody has it. Raises ValueError for several."""
        having = self._having(key)
        if len(having) > 1:
            names = ", ".join(host or "the run" for host in having)
            raise ValueError(f"{names} have a key {key}: name one, as in host={having[-1]!r}")
        return having[0] if having else None

    def _fold(self, record: dict[str, object]) -> None:
        made = self._folded.fold(record)
        self._deltas += made
        self._bytes += sum(map(_bytes_of, made))
        while self._most is not None and self._bytes > self._most and len(self._deltas) > 1:
            self._bytes -= _bytes_of(self._deltas.popleft())
        self._dirty |= dict.fromkeys(delta.key for delta in made)


class _ProgramView(ContextView):
    """A view of the context whose keys need no version."""

    @staticmethod
    def checked_key(key: object) -> str:
        """The key. Raises ValueError if it is no dotted name."""
        if not isinstance(key, str) or not NAME.fullmatch(key):
            raise ValueError(f"expected a key such as numbers.stats_v1, got {mark_if_long(repr(key))}")
        return key


def of_journal(path: Path) -> Context:
    """The context of a run, with its history. Raises JournalError."""
    made = Context(most_bytes=None)
    for record in JournalReader(path).records():
        made._fold(record)
    return made


def _check_policy(pattern: str, policy: str) -> None:
    if policy not in MERGE_POLICIES:
        expected = f"expected one of {', '.join(MERGE_POLICIES)}, got {policy!r}{hint(policy, MERGE_POLICIES)}"
        raise UsageError(f"merge: {pattern}: {expected}")


def _bytes_of(delta: Delta) -> int:
    """The memory that a change takes. The value before is the text of the change before, and counts there."""
    return sum(map(sys.getsizeof, (delta, delta.time, delta.after, delta.other or "")))


def _writes(ours: Sequence[Delta], theirs: Sequence[Delta]) -> Iterator[dict[str, Any]]:
    """A write for each key that was set in the second history since both were the same, of its newest value."""
    first = max(ours[0].seq if ours else 1, theirs[0].seq if theirs else 1)
    own, others = ([delta for delta in deltas if delta.seq >= first] for deltas in (ours, theirs))
    shared = next((number for number, (one, two) in enumerate(zip(own, others, strict=False)) if one != two),
                  min(len(own), len(others)))  # fmt: skip
    if first > 1 and not shared:
        raise UsageError("the two have no change in common that both remember: raise most_bytes to merge them")
    written = [delta for delta in others[shared:] if delta.outcome != REFUSED]
    known = {(delta.host, delta.key): delta.version - 1 for delta in reversed(written)}
    newest = {(delta.host, delta.key): delta for delta in written}
    for place, delta in newest.items():
        yield {
            "kind": "delta",
            "stage": STAGE,
            "host": delta.host,
            "step": delta.step,
            "attempt": delta.attempt,
            "scope": delta.scope,
            "key": delta.key,
            "after": json.loads(delta.after),
            "based_on": known[place],
            "who": delta.who,
            "time": delta.time,
        }


def _as_history(delta: Delta) -> dict[str, Any]:
    other = {} if delta.other is None else {"other": json.loads(delta.other)}
    met = {"policy": delta.policy, "outcome": delta.outcome, **other} if delta.conflict else {}
    return {
        "timestamp": delta.time,
        "step": delta.step,
        "key": delta.key,
        "before": None if delta.before is None else json.loads(delta.before),
        "after": json.loads(delta.after),
        "host": delta.host,
        "version": delta.version,
        "based_on": delta.based_on,
        "who": delta.who,
        "seq": delta.seq,
        **met,
    }
