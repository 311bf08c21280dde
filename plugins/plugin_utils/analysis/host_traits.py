# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts have in common: by attribute and value, the hosts that have it.

The attributes are those of the inventory, the hosts' groups, whom they are reached through, and what steps that failed
nowhere have learned about them: short texts in the context, such as a model or a version of firmware.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData

GROUPS, GROUP = "groups", "group"  # the attribute of the run, and what it is called here
THROUGH = "through"
DEVICE = "uplink to"  # the device in an attribute such as `uplinks: [leaf3:12]`
PORT = re.compile(r"(?P<device>[^:\s]+):\S+")

LONGEST = 64  # characters of a learned text
LEAST_HOSTS = 2  # a value of one host says nothing that its name does not say
# Learned numbers are attributes only under such names: others are counts and measurements.
NUMBERS = re.compile(r"version|revision|firmware|microcode|generation|stepping|slot|port|vlan|mtu|speed|width|lanes")

Traits = Mapping[str, Mapping[str, frozenset[str]]]


def traits_of(run: RunData, unsure: Iterable[str] = ()) -> Traits:
    """By attribute and value, the hosts. What the steps in `unsure` have learned may be a symptom and is left out."""
    pairs = {*_said(run), *_through(run), *_few(_learned(run, frozenset(unsure)))}
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for attribute, value, host in pairs:
        found[attribute][value].add(host)
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


def _learned(run: RunData, unsure: frozenset[str]) -> Iterator[Pair]:
    for row in run.context:
        if row["host"] and row.get("step") not in unsure:
            for path, value in _leaves(row["key"], row["value"]):
                if _is_short(path, value):
                    yield path, str(value), row["host"]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}", item)
    else:
        yield path, value


def _is_short(path: str, value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST and value.isprintable()
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and bool(NUMBERS.search(path.rpartition(".")[2].lower()))


def _few(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Only attributes with few values: at most half as many as there are hosts with them, or two."""
    by_attribute: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_attribute[pair[0]].append(pair)
    for own in by_attribute.values():
        values = {value for _attribute, value, _host in own}
        if len(values) <= max(2, len(own) // 2):
            yield from own
