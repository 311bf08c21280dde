# SPDX-License-Identifier: GPL-3.0-or-later

"""What a number is, by the words of its name and by its unit: the one table that all methods ask.

A number of parts may be a setting: the same on all twins, and from run to run, until something is wrong. Events vary by
themselves. Readings vary with what a machine does. Some readings are noise by nature: what they are depends on the
moment in which somebody looks, so only a limit makes a problem of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

SETTING, EVENTS, READING, NOISE, UNKNOWN = "setting", "events", "reading", "noise", ""
WORD = re.compile(r"[a-z]+")


class _Signs(NamedTuple):
    """The words and the units, in lower case, of one kind of number."""

    kind: str
    words: frozenset[str]
    units: frozenset[str]


def _signs(kind: str, words: str, units: str) -> _Signs:
    return _Signs(kind, frozenset(words.split()), frozenset(units.split()))


KINDS: Sequence[_Signs] = (
    _signs(
        NOISE,
        "age back busiest busy duration elapsed epoch gap hogs jitter latency load outage percent pid pids processes "
        "rate rates return rtt seconds seq share started tasks time times timestamp uptime",
        "ns us ms s min h d days 1/s 1/min 1/h 1/d hz packets/s pps frames/s events/s bogo_ops/s",
    ),
    _signs(
        EVENTS,
        "answers attempts bad changes collisions corrected counter crc discards downs drops dropped entries error "
        "errors failed failures faults flaps frames hits jumps lines loss lost missed overruns packets reboots reseats "
        "resets restarts retransmits retries rx sent timeouts tries tx uncorrected warned",
        "count counts drops errors events frames lines packets pings retries sectors times tries",
    ),
    _signs(
        READING,
        "available celsius current fan free frequency mean median peak reading temperature usage used",
        "% a b bytes c cel celsius dbm degf f flows gb gb/s gbit/s gib gib/s ghz j k kb kib khz kwh ma mb mb/s mbit/s "
        "mhz mib mib/s mv mw pa processes rpm tib v w wh °c °f",
    ),
    _signs(
        SETTING,
        "capacity cards channels cores cpus detectors dimms disks drives fans gpus lanes links modules mtu neighbours "
        "nics nodes paths peers ports psus sensors sessions size slots sockets speed supplies switches total vlans "
        "width",
        "cards cores cpus detectors devices disks drives fans gpus lanes links modules nodes paths ports sensors "
        "sessions slots supplies versions",
    ),
)
"""What has the unit of a duration or a rate is noise. Else the first kind of which the name has a word counts, and then
the first of which it has the unit."""


@lru_cache(100_000)
def kind_of(name: str, unit: str = "") -> str:
    """The kind of a number with this name, or path in the context, and unit; `UNKNOWN` where neither tells."""
    words, unit = {*WORD.findall(name.lower())}, unit.lower()
    by_unit = next((each.kind for each in KINDS if unit in each.units), UNKNOWN)
    by_word = next((each.kind for each in KINDS if words & each.words), UNKNOWN)
    return NOISE if by_unit == NOISE else by_word or by_unit


_sizes = _signs(
    READING,
    "",
    "% b bytes flows gb gb/s gbit/s ghz gib gib/s k kb khz kib kwh mb mb/s mbit/s mhz mib mib/s processes rpm tib wh",
)
UNSIGNED = _sizes.units.union(*(each.units for each in KINDS if each.kind in (NOISE, EVENTS)))
"""Units of what is not below 0: times, rates, counts, sizes, shares. Temperatures, voltages, levels in dBm may be."""
SIGNED = frozenset(("balance", "change", "delta", "deviation", "difference", "drift", "gain", "margin", "offset",
                    "skew", "slack", "slope"))  # fmt: skip


def is_never_negative(name: str, unit: str) -> bool:
    """Whether a number with this name and unit cannot be below 0; not known where neither tells, and so False."""
    if SIGNED & {*WORD.findall(name.lower())}:
        return False
    return unit.lower() in UNSIGNED if unit else kind_of(name) in (NOISE, EVENTS)
