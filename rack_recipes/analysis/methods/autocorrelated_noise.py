# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Series that remember: what noise alone looks like where each run resembles the one before it (an AR(1) sieve)."""

from __future__ import annotations

from hashlib import sha256

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats

MOST = 0.95  # memory beyond which no series of our lengths has an answer


def generator(key: str) -> np.random.Generator:
    """Return the random numbers of a series: always the same for the same key, so that an answer can be repeated."""
    return np.random.default_rng(int.from_bytes(sha256(key.encode()).digest()[:16]))


def memory(residuals: Floats) -> float:
    """Return how much of a residual is left in the next one, 0 to `MOST`, corrected for the shortness of the series.

    (n phi + 2) / (n - 4), where phi is the autocorrelation at lag 1 (notes/analysis.md, 2).
    """
    n, squares = len(residuals), float(residuals @ residuals)
    if squares == 0:
        return 0.0
    phi = float(residuals[1:] @ residuals[:-1]) / squares
    return min(max((n * phi + 2) / (n - 4), 0.0), MOST)


def noise_like(residuals: Floats, series: int, random: np.random.Generator) -> Floats:
    """Return `series` series (rows) with the length, the memory and the values of some residuals, and nothing else."""
    phi = memory(residuals)
    steps = residuals[1:] - phi * residuals[:-1]
    drawn = random.choice(steps - steps.mean(), size=(series, len(residuals)))
    drawn[:, 0] /= np.sqrt(1 - phi * phi)
    for place in range(1, len(residuals)):
        drawn[:, place] += phi * drawn[:, place - 1]
    return drawn
