# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments of numbers, and tails and quantiles of distributions, by the standard library alone.

The median is subtracted before anything is squared, and sums are exact. So 1e12+-1 gives as many right digits as 0+-1,
where pandas' groupby has 5 of 16 (notes/analysis.md, 7). That takes less time than numpy, whose arrays are made first.
Percentiles are interpolated by Hyndman and Fan's type 7, as numpy, pandas, R and Excel do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, frexp, fsum, inf, isclose, lgamma, log, log1p, nan, sqrt


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one group of values; NaN is what too few values do not have.

    `variance` is the sample's (n - 1). `mad` is the median distance from the median, not scaled. `skewness` is G1, the
    sample skewness that pandas and Excel show.
    """

    count: int
    mean: float = nan
    variance: float = nan
    median: float = nan
    mad: float = nan
    skewness: float = nan
    least: float = nan
    greatest: float = nan


def compute_moments(numbers: Sequence[float]) -> Moments:
    """The moments of numbers. They are finite, and not greater than 1e150. Equal ones have the variance 0."""
    ordered, n = sorted(numbers), len(numbers)
    if not n:
        return Moments(0)
    middle = median_of_sorted(ordered)
    apart = [number - middle for number in ordered]
    shift = fsum(apart) / n
    rest = [one - shift for one in apart]
    variance = fsum(one * one for one in rest) / (n - 1) if n > 1 else nan
    mad = median_of_sorted(sorted(map(abs, apart)))
    return Moments(n, middle + shift, variance, middle, mad, _skewness(rest), ordered[0], ordered[-1])


def _skewness(rest: Sequence[float]) -> float:
    """G1, the sample skewness, of distances from the mean."""
    n, size = len(rest), max(map(abs, rest))
    if n < 3 or not size:
        return nan
    scaled = [one / 2.0 ** frexp(size)[1] for one in rest]  # a power of two changes no digit
    deviation = sqrt(fsum(one * one for one in scaled) / (n - 1))
    return fsum((one / deviation) ** 3 for one in scaled) * n / ((n - 1) * (n - 2))


def median_of_sorted(ordered: Sequence[float]) -> float:
    """The median of sorted numbers, of which there is at least one."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else low / 2 + high / 2


def percentile_of_sorted(ordered: Sequence[float], percent: float) -> float | None:
    """A percentile of type 7 of sorted numbers; None if there are too few for it, such as fewer than 20 for p95."""
    return None if len(ordered) < values_for_percentile(percent) else quantile_of_sorted(ordered, percent / 100)


def quantile_of_sorted(ordered: Sequence[float], share: float) -> float:
    """The quantile of type 7 of at least one sorted number: a share from 0 to 1 of them is below it."""
    place = (len(ordered) - 1) * share
    low, part = floor(place), place - floor(place)
    below, above = float(ordered[low]), float(ordered[ceil(place)])
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


def values_for_percentile(percent: float) -> int:
    """How many values a percentile needs, so that one of them is expected beyond it: 20 for p95, 100 for p99."""
    return 1 if percent == 50 else ceil(round(100 / min(percent, 100 - percent), 9))


FRACTIONS = 10_000  # terms of a continued fraction, which converges in about sqrt(max(a, b))
TINY = 1e-300
PRECISION = 1e-16


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, for `a` and `b` above 0 and `x` from 0 to 1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Lentz's method for the continued fraction of the incomplete beta function (Numerical Recipes, 6.4)."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, FRACTIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            found *= c * d
        if isclose(c * d, 1, rel_tol=PRECISION):
            break
    return found


def _not_zero(number: float) -> float:
    return number if abs(number) > TINY else TINY


def student_two_sided(t: float, freedom: float) -> float:
    """The chance that Student's t with `freedom` degrees lies further from 0 than `t`."""
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def student_quantile(probability: float, freedom: float) -> float:
    """The value below which Student's t lies with a probability of 0.5 or more, and less than 1."""
    tail = 2 * (1 - probability)
    share = invert(lambda x: incomplete_beta(freedom / 2, 0.5, x), tail)
    return sqrt(freedom * (1 - share) / share) if share else inf


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value below which a beta variable lies with a probability."""
    return invert(lambda x: incomplete_beta(a, b, x), probability)


def invert(function: Callable[[float], float], wanted: float) -> float:
    """Where a function that rises from 0 to 1 between 0 and 1 has a value, by bisection to the last digit."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if function(middle) < wanted:
            low = middle
        else:
            high = middle
    return middle


def hypergeometric_tail(least: int, everything: int, marked: int, drawn: int) -> float:
    """The chance that `drawn` of `everything` hold `least` or more of the `marked` ones."""
    fewest, most = max(drawn + marked - everything, 0), min(marked, drawn)
    if least <= fewest or least > most:
        return float(least <= fewest)
    term = exp(
        log_choose(marked, least) + log_choose(everything - marked, drawn - least) - log_choose(everything, drawn)
    )
    total = term
    for count in range(least, most):
        term *= (marked - count) * (drawn - count)
        term /= (count + 1) * (everything - marked - drawn + count + 1)
        total += term
    return min(total, 1.0)


def log_choose(n: int, k: int) -> float:
    """The logarithm of the number of ways to choose `k` of `n`."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
