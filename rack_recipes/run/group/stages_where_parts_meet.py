# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the parts of a group meet: before stages that need the hosts of all parts, and behind the canary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GroupStage:
    """Whether it runs once for all parts, and whether it closes the run."""

    is_once: bool = False
    is_closing: bool = False


@dataclass(frozen=True, slots=True)
class MeetingPlaces:
    """The stages that need all parts, by number.

    `behind_canary` has, by the id of a stage task that only runs behind the canary, the first stage of its play; the
    canary may run the same stages in tasks of its own. `is_counted` is whether the canary is a number of hosts: then a
    play runs in batches, and it is the first batch of the part at the first place.
    """

    stages: Mapping[int, GroupStage] = field(default_factory=dict)
    behind_canary: Mapping[str, int] = field(default_factory=dict)
    is_counted: bool = False
