# SPDX-License-Identifier: GPL-3.0-or-later

"""A cabling plan: its cables, where the devices stand, and the draft that a format's reader makes of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import UsageError
from rack_recipes.recipe.values_in_messages import closest, quoted


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end of a cable: a port of a device."""

    device: str
    port: str

    def __str__(self) -> str:
        return f"{self.device}:{self.port}"

    @classmethod
    def of(cls, text: str) -> End | None:
        """The end in a text NODE:PORT; None where it is none. A port may have colons, a device has none."""
        device, _colon, port = text.partition(":")
        return cls(device.strip(), port.strip()) if device.strip() and port.strip() else None


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable. `review` says what somebody has to look at before it is trusted, `where` its place in the source."""

    a: End
    b: End
    label: str = ""
    review: str = ""
    where: str = field(default="", compare=False)

    @property
    def ends(self) -> tuple[End, End]:
        """Both ends."""
        return self.a, self.b

    def other(self, end: End) -> End:
        """The other end."""
        return self.b if end == self.a else self.a

    def __str__(self) -> str:
        return f"{self.a} - {self.b}" + (f" ({self.label})" if self.label else "")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device stands: its rack, and the height unit where that is known."""

    rack: str
    unit: float | None = None

    def __str__(self) -> str:
        return f"rack {self.rack}" + ("" if self.unit is None else f", unit {self.unit:g}")


@dataclass(frozen=True)
class CablingPlan:
    """All cables, and the positions by device. `left_out` counts what the source has that is no cable of a network."""

    cables: tuple[Cable, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def at(self) -> Mapping[End, Cable]:
        """The cable in each port."""
        return {end: cable for cable in self.cables for end in cable.ends}

    @cached_property
    def ports(self) -> Mapping[str, Mapping[str, str]]:
        """For each device its ports, each with the NODE:PORT at its other end."""
        found: dict[str, dict[str, str]] = {}
        for end, cable in self.at.items():
            found.setdefault(end.device, {})[end.port] = str(cable.other(end))
        return found

    @cached_property
    def _by_short_name(self) -> Mapping[str, Sequence[str]]:
        """The devices by their names without the domain."""
        found: dict[str, list[str]] = {}
        for device in self.ports:
            found.setdefault(device.partition(".")[0], []).append(device)
        return found

    def of_host(self, host: str) -> Mapping[str, str]:
        """The ports of a host of the inventory. One of the two names may lack the domain, if that leaves no doubt."""
        found = self.ports.get(host) or self.ports.get(host.partition(".")[0])
        if not found and len(full := self._by_short_name.get(host, ())) == 1:
            found = self.ports[full[0]]
        return found or {}

    def strangers(self, hosts: Sequence[str]) -> str:
        """What the plan names and what the inventory, where no host of the inventory is in the plan; else empty."""
        if any(map(self.of_host, hosts)):
            return ""
        mine = first_few(sorted(self.ports), FEW) or "none"
        return f"no host of the inventory is in the plan: it names {mine}, the inventory {first_few(hosts, FEW)}"


FEW = 3  # names in a message
LONGEST = 255  # characters of a name: the longest system name of LLDP (IEEE 802.1AB, 8.5.6) and port id (8.5.3)
JINJA = re.compile(r"\{[{%#]")
MOST_SHOWN = 20  # problems


def problem(where: str, expected: str, got: str = "", near: str = "") -> str:
    """One thing that is wrong with a source, and where, in words; `near` is what was perhaps meant."""
    meant = f" (did you mean {near!r}?)" if near else ""
    return f"{where}: expected {expected}{f', got {got}' if got else ''}{meant}"


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
    problems: list[str] = field(default_factory=list)
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
        self.problems.append(problem(where, expected, got, near))


def build_plan(draft: Draft) -> CablingPlan:
    """The plan of a draft, its cables in their order. Raises UsageError with all that is wrong."""
    problems = [*draft.problems, *_problems(draft)]
    if problems:
        raise refused(problems)
    named = {end.device for cable in draft.cables for end in cable.ends}
    positions = {name: place for name, place in sorted(draft.positions.items()) if name in named}
    return CablingPlan(tuple(draft.cables), positions, dict(draft.left_out))


def refused(problems: Sequence[str]) -> UsageError:
    """The error of these problems."""
    more = len(problems) - MOST_SHOWN
    return UsageError("\n".join([*problems[:MOST_SHOWN], *([f"and {more} more problems"] if more > 0 else [])]))


def _problems(draft: Draft) -> Iterator[str]:
    first: dict[End, Cable] = {}
    for cable in draft.cables:
        yield from _wrong_names(cable)
        yield from _unknown_devices(cable, draft)
        if cable.a == cable.b:
            yield problem(cable.where, f"another port at the other end of {cable.a}", "a cable to itself")
            continue
        for end in cable.ends:
            before = first.setdefault(end, cable)
            if before is not cable:
                again = "the same cable again" if {*before.ends} == {*cable.ends} else str(cable)
                yield problem(cable.where, f"port {end} once (first at {before.where}: {before})", again)
                break


def _wrong_names(cable: Cable) -> Iterator[str]:
    """Names come from elsewhere: what no port is called could be code in the templates of a playbook."""
    for end in cable.ends:
        for what, name in (("device", end.device), ("port", end.port)):
            is_good = name.isprintable() and len(name) <= LONGEST and not JINJA.search(name)
            if not is_good or (what == "device" and ":" in name):
                yield problem(cable.where, f"the name of a {what}", quoted(name))
    if JINJA.search(cable.label) or not cable.label.isprintable():
        yield problem(cable.where, "the label of a cable", quoted(cable.label))


def _unknown_devices(cable: Cable, draft: Draft) -> Iterator[str]:
    if not draft.listed_in:
        return
    for device in dict.fromkeys(end.device for end in cable.ends):
        if device not in draft.devices:
            near = closest(device, tuple(draft.devices))
            meant = f" (did you mean {near!r}, at {draft.devices[near]}?)" if near else ""
            yield problem(cable.where, f"a device of {', '.join(draft.listed_in)}", f"{quoted(device)}{meant}")
