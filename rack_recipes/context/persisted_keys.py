# SPDX-License-Identifier: GPL-3.0-or-later

"""Which context keys go to the store. The journal has all of them, and names these patterns in its `run` record."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

NOT = "!"  # before a pattern of keys that are left out


class Persisted:
    """Patterns of keys as file names have them; those with `!` in front leave out, and win. Without others all go."""

    __slots__ = ("_known", "_left_out", "_wanted", "patterns")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = (*patterns,)
        self._left_out = [pattern.removeprefix(NOT) for pattern in self.patterns if pattern.startswith(NOT)]
        self._wanted = [pattern for pattern in self.patterns if not pattern.startswith(NOT)]
        self._known: dict[str, bool] = {}

    def has(self, key: str) -> bool:
        """Whether a key goes to the store."""
        found = self._known.get(key)
        if found is None:
            is_wanted = not self._wanted or any(fnmatchcase(key, pattern) for pattern in self._wanted)
            found = is_wanted and not any(fnmatchcase(key, pattern) for pattern in self._left_out)
            self._known[key] = found
        return found


def patterns_of(options: object) -> tuple[str, ...]:
    """The patterns in the options of a run; empty where all keys go to the store, or where these are no patterns."""
    found = options.get("persist") if isinstance(options, dict) else None
    return tuple(map(str, found)) if isinstance(found, list) else ()


def elsewhere(options: object) -> str:
    """What to say where a key of a run is missing in the store; empty where all keys are there."""
    patterns = ", ".join(patterns_of(options))
    return f"the store has the keys of `persist` alone ({patterns}), the run's journal all" if patterns else ""
