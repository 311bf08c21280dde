# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of a group write on their context server, for each other.

Each part has a place, `GROUP/1`, `GROUP/2` and so on, which stands where a key has its host:

| key | what it says |
| --- | --- |
| `group.member_v1` | the part that has taken this place: its hosts, and the lease by which it is taken for alive |
| `group.news_v1` | what this part has to tell the others; each version is news, in their order |
| `group.alive_v1` | written again and again while the controller of the part lives |
| `group.dead_v1` | who found out that it does not live any more: from then on, no part waits for it |
| `group.runner_v1` | at `GROUP/stage N`: the place of the part that runs this stage for all |

Locks of the recipe are locks of the server, with names that begin with `group_` and a digest of the group's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from ansible_collections.rack.recipes.plugins.module_utils.live_client import ANSWER, ERROR, Refused, Request, TimedOut
from rack_recipes.run.group.server_link import ServerLink

MEMBER, NEWS, ALIVE, DEAD, RUNNER = (f"group.{name}_v1" for name in ("member", "news", "alive", "dead", "runner"))
MOST = 1000  # changes in one answer


class GroupKeys:
    """The keys of one group on its server. Every method raises LiveError where the server does not answer."""

    def __init__(self, link: ServerLink, group: str) -> None:
        self.link = link
        self._group = group

    def take(self, key: str, place: object, value: Any) -> bool:
        """Set a key that nobody has set yet; whether this was the first. It is set once, whoever asks at once."""
        try:
            self._set(key, place, value, "0")
        except Refused as refused:
            if refused.kind != "version-conflict":
                raise
            return False
        return True

    def put(self, key: str, place: object, value: Any) -> None:
        """Set a key, or its next version."""
        self._set(key, place, value, "")

    def _set(self, key: str, place: object, value: Any, version: str) -> None:
        query = {"host": self._at(place), "version": version}
        self.link.ask(Request("PUT", f"/ctx/{quote(key)}", query, value), ANSWER, ERROR)

    def read(self, key: str, place: object) -> tuple[int, Any]:
        """The version and the value of a key; 0 and None where it is not set."""
        try:
            found = self.link.ask(Request("GET", f"/ctx/{quote(key)}", {"host": self._at(place)}), ANSWER, ERROR)
        except Refused as refused:
            if refused.kind != "not-found":
                raise
            return 0, None
        return int(found["version"]), found["value"]

    def news(self, place: object, known: int, wait: float) -> list[Any]:
        """The news of a part behind the version that is known; waits for some, in seconds."""
        query = {"host": self._at(place), "newer_than": str(known)}
        try:
            found = self.link.ask(Request("GET", f"/ctx/{quote(NEWS)}", query, waits=True), wait, ERROR)
        except TimedOut:
            return []
        newest = int(found["version"])
        return [found["value"]] if newest == known + 1 else self._between(query["host"], known, newest)

    def lock_name(self, name: str) -> str:
        """The name of a lock of this group on the server."""
        return f"group_{sha256(self._group.encode()).hexdigest()[:16]}.{name}"

    def lock(self, name: str, owner: str, lease: float) -> bool:
        """Take a lock for some seconds, or renew it; whether it was free."""
        try:
            self.link.ask(Request("POST", f"/locks/{name}", {}, {"owner": owner, "lease": lease}), ANSWER, ERROR)
        except Refused as refused:
            if refused.kind != "locked":
                raise
            return False
        return True

    def unlock(self, name: str, owner: str) -> None:
        """Give a lock back."""
        self.link.ask(Request("DELETE", f"/locks/{name}", {"owner": owner}), ANSWER, ERROR)

    def _between(self, host: str, known: int, newest: int) -> list[Any]:
        """The values of all versions from the one behind `known` to `newest`."""
        rows: dict[int, Mapping[str, Any]] = {}
        before = ""
        while len(rows) < newest - known:
            query = {"host": host, "limit": str(min(MOST, newest - known)), "before": before}
            page = self.link.ask(Request("GET", f"/ctx/{quote(NEWS)}/history", query), ANSWER, ERROR)["changes"]
            rows |= {row["version"]: row for row in page if known < row["version"] <= newest}
            before = str(page[0]["seq"])
        return [rows[version]["after"] for version in range(known + 1, newest + 1)]

    def _at(self, place: object) -> str:
        return f"{self._group}/{place}"
