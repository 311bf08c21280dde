# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge policies: what becomes of a write of a key that another write had changed in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.settings import HOOK

LAST_WRITE, FAIL, DEEP_MERGE = "last_write", "fail", "deep_merge"
WITH_BASE = (DEEP_MERGE, HOOK)  # how the policies begin that ask for the value that a writer knew

Rules = Iterable[tuple[str, str]]


@dataclass(slots=True)
class MergePolicies:
    """Patterns of keys, as file names have them, each with its policy; the first that matches a key is the key's.

    A policy is `last_write`, `fail`, `deep_merge`, or `hook` with the dotted name of a Python file.
    """

    rules: tuple[tuple[str, str], ...] = ()
    _known: dict[str, str] = field(default_factory=dict)

    def of(self, key: str) -> str:
        """The policy of a key: `last_write` where no pattern matches."""
        if not self.rules:
            return LAST_WRITE
        found = self._known.get(key)
        if found is None:
            matching = (policy for pattern, policy in self.rules if fnmatchcase(key, pattern))
            found = self._known[key] = next(matching, LAST_WRITE)
        return found

    def needs_base(self, key: str) -> bool:
        """Whether the policy of a key asks for the value that a writer knew."""
        return bool(self.rules) and self.of(key).startswith(WITH_BASE)


def from_record(said: Any) -> MergePolicies:
    """The policies as a run's record has them; what is none of them is passed over."""
    entries = said if isinstance(said, list) else []
    pairs = [(entry.get("keys"), entry.get("policy")) for entry in entries if isinstance(entry, dict)]
    return MergePolicies(tuple((str(keys), str(policy)) for keys, policy in pairs if isinstance(keys, str) and policy))


def to_record(rules: Rules, digests: Mapping[str, str]) -> list[dict[str, str]]:
    """The rules for a run's record, each hook with the digest of its file."""
    return [
        {"keys": keys, "policy": policy, **({"digest": digests[policy]} if policy in digests else {})}
        for keys, policy in rules
    ]


def hook_of(policy: str) -> str:
    """The dotted name of the file of a policy that is a hook; empty for any other."""
    return policy.removeprefix(HOOK) if policy.startswith(HOOK) else ""


def hooks_in(rules: Rules) -> Iterator[str]:
    """The policies among the rules that are hooks, each once."""
    yield from dict.fromkeys(policy for _keys, policy in rules if hook_of(policy))
