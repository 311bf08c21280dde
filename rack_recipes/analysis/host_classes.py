# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are twins: those of one class, by what the inventory says of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Attributes = Mapping[str, Mapping[str, Any]]

CLASS = "class"
INSTEAD = ("model", "role")  # together they say what a class would


def host_class(attributes: Mapping[str, Any]) -> str:
    """The class of a host in words, such as `class gpu` or `model X1, role leaf`; empty where nothing is known."""
    names = (CLASS,) if attributes.get(CLASS) else INSTEAD
    return ", ".join(f"{name} {text(attributes[name])}" for name in names if attributes.get(name))


def by_class(hosts: Iterable[str], attributes: Attributes) -> dict[str, list[int]]:
    """The places of the hosts of each class, without the run itself. Hosts of which nothing is known are one class."""
    found = defaultdict(list)
    for place, host in enumerate(hosts):
        if host:
            found[host_class(attributes.get(host, {}))].append(place)
    return found


class Twins:
    """The classes of lists of hosts, each worked out once: most series of a run are of the same hosts."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._classes: dict[tuple[str, ...], dict[str, list[int]]] = {}
        self._columns: dict[tuple[str, ...], dict[str, list[str]]] = {}

    def by_class(self, hosts: Sequence[str]) -> Mapping[str, Sequence[int]]:
        """The places of the hosts of each class."""
        key = (*hosts,)
        if key not in self._classes:
            self._classes[key] = by_class(hosts, self._attributes)
        return self._classes[key]

    def columns(self, hosts: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The values of each attribute that tells these hosts apart, in their order."""
        key = (*hosts,)
        if key not in self._columns:
            self._columns[key] = columns(hosts, self._attributes)
        return self._columns[key]


def columns(hosts: Sequence[str], attributes: Attributes) -> dict[str, list[str]]:
    """The values of each attribute in the order of these hosts, as texts; those that all hosts share are left out."""
    names = dict.fromkeys(name for host in hosts for name in attributes.get(host, {}))
    found = {name: [text(attributes.get(host, {}).get(name, "")) for host in hosts] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def text(value: Any) -> str:
    """An attribute as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
