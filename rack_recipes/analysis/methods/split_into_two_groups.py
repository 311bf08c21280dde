# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twins that are not alike: two groups of values with a gap between them, and the attribute that tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, Places

WIDE = 14
"""A gap of more than so many median gaps is wide. Two groups 10 sigma apart have one in 94 to 100 % of groups of 16 and
more; so have 11 % of lognormal groups, but hardly ever with an attribute that fits (notes/analysis.md, 1)."""
LEAST_HOSTS = 16
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Separator:
    """An attribute whose values are others on both sides, and the chance that one of this kind fits so well."""

    attribute: str
    lower: tuple[str, ...]
    upper: tuple[str, ...]
    p: float


@dataclass(frozen=True, slots=True)
class TwoGroups:
    """The places of the lower and of the upper values, the ends of the gap between them, and what tells them apart."""

    lower: tuple[int, ...]
    upper: tuple[int, ...]
    below: float
    above: float
    separators: tuple[Separator, ...]


def two_groups(
    values: Floats, attributes: Mapping[str, Sequence[str]], most_deviants: int, *, must_part: bool
) -> TwoGroups | None:
    """Return the two groups of values, None if they are one, or if no attribute tells them apart.

    A side needs more than `most_deviants` hosts. The gap must be wide, unless `must_part`: more than that are outliers.
    """
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    allowed = gaps[most_deviants : len(gaps) - most_deviants]
    if not len(allowed) or not allowed.max():
        return None
    size = most_deviants + 1 + int(allowed.argmax())
    wide = len(values) >= LEAST_HOSTS and allowed.max() > WIDE * np.median(gaps)
    lower, upper = order[:size], order[size:]
    found = separators(lower, upper, attributes) if wide or must_part else ()
    if not found:
        return None
    ends = float(values[lower[-1]]), float(values[upper[0]])
    return TwoGroups(tuple(sorted(lower.tolist())), tuple(sorted(upper.tolist())), *ends, found)


def separators(lower: Places, upper: Places, attributes: Mapping[str, Sequence[str]]) -> tuple[Separator, ...]:
    """Return the attributes that have other values on both sides, unless as good a fit is common.

    The chance: the ways in which an attribute with so many values parts hosts, among all ways to choose so many hosts,
    times the number of attributes. So a serial number, which parts any hosts, never fits.
    """
    found = []
    for name, values in attributes.items():
        below, above = {values[place] for place in lower}, {values[place] for place in upper}
        ways = 2 ** len(below | above) - 2
        p = min(ways * len(attributes) / comb(len(lower) + len(upper), len(lower)), 1.0)
        if not below & above and p <= ALPHA:
            found.append(Separator(name, tuple(sorted(below)), tuple(sorted(above)), p))
    return tuple(sorted(found, key=lambda one: (one.p, one.attribute)))
