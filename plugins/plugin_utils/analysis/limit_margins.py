# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measured values and their limits: how near a value is to its limit, and the limits in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, LIMITS, MARGINAL, PASSED
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdicts import SEVERITY, rank

if TYPE_CHECKING:
    from pandas import DataFrame, Series

VERDICTS = (FAILED, MARGINAL, PASSED)  # of a criterion
UNJUDGED = len(SEVERITY)
SEVERAL = "differ"
"""Shown instead of limits that are not the same on all hosts."""


def values(measurements: DataFrame) -> DataFrame:
    """Every measured value. Those with limits come first, by verdict and the nearest to its limit first."""
    return _nearest_first(_judged(measurements), ["host", "step", "n"])


def criteria(measurements: DataFrame) -> DataFrame:
    """A row for each criterion (planned step, name, unit), by verdict and the nearest to its limit first.

    Each row has the `limits`, the number of `values`, how many of them `failed`, were `marginal` or `passed`, and the
    worst `verdict`. The columns `value`, `distance`, `margin` and `nearest_host` are those of the value that is nearest
    to its limit, or furthest beyond it.
    """
    judged = values(measurements[measurements["verdict"].notna()]).fillna({"unit": ""})
    by = ["planned", "name", "unit"]
    marks = judged.assign(**{name: judged["verdict"] == name for name in VERDICTS})
    grouped = marks.groupby(by, observed=True, sort=False)
    counted = grouped[list(VERDICTS)].sum().astype("Int64")
    told = grouped.agg(limits=("limits", _same), worst=("verdict", _worst), values=("name", "size"))
    nearest = marks.drop_duplicates(by).set_index(by)[["value", "distance", "margin", "host"]]
    found = counted.join(told).join(nearest).reset_index()
    names = {"planned": "step", "worst": "verdict", "host": "nearest_host"}
    return _nearest_first(found.rename(columns=names), ["step", "name", "unit"])


def _same(limits: Series) -> str:
    found = set(limits)
    return str(found.pop()) if len(found) == 1 else SEVERAL


def _worst(verdicts: Series) -> str:
    return min(map(str, verdicts), key=rank)


def _judged(measurements: DataFrame) -> DataFrame:
    """The measurements with their `margin`, and with their limits in words."""
    rows = zip(measurements["limits"], measurements["distance"], measurements["number"], strict=True)
    margins = [margin(limits or {}, distance, number) for limits, distance, number in rows]
    words: list[Any] = [in_words(limits) if limits else None for limits in measurements["limits"]]
    return measurements.assign(margin=margins, limits=words).astype({"margin": "float64", "limits": "object"})


def _nearest_first(frame: DataFrame, then: list[str]) -> DataFrame:
    """Sort by verdict and then by distance to the limit; values without a verdict come last."""
    order = [rank(verdict) if verdict else UNJUDGED for verdict in frame["verdict"]]
    return frame.assign(order=order).sort_values(["order", "margin", *then], kind="stable", ignore_index=True)


def margin(limits: Mapping[str, Any], distance: float | None, value: float) -> float:
    """How far a value is inside its limits, in percent of the permitted range; negative outside.

    The permitted range is that between two bounds, a tolerance, or the size of a single bound. The margin is NaN where
    the range is 0, as for 0 errors of at most 0.
    """
    if distance is None or not isfinite(distance):
        return nan
    room = _room(limits) or (abs(value) if distance < 0 else 0.0)
    return 100 * distance / room if room and isfinite(room) else nan


def _room(limits: Mapping[str, Any]) -> float:
    """The tolerance where there is one, else the range between two ends, else the size of the one end."""
    rooms = {LIMITS[word].room: bound for word, bound in limits.items() if word in LIMITS}
    tolerance = rooms.get("tolerance")
    if isinstance(tolerance, dict):
        by, percent, of = (_number(tolerance.get(name)) for name in ("by", "percent", "of"))
        return abs(by) if by else abs(percent * of) / 100
    ends = [_number(rooms[end]) for end in ("low", "high") if end in rooms]
    return abs(ends[1] - ends[0]) if len(ends) > 1 else abs(sum(ends))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def in_words(limits: Mapping[str, Any]) -> str:
    """The limits as people write them: `min 3, max 9, warn max 8`."""
    return ", ".join(_words(word, bound) for word, bound in limits.items())


def _words(word: str, bound: Any) -> str:
    if word == "warn" and isinstance(bound, dict):
        return ", ".join(f"warn {part}" for part in in_words(bound).split(", "))
    name = word.replace("_", " ") if isinstance(bound, list) else word
    text = LIMITS[word].bound_in_words(bound, _text) if word in LIMITS else _text(bound)
    return f"{name} {text}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
