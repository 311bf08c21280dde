# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the handlers of requests work with: the context that is served, who listens, and the commit."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.group_commit import GroupCommit
from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.listeners import Listeners
from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.live_context import LiveContext, Written
from ansible_collections.rack.recipes.plugins.plugin_utils.server.writes.key_operations import WriteRequest


@dataclass(frozen=True, eq=False)
class Service:
    """One served context."""

    live: LiveContext
    listeners: Listeners
    commit: GroupCommit

    async def write(self, request: WriteRequest) -> Written:
        """Write, and return once it is in the journal. Raises Problem."""
        return await self.commit.write(request)

    async def settle(self) -> None:
        """Wait until all that could be read by now is kept as safely as writes are. Raises Problem."""
        await self.commit.settle()


def make_service(live: LiveContext, *, fsync: bool = False) -> Service:
    """The service of a context."""
    listeners = Listeners(live)
    return Service(live, listeners, GroupCommit(live, listeners, fsync=fsync))
