# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts have in common: by attribute and value, the hosts that have it.

The attributes are those of the inventory, the hosts' groups, whom they are reached through, and what steps that failed
nowhere have learned about them: the devices that their ports see, and short texts in the context, such as a model or a
version of firmware.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rack_recipes.analysis.link_reports import KEYS, link_reports
from rack_recipes.analysis.run_data import RunData

GROUPS, GROUP = "groups", "group"  # the attribute of the run, and what it is called here
THROUGH = "through"
DEVICE = "uplink to"  # the device in an attribute such as `uplinks: [leaf3:12]`
PORT = re.compile(r"(?P<device>[^:\s]+):\S+")

LONGEST = 64  # characters of a learned text
LEAST_HOSTS = 2  # a value of one host says nothing that its name does not say
# Learned numbers are attributes only under such names: others are counts and measurements.
NUMBERS = re.compile(r"version|revision|firmware|microcode|generation|stepping|slot|port|vlan|mtu|speed|width|lanes")

Traits = Mapping[str, Mapping[str, frozenset[str]]]
Hosts = dict[str, dict[str, set[str]]]  # the same, while they are gathered


def traits_of(run: RunData, unsure: Iterable[str] = ()) -> Traits:
    """By attribute and value, the hosts. What the steps in `unsure` have learned may be a symptom and is left out."""
    left_out = frozenset(unsure)
    found: Hosts = defaultdict(lambda: defaultdict(set))
    for attribute, value, host in (*_said(run), *_through(run), *_neighbours(run, left_out)):
        found[attribute][value].add(host)
    found.update(_learned(run, left_out))
    return {
        attribute: {value: frozenset(hosts) for value, hosts in sorted(values.items()) if len(hosts) >= LEAST_HOSTS}
        for attribute, values in sorted(found.items())
    }


def values_of(traits: Traits, attribute: str, hosts: frozenset[str]) -> list[str]:
    """The values that these hosts have, the most common one first."""
    counted = ((len(hosts & own), value) for value, own in traits.get(attribute, {}).items())
    return [value for count, value in sorted(counted, key=lambda one: (-one[0], one[1])) if count]


Pair = tuple[str, str, str]  # attribute, value, host


def _said(run: RunData) -> Iterator[Pair]:
    """What the inventory says. Each element of a list is a value."""
    for host, attributes in run.attributes.items():
        for name, given in attributes.items():
            for value in given if isinstance(given, list) else [given]:
                yield GROUP if name == GROUPS else name, str(value), host
                port = PORT.fullmatch(str(value)) if isinstance(given, list) else None
                if port:
                    yield DEVICE, port["device"], host


def _through(run: RunData) -> Iterator[Pair]:
    for row in run.steps:
        if row["host"] and row.get("through") and row["through"] != row["host"]:
            yield THROUGH, row["through"], row["host"]


def _neighbours(run: RunData, unsure: frozenset[str]) -> Iterator[Pair]:
    """The devices that a host's ports see."""
    for end, report in link_reports(run).items():
        if report.peer and report.sources["peer"].step not in unsure:
            yield DEVICE, report.peer.device, end.device


def _learned(run: RunData, unsure: frozenset[str]) -> Hosts:
    """Short texts and some numbers in the context, where they have few different values."""
    found: Hosts = defaultdict(lambda: defaultdict(set))
    of_links = {key for key in {row["key"] for row in run.context} if KEYS.fullmatch(key)}
    for row in run.context:
        if row["host"] and row.get("step") not in unsure and row["key"] not in of_links:
            _add_leaves(found, row["key"], row["value"], row["host"])
    return {attribute: _short(values) for attribute, values in found.items() if _are_few(values)}


def _short(values: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {value: hosts for value, hosts in values.items() if 0 < len(value) <= LONGEST and value.isprintable()}


def _add_leaves(found: Hosts, path: str, value: Any, host: str) -> None:
    """The only loop over all that a run has learned, which may be a million leaves."""
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            _add_leaves(found, f"{path}.{name}", item, host)
    elif kind is str or (kind is int and NUMBERS.search(path.rpartition(".")[2].lower())):
        found[path][str(value)].add(host)


def _are_few(values: Mapping[str, set[str]]) -> bool:
    """At most half as many values as there are hosts with them, or two."""
    return len(values) <= max(2, sum(map(len, values.values())) // 2)
