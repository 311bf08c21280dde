# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words for what hosts have in common, and what a technician does next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rack_recipes.analysis.methods.causes import Shared

MOST_OTHERS = 3  # values of hosts that passed, to compare with


class Words(NamedTuple):
    """`{it}` stands for the attribute with its value, `{others}` for the values of the hosts that passed."""

    hosts: str
    word: str
    advice: str


COMPARE = "Compare one of these hosts with one of another {word}."
VERSIONS = "Compare the versions: these hosts have {value}, the others have {others}."

# Of attributes that the same hosts share, the first one here gives the name.
WORDS: Mapping[str, Words] = {
    "uplinks": Words("hosts with {it}", "uplink", "Check the cable and the port {value} at both ends."),
    "leaf": Words("hosts of {it}", "leaf", "Check {it}: its ports to these hosts, its uplinks, and its log."),
    "uplink to": Words("hosts with an {it}", "uplink to", "Check {value}: its ports, its own uplinks and its log."),
    "pdu": Words("hosts on {it}", "PDU", "Check {it}: its outlets, its load and its breaker."),
    "power_feed": Words("hosts on {it}", "power feed", "Check {it}: its voltage, its load and its breaker."),
    "through": Words("hosts behind {value}", "delegate", "Check {value} first: all of them are reached through it."),
    "batch": Words(
        "hosts of {it}", "batch", "Swap one part of {it} with one of another batch, and run the test again."
    ),
    "firmware": Words("hosts with {it}", "firmware", VERSIONS),
    "nic_model": Words("hosts with {it}", "NIC model", COMPARE + " Look at driver and firmware of the NIC."),
    "model": Words("hosts of {it}", "model", COMPARE + " Look at firmware and settings."),
    "vendor": Words("hosts of {it}", "vendor", COMPARE),
    "class": Words("hosts of {it}", "class", COMPARE),
    "role": Words("hosts with {it}", "role", COMPARE),
    "rack": Words("hosts in {it}", "rack", "Look at what {it} shares: power, cooling, its switch."),
    "spine": Words("hosts of {it}", "spine", "Check {it}: its ports, its routes and its log."),
    "row": Words("hosts in {it}", "row", "Look at what {it} shares: power, cooling, its network."),
    "site": Words("hosts at {it}", "site", "Look at what {it} shares: services such as DNS, NTP and routes."),
    "position": Words("hosts at {it}", "position", "Look at what is the same at {it} in each rack: cables, air flow."),
    "u": Words("hosts at {it}", "U", "Look at what is the same at {it} in each rack: cables, air flow."),
    "group": Words("hosts of {it}", "group", "Compare the variables of {it} with those of other groups."),
}
VERSION = re.compile(r"firmware|version|bios|driver|kernel|revision|microcode|release")
_PLACES = {attribute: place for place, attribute in enumerate(WORDS)}


def most_telling(names: Sequence[Shared]) -> list[Shared]:
    """What the same hosts share, in the order of the table; what a step has learned comes last."""
    return sorted(names, key=lambda name: (_PLACES.get(name.attribute, len(WORDS)), name))


def hosts_with(name: Shared) -> str:
    """The hosts in words: `hosts of leaf2`."""
    words = _words(name.attribute)
    return words.hosts.format(it=phrase(name), value=name.value)


def phrase(name: Shared) -> str:
    """The attribute with its value: `leaf2` or `power feed B`."""
    word = _words(name.attribute).word
    return name.value if name.value.lower().startswith(word.lower()) else f"{word} {name.value}"


def advice_for(name: Shared, others: Sequence[str]) -> str:
    """What to do next; `others` are the values of the hosts that passed, the most common one first."""
    words = _words(name.attribute)
    return words.advice.format(
        it=phrase(name), value=name.value, word=words.word, others=" or ".join(others[:MOST_OTHERS]) or "no known one"
    )


def _words(attribute: str) -> Words:
    if attribute in WORDS:
        return WORDS[attribute]
    is_version = VERSION.search(attribute.rpartition(".")[2].lower())
    return Words("hosts with {it}", attribute, VERSIONS if is_version else COMPARE)
