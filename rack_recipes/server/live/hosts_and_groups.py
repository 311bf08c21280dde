# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the record of a run says of its hosts: their names, and the groups of the inventory that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GROUPS = "groups"  # the attribute of a host with the names of its groups


@dataclass(frozen=True, slots=True)
class RunOutline:
    """The hosts of a run, and those of each group, in the order of the run."""

    hosts: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def outline_of(record: Mapping[str, Any]) -> RunOutline:
    """The outline of a run by its record."""
    hosts = tuple(map(str, record.get("hosts") or ()))
    attributes = record.get("attributes") or {}
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in attributes.get(host, {}).get(GROUPS) or ():
            groups.setdefault(str(group), []).append(host)
    return RunOutline(hosts, {name: tuple(members) for name, members in groups.items()})
