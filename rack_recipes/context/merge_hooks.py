# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge hooks: functions of the user that merge two conflicting writes into one value.

Only the recorder's process calls them. It writes the merged values to the journal, where all other readers find them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    as_reason,
    check_size,
    check_value,
)
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.time_limit import time_limit
from rack_recipes.context.context_model import MERGED, Delta, HostKey
from rack_recipes.context.merge_policies import hook_of, hooks_in
from rack_recipes.context.run_context import Context
from rack_recipes.errors import CatalogError
from rack_recipes.journal.record_fields import Record
from rack_recipes.recipe.catalog.scriptlet_files import find_merge_hook

Merge = Callable[[str, Any, Any, Any], Any]

FUNCTION = "merge"
TIME_LIMIT = 10.0  # seconds for one call: nothing else of the run is recorded meanwhile
ABOUT_WRITE = ("stage", "host", "step", "attempt", "scope", "key")


@dataclass(frozen=True, slots=True)
class MergeHook:
    """A hook. `merge(key, base, theirs, ours)` returns the merged value. `digest` is `sha256:<hex>` of its file."""

    policy: str
    merge: Merge
    digest: str


@dataclass(frozen=True, slots=True)
class PendingMerge:
    """A merged value that the journal does not have yet.

    `theirs` is the value before the first of the conflicting writes, `write` the record of the last one. `sent` is the
    context's version when a record of it was last handed out, 0 for never.
    """

    hook: MergeHook
    theirs: Any
    value: Any
    write: Record
    sent: int = 0


def load_hooks(rules: Iterable[tuple[str, str]], folders: Sequence[Path]) -> dict[str, MergeHook]:
    """The hooks that merge rules name, by policy. Raises CatalogError for one that is missing, untrusted or broken."""
    return {policy: _load(policy, folders) for policy in hooks_in(rules)}


def _load(policy: str, folders: Sequence[Path]) -> MergeHook:
    path, source = find_merge_hook(hook_of(policy), folders)
    module = ModuleType(path.rpartition("/")[2])
    module.__file__ = path
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - of a trusted folder
    except Exception as error:
        raise CatalogError(f"{path}: a merge hook that cannot be loaded: {type(error).__name__}: {error}") from error
    merge = getattr(module, FUNCTION, None)
    if not callable(merge):
        raise CatalogError(f"{path}: a merge hook needs a function {FUNCTION}(key, base, theirs, ours)")
    return MergeHook(policy, merge, f"sha256:{sha256(source).hexdigest()}")


class MergeHooks:
    """Calls merge hooks, and keeps the merged values until the journal has them."""

    def __init__(self, hooks: Mapping[str, MergeHook] | None = None) -> None:
        self._hooks = hooks or {}
        self._pending: dict[HostKey, PendingMerge] = {}

    def add(self, record: Record, delta: Delta, context: Context) -> None:
        """Look at a change that was folded: merge one with a conflict, and each that comes while a merge is pending."""
        if not self._hooks:
            return
        place = (delta.host, delta.key)
        pending = self._pending.get(place)
        if record["kind"] == "merge":
            self._pending.pop(place, None)
        elif pending:
            base = delta.base if delta.conflict else delta.before
            self._call(place, record, replace(pending, write=record), _value(base), delta, context)
        elif delta.policy in self._hooks and delta.outcome != MERGED:
            theirs = _value(delta.before)
            begun = PendingMerge(self._hooks[delta.policy], theirs, theirs, record)
            self._call(place, record, begun, _value(delta.base), delta, context)

    def _call(
        self, place: HostKey, record: Record, begun: PendingMerge, base: object, delta: Delta, context: Context
    ) -> None:
        """Call a hook. Where it fails or takes too long, the value stays as it was and the step ends as an error."""
        value = begun.value
        try:
            with time_limit(TIME_LIMIT):
                made = begun.hook.merge(delta.key, base, _copy(value), record["after"])
            checked = check_value(made, what := f"what it made of {delta.key}")
            check_size(checked, what)
            value = checked
        except Exception as error:
            reason = as_reason(f"{type(error).__name__}: {error}")
            problem = f"wrote {delta.key}, which had changed, and merge {begun.hook.policy} failed: {reason}"
            context.refusals.add(record["host"], record["step"], problem)
        self._pending[place] = replace(begun, value=value)

    def records(self, context: Context) -> Iterator[Record]:
        """The records to append to the journal now. A merge is handed out again where another write came in between."""
        for place, pending in self._pending.items():
            entry = context.entry(place[1], place[0])
            if entry and entry.version != pending.sent:
                self._pending[place] = replace(pending, sent=entry.version)
                yield {
                    "kind": "merge",
                    **{name: pending.write[name] for name in ABOUT_WRITE},
                    "theirs": pending.theirs,
                    "after": pending.value,
                    "based_on": entry.version,
                    "who": pending.hook.policy,
                    "time": now(),
                }


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _copy(value: object) -> Any:
    """A copy, so that a hook that changes its arguments changes nothing else."""
    return json.loads(json.dumps(value))
