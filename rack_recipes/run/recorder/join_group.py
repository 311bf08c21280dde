# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Joins the group at its context server, where the recipe needs the hosts of all parts."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError
from rack_recipes.errors import UsageError
from rack_recipes.run.group.group_keys import GroupKeys
from rack_recipes.run.group.meeting import Meeting, Member
from rack_recipes.run.group.server_link import link_of
from rack_recipes.run.group.stages_where_parts_meet import MeetingPlaces
from rack_recipes.run.recorder.play_outline import PlayOutline
from rack_recipes.run.recorder.run_group_membership import Membership
from rack_recipes.settings import Settings
from rack_recipes.store.run_plan import packed

HOW_MANY = (
    "this recipe needs the other parts of the group {}: say how many parts there are (--parts N, in AWX the "
    "extra var rack_recipes_parts), so that each one knows for whom it has to wait"
)


def join(
    settings: Settings,
    member: Membership,
    name: str,
    own: PlayOutline,
    places: MeetingPlaces,
    canary: Sequence[str],
    about: Sequence[Any],
) -> Meeting:
    """Take a place in the group. `name` is what the other parts call this one, `about` what all parts run alike.

    `canary` are the hosts of this part that run first.

    Raises UsageError where there is no such server, or no place.
    """
    if not member.parts:
        raise UsageError(HOW_MANY.format(member.group))
    link = link_of(settings)
    link.check()
    plan = packed({"steps": [{"name": step.name, "hosts": list(step.hosts)} for step in own.steps.values()]})
    told = Member(
        name,
        socket.gethostname(),
        member.parts,
        _signature(own, places, about),
        settings.reconnect_timeout,
        plan,
        {pattern: sorted(hosts) for pattern, hosts in own.patterns.items()},
        list(canary),
    )
    try:
        return Meeting(GroupKeys(link, member.group), member.group, told, places, settings.group_wait)
    except LiveError as error:
        raise UsageError(f"--server: the group {member.group} cannot be joined: {error}") from error


def _signature(own: PlayOutline, places: MeetingPlaces, about: Sequence[Any]) -> str:
    """A digest of the steps, of their order and of the places where all meet."""
    steps = [(step.name, step.stage, step.scope) for step in own.steps.values()]
    return sha256(json.dumps([steps, sorted(places.stages), *about], sort_keys=True).encode()).hexdigest()
