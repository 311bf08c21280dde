# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge policies: they decide about a write of a key that another write has changed in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from rack_recipes.settings import HOOK

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


def from_record(entries: Any) -> MergePolicies:
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
