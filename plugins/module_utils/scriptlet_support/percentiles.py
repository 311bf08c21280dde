# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Percentiles of exact numbers.

They are those of type 7 in R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American
Statistician 50 (1996), which NumPy, pandas, R and spreadsheets (PERCENTILE.INC) have by default.
"""

from __future__ import annotations

from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(ranked: Sequence[Decimal], percent: Decimal) -> Decimal:
    """The percentile of numbers in ascending order; between two of them it is interpolated. To call in `exact_number`.

    `percent` is from 0 (the smallest number) to 100 (the largest).
    """
    place = (len(ranked) - 1) * percent.scaleb(-2)
    below = int(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    return low + (place - below) * (high - low)
