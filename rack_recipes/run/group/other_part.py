# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another part of the group, as this one knows it: who it is, how far it has come, and what it has told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rack_recipes.run.group.group_keys import ALIVE, DEAD, MEMBER, GroupKeys

News = Mapping[str, Any]
LOOK = 1.0  # seconds between two looks whether a part is alive
ENDED = "its controller ended without a word"


@dataclass
class OtherPart:
    """A part of the group at its place; `about` is empty until it has come.

    `stage` is the last one of those at which all meet that it has come to. `gone` says why it will tell nothing more.
    """

    group_keys: GroupKeys
    place: int
    parts: int
    about: dict[str, Any] = field(default_factory=dict)
    stage: int = 0
    is_over: bool = False
    gone: str = ""
    _version: int = 0
    _unread: deque[News] = field(default_factory=deque)
    _heartbeat: int = 0
    _heartbeat_at: float = 0.0
    _looked_at: float = 0.0

    @property
    def words(self) -> str:
        """What people call it."""
        name = f"part {self.place} of {self.parts}"
        return f"{name} ({self.about['name']} on {self.about['controller']})" if self.about else name

    def has_come(self) -> bool:
        """Whether it has begun; looked up until it has."""
        if not self.about:
            _version, found = self.group_keys.read(MEMBER, self.place)
            self.about = found or {}
        return bool(self.about)

    def read_next(self, wait: float) -> News | None:
        """The next news; waits for some, in seconds, and returns None where there is none."""
        if not self._unread:
            fresh = self.group_keys.news(self.place, self._version, wait)
            self._version += len(fresh)
            self._unread.extend(fresh)
        if not self._unread:
            return None
        found = self._unread.popleft()
        self.stage = max(self.stage, int(found["stage"]))
        self.is_over |= bool(found["over"])
        return found

    def look_after(self, by: int) -> None:
        """Find out whether it is alive: if its lease is over, or its controller said that it ended, it is gone.

        Only a clock here counts, and only while the server answers: neither a clock that is wrong nor a server that is
        away for a while makes a part look dead.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK:
            return
        was_away, self._looked_at = now - self._looked_at > self.about["lease"] / 2, now
        if self.group_keys.read(DEAD, self.place)[0]:
            self.gone = ENDED
            return
        heartbeat, _value = self.group_keys.read(ALIVE, self.place)
        if heartbeat != self._heartbeat or was_away:
            self._heartbeat, self._heartbeat_at = heartbeat, now
        elif now - self._heartbeat_at > self.about["lease"]:
            self.group_keys.take(DEAD, self.place, {"by": by, "reason": f"not heard of for {self.about['lease']:g} s"})
            self.gone = ENDED
