# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys of the context a policy lets somebody read and write, in a run and through the context server."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from rack_recipes.run.trust.os_user import User
from rack_recipes.run.trust.policy import READ, WRITE, Policy, Rule, rule_applies

MOST_KEPT = 10_000  # answers that are kept; all are forgotten when there are more
ANY_KEY = "any key"


class KeyAccess:
    """What the rules about keys say to one user. An action that no rule is about is free to everybody."""

    def __init__(self, policy: Policy, user: User) -> None:
        self._file = policy.file
        self._user = user
        self._guarded = guarded_actions(policy)
        self._rules = [rule for rule in policy.rules if rule_applies(rule, user)]
        self._kept: dict[tuple[str, str], str] = {}

    def refusal(self, action: str, key: str) -> str:
        """Why this user may not read or write a key; empty if they may."""
        if action not in self._guarded:
            return ""
        found = self._kept.get((action, key))
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[action, key] = self._decided(action, key)
        return found

    def refusal_of_any(self, action: str) -> str:
        """Why this user may not read or write every key there can be; empty if they may."""
        if action not in self._guarded:
            return ""
        rules = self._about(action)
        limits = next((rule for rule in rules if not rule.allows), None)
        if limits or not any(rule.keys is None or "*" in rule.keys for rule in rules if rule.allows):
            return self._reason(action, ANY_KEY, limits)
        return ""

    def may_some(self, action: str) -> bool:
        """Whether a rule lets this user read or write some key."""
        return any(rule.allows for rule in self._about(action))

    def _about(self, action: str) -> list[Rule]:
        return [rule for rule in self._rules if action in rule.actions]

    def _decided(self, action: str, key: str) -> str:
        meant = [rule for rule in self._about(action) if rule.keys is None or _fits(key, rule.keys)]
        forbids = next((rule for rule in meant if not rule.allows), None)
        return self._reason(action, key, forbids) if forbids or not meant else ""

    def _reason(self, action: str, key: str, rule: Rule | None) -> str:
        place = f"{self._file}:{rule.place.line}" if rule else self._file
        return f"{place}: {self._user.name} may not {action} {key}{'' if rule else ': no rule says that they may'}"


def guarded_actions(policy: Policy) -> frozenset[str]:
    """READ and WRITE, if rules are about them."""
    return frozenset(action for rule in policy.rules for action in rule.actions if action in (READ, WRITE))


def read_access(path: str, user: User) -> KeyAccess:
    """The access by a policy file, which is read once in a process and those that it forks, and when it has changed.

    Raises TrustError.
    """
    try:
        found = Path(path).stat()
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
    except OSError:
        state = (0, 0, 0)  # the reader tells why it cannot be read
    return _read_access(path, str(Path(path).absolute()), state, user)


@lru_cache(maxsize=16)
def _read_access(path: str, _absolute: str, _state: tuple[int, int, int], user: User) -> KeyAccess:
    from rack_recipes.run.trust.read_policy_file import read_policy

    return KeyAccess(read_policy(path), user)


def _fits(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
