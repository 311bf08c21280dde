# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a format's reader has found becomes a plan, once nothing is wrong with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rack_recipes.cabling.plan_model import Cable, CablingPlan, End, Position
from rack_recipes.errors import UsageError
from rack_recipes.recipe.yaml.values_in_messages import closest, quoted

LONGEST = 255  # characters of a name: the longest system name of LLDP (IEEE 802.1AB, 8.5.6) and port id (8.5.3)
JINJA = re.compile(r"\{[{%#]")
MOST_SHOWN = 20  # problems


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: `where` is a file with line and column, or with the path of a JSON value."""

    where: str
    expected: str
    got: str = ""
    near: str = ""

    def __str__(self) -> str:
        got = f", got {self.got}" if self.got else ""
        near = f" (did you mean {self.near!r}?)" if self.near else ""
        return f"{self.where}: expected {self.expected}{got}{near}"


@dataclass(slots=True)
class Draft:
    """What one source or several say.

    `devices` has the place of each device that is listed by itself, `listed_in` the names of these lists; without a
    list every name is good. `left_out` counts by reason what is no cable between two ports of a network.
    """

    cables: list[Cable] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    listed_in: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, other: Draft) -> None:
        """Take over what another source says."""
        self.cables += other.cables
        self.positions |= other.positions
        self.devices |= other.devices
        self.listed_in += other.listed_in
        self.problems += other.problems
        self.left_out.update(other.left_out)

    def wrong(self, where: str, expected: str, got: str = "", near: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(where, expected, got, near))


def build(draft: Draft) -> CablingPlan:
    """The plan of a draft, its cables in their order. Raises UsageError with all that is wrong."""
    problems = [*draft.problems, *_problems(draft)]
    if problems:
        raise refused(problems)
    named = {end.device for cable in draft.cables for end in cable.ends}
    positions = {name: place for name, place in sorted(draft.positions.items()) if name in named}
    return CablingPlan(tuple(draft.cables), positions, dict(draft.left_out))


def refused(problems: Sequence[Problem]) -> UsageError:
    """The error of these problems."""
    more = len(problems) - MOST_SHOWN
    return UsageError(
        "\n".join([*map(str, problems[:MOST_SHOWN]), *([f"and {more} more problems"] if more > 0 else [])])
    )


def _problems(draft: Draft) -> Iterator[Problem]:
    first: dict[End, Cable] = {}
    for cable in draft.cables:
        yield from _wrong_names(cable)
        yield from _unknown_devices(cable, draft)
        if cable.a == cable.b:
            yield Problem(cable.where, f"another port at the other end of {cable.a}", "a cable to itself")
            continue
        for end in cable.ends:
            before = first.setdefault(end, cable)
            if before is not cable:
                again = "the same cable again" if {*before.ends} == {*cable.ends} else str(cable)
                yield Problem(cable.where, f"port {end} once (first at {before.where}: {before})", again)
                break


def _wrong_names(cable: Cable) -> Iterator[Problem]:
    """Names come from elsewhere: what no port is called could be code in the templates of a playbook."""
    for end in cable.ends:
        for what, name in (("device", end.device), ("port", end.port)):
            is_good = name.isprintable() and len(name) <= LONGEST and not JINJA.search(name)
            if not is_good or (what == "device" and ":" in name):
                yield Problem(cable.where, f"the name of a {what}", quoted(name))
    if JINJA.search(cable.label) or not cable.label.isprintable():
        yield Problem(cable.where, "the label of a cable", quoted(cable.label))


def _unknown_devices(cable: Cable, draft: Draft) -> Iterator[Problem]:
    if not draft.listed_in:
        return
    for device in dict.fromkeys(end.device for end in cable.ends):
        if device not in draft.devices:
            near = closest(device, tuple(draft.devices))
            meant = f" (did you mean {near!r}, at {draft.devices[near]}?)" if near else ""
            yield Problem(cable.where, f"a device of {', '.join(draft.listed_in)}", f"{quoted(device)}{meant}")
