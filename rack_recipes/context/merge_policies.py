# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge policies: they decide about a write of a key that another write has changed in between.

One of them merges two values field by field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from rack_recipes.settings import HOOK

ABSENT: Any = object()  # no field of this name
NO_FIELDS: Mapping[str, Any] = {}


def deep_merge(base: object, theirs: object, ours: object) -> tuple[Any, tuple[str, ...]]:
    """The value with the changes of both sides, and the paths of the fields that both sides have changed.

    Objects are merged key by key. Lists, numbers and texts are not merged: where one side has changed such a value,
    the changed one is taken, and where both have, `ours`, which came later. An empty path stands for the whole value.
    `base` is `ABSENT` where it is unknown; then all that a side holds counts as added by it.
    """
    both: list[str] = []
    merged = _merged(base, theirs, ours, "", both)
    return merged, tuple(both)


def _merged(base: object, theirs: object, ours: object, path: str, both: list[str]) -> Any:
    if _same(ours, base) or _same(ours, theirs):
        return theirs
    if _same(theirs, base):
        return ours
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return _merged_fields(base if isinstance(base, dict) else NO_FIELDS, theirs, ours, path, both)
    both.append(path)
    return ours


def _merged_fields(base: Mapping[str, object], theirs: Any, ours: Any, path: str, both: list[str]) -> dict[str, Any]:
    fields = {
        name: _merged(
            base.get(name, ABSENT),
            theirs.get(name, ABSENT),
            ours.get(name, ABSENT),
            f"{path}.{name}" if path else name,
            both,
        )
        for name in {**theirs, **ours}
    }
    return {name: value for name, value in fields.items() if value is not ABSENT}


def _same(first: object, second: object) -> bool:
    """Whether both are the same JSON. In Python 1, 1.0 and True are equal, in JSON they are not."""
    if first is ABSENT or second is ABSENT:
        return first is second
    return first is second or json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


LAST_WRITE, FAIL, DEEP_MERGE = "last_write", "fail", "deep_merge"
WITH_BASE = (DEEP_MERGE, HOOK)  # policies that begin with these need the value that the writer knew
Rules = Iterable[tuple[str, str]]


@dataclass(slots=True)
class MergePolicies:
    """Patterns of keys, each with its policy. The first pattern that matches a key decides.

    Patterns are those of file names, such as `power.*`. A policy is `last_write`, `fail`, `deep_merge`, or `hook` with
    the dotted name of a Python file.
    """

    rules: tuple[tuple[str, str], ...] = ()
    _known: dict[str, str] = field(default_factory=dict)

    def policy_of(self, key: str) -> str:
        """The policy of a key; `last_write` where no pattern matches."""
        if not self.rules:
            return LAST_WRITE
        found = self._known.get(key)
        if found is None:
            matching = (policy for pattern, policy in self.rules if fnmatchcase(key, pattern))
            found = self._known[key] = next(matching, LAST_WRITE)
        return found

    def needs_base(self, key: str) -> bool:
        """Whether the policy of a key needs the value that the writer knew."""
        return bool(self.rules) and self.policy_of(key).startswith(WITH_BASE)


def from_record(entries: object) -> MergePolicies:
    """The policies in a run's record. Whatever is not a policy there is ignored."""
    entries = entries if isinstance(entries, list) else []
    pairs = [(entry.get("keys"), entry.get("policy")) for entry in entries if isinstance(entry, dict)]
    return MergePolicies(tuple((str(keys), str(policy)) for keys, policy in pairs if isinstance(keys, str) and policy))


def to_record(rules: Rules, digests: Mapping[str, str]) -> list[dict[str, str]]:
    """The rules as a run's record has them, each hook with the digest of its file."""
    return [
        {"keys": keys, "policy": policy, **({"digest": digests[policy]} if policy in digests else {})}
        for keys, policy in rules
    ]


def hook_of(policy: str) -> str:
    """The dotted name of the file of a policy that is a hook; empty for any other."""
    return policy.removeprefix(HOOK) if policy.startswith(HOOK) else ""


def hooks_in(rules: Rules) -> Iterator[str]:
    """The policies of the rules that are hooks, each once."""
    yield from dict.fromkeys(policy for _keys, policy in rules if hook_of(policy))
