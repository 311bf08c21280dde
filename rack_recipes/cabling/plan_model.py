# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cabling plan: cables with two ends each, and where the devices stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


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

    def of_host(self, host: str) -> Mapping[str, str]:
        """The ports of a host of the inventory, which may have its domain in its name."""
        return self.ports.get(host) or self.ports.get(host.partition(".")[0], {})
