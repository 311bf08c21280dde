# SPDX-License-Identifier: GPL-3.0-or-later

"""What the handlers of requests work with: the context that is served, who listens, and the commit."""

from __future__ import annotations

from dataclasses import dataclass, field

from rack_recipes.server.live.group_commit import GroupCommit, Listeners
from rack_recipes.server.live.live_context import LiveContext
from rack_recipes.server.live.turns import Turns
from rack_recipes.server.shared_run import SharedCommit, SharedLog


@dataclass(frozen=True, eq=False)
class Service:
    """One served context."""

    live: LiveContext
    listeners: Listeners
    commit: GroupCommit | SharedCommit
    turns: Turns = field(default_factory=Turns)


def make_service(live: LiveContext, *, fsync: bool = False, log: SharedLog | None = None) -> Service:
    """The service of a context; with `log` its journal is a copy of one that several servers share."""
    listeners = Listeners(live)
    commit = SharedCommit(live, listeners, log) if log else GroupCommit(live, listeners, fsync=fsync)
    return Service(live, listeners, commit)
