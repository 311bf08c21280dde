# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tests at once: which of them still hold (Benjamini and Hochberg 1995)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, Marks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RATE = 0.05
"""The share of false ones among all that are found, on average, if nothing else is said."""


def adjusted(p: ArrayLike) -> Floats:
    """Return for each p the least rate at which it would be kept."""
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    ranks = np.arange(1, len(given) + 1)
    least = np.minimum.accumulate((given[order] * len(given) / ranks)[::-1])[::-1]
    found = np.empty_like(given)
    found[order] = np.minimum(least, 1.0)
    return found


def kept(p: ArrayLike, rate: float = RATE) -> Marks:
    """Mark the tests that are kept: on average at most `rate` of them are false, if the tests are independent."""
    return adjusted(p) <= rate


def threshold(p: ArrayLike, rate: float = RATE) -> float:
    """The greatest p that is kept, 0 if none is."""
    given = np.asarray(p, dtype=np.float64)
    return float(np.max(given[kept(given, rate)], initial=0.0))
