# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context as a scriptlet sees it: read what is there, set keys, add measurements."""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.values import check_key, check_value

TYPE_CHECKING = False  # importing typing costs a target 5 ms
if TYPE_CHECKING:
    from typing import Any, Callable

    Keys = dict[str, list[Any]]


def now() -> str:
    """The time in UTC, as all records write it."""
    seconds, nanos = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % (nanos // 1000)


class View:
    """One step's view of the run's context.

    `own` holds the keys of the step's scope, `run` those of the run, `others` those of every host (for steps that
    run once for the run); each maps a key to `[version, value]`. Every change is handed to `emit` as it is made.
    """

    def __init__(
        self,
        step: str,
        host: str,
        scope: str,
        own: Keys,
        run: Keys,
        others: dict[str, Keys],
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self.step = step
        self.host = host
        self.scope = scope
        self._own = own
        self._run = run
        self._others = others
        self._emit = emit

    def send_to(self, emit: Callable[[dict[str, Any]], None]) -> None:
        """From now on hand changes to `emit`: in a forked child they must cross a pipe."""
        self._emit = emit

    def get(self, key: str, default: Any = None, host: str | None = None) -> Any:
        """The value of `key`: of this step's scope, else of the run; with `host`, of that host."""
        places = (self._own, self._run) if host is None else (self._others.get(host, {}), self._run)
        return next((place[key][1] for place in places if key in place), default)

    def set(self, key: str, value: Any, who: str | None = None, scope: str | None = None) -> None:
        """Set `key`, for this host or, with `scope="run"`, for the run. Raises ValueError for what is not JSON."""
        scope = scope or self.scope
        if scope not in ("host", "run") or (scope == "host" and self.scope == "run"):
            raise ValueError("scope %r: a step of the %s cannot set it" % (scope, self.scope))
        place = self._own if scope == self.scope else self._run
        value = check_value(value, check_key(key))
        based_on, before = place.get(key, (0, None))
        if based_on and json.dumps(before, sort_keys=True) == json.dumps(value, sort_keys=True):
            return
        place[key] = [based_on + 1, value]
        self._emit(
            {
                "kind": "delta",
                "scope": scope,
                "key": key,
                "after": value,
                "based_on": based_on,
                "who": str(who or self.step),
                "time": now(),
            }
        )

    def measure(self, name: str, value: Any, unit: str = "") -> None:
        """Record one measured value with its unit."""
        self.take_measurement({"name": name, "value": value, "unit": unit})

    def take_measurement(self, given: Any) -> None:
        """Record what an envelope gives as a measurement; raises ValueError for what is none."""
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or "value" not in given:
            raise ValueError("a measurement needs a name and a value, got %.200r" % (given,))
        value = check_value(given["value"], "measurement %s" % given["name"])
        unit = str(given.get("unit") or "")
        self._emit({"kind": "measurement", "name": given["name"], "value": value, "unit": unit})

    def values(self, key: str) -> dict[str, Any]:
        """The value of `key` on each host that has it, by host name."""
        return {host: keys[key][1] for host, keys in sorted(self._others.items()) if key in keys}

    def hosts(self) -> list[str]:
        """The names of the hosts that have any key."""
        return sorted(self._others)

    def keys(self) -> list[str]:
        """All keys that `get` would find."""
        return sorted(set(self._own) | set(self._run))

    def to_dict(self) -> dict[str, Any]:
        """Every key that `get` would find, with its value."""
        return {key: self.get(key) for key in self.keys()}
