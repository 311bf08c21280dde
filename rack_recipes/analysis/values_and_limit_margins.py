# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measured values and their limits: how near a value is to its limit, and the limits in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, isnan, nan
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, LIMITS, MARGINAL, PASSED
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.analysis.run_statistics import grouped
from rack_recipes.analysis.verdict_order import SEVERITY, rank

VERDICTS = (FAILED, MARGINAL, PASSED)  # of a criterion
UNJUDGED = len(SEVERITY)
SEVERAL = "differ"
"""Shown instead of limits that are not the same on all hosts."""


def values(run: RunData) -> list[Row]:
    """Every measured value. Those with limits come first, by verdict and the nearest to its limit first.

    Each that has limits or a verdict has its `margin`, or None, and its limits in words.
    """
    return _nearest_first(map(_judged, run.measurements))


def criteria(run: RunData, found: Sequence[Row]) -> list[Row]:
    """A row for each criterion (planned step, name, unit), by verdict and the nearest to its limit first.

    `found` are the `values` of the run. Each row has the `limits`, the number of `values`, how many of them `failed`,
    were `marginal` or `passed`, and the worst `verdict`. The columns `value`, `distance`, `margin` and `nearest_host`
    are those of the value that is nearest to its limit, or furthest beyond it.
    """
    judged = (row for row in found if row.get("verdict") is not None)
    groups = grouped(judged, lambda row: (run.planned(row["step"]), row["name"], row.get("unit") or ""))
    ordered = sorted(groups, key=lambda of: (run.place(of[0]), *of[1:]))
    return _nearest_first({"step": of[0], "name": of[1], "unit": of[2], **_criterion(groups[of])} for of in ordered)


def _criterion(rows: Sequence[Row]) -> dict[str, Any]:
    nearest, verdicts = rows[0], Counter(row["verdict"] for row in rows)
    limits = {row["limits"] for row in rows}
    return {
        "limits": limits.pop() if len(limits) == 1 else SEVERAL,
        "values": len(rows),
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "verdict": min(verdicts, key=rank),
        **{name: nearest.get(name) for name in ("value", "distance", "margin")},
        "nearest_host": nearest["host"],
    }


def _judged(row: Row) -> Row:
    limits, distance = row.get("limits"), row.get("distance")
    if limits is None and distance is None and row.get("verdict") is None:  # as most values of a large run
        return row
    share = nan if distance is None else margin(limits or {}, distance, row["number"])
    return {**row, "margin": None if isnan(share) else share, "limits": in_words(limits) if limits else None}


def _nearest_first(rows: Iterable[Row]) -> list[Row]:
    """Sort by verdict and then by distance to the limit; values without a verdict come last."""
    judged, others = list[Row](), list[Row]()
    for row in rows:
        (others if row.get("margin") is None and not row.get("verdict") else judged).append(row)
    judged.sort(key=lambda row: (_order(row.get("verdict")), row["margin"] is None, row["margin"] or 0.0))
    return [*judged, *others]


def _order(verdict: str | None) -> int:
    return rank(verdict) if verdict else UNJUDGED


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
