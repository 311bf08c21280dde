# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits out of a recipe's file: for which hosts and steps they are, and what becomes of the measurements of a try."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS, measurement
from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import is_number
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import matches_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Limit = Mapping[str, Any]
TIGHTER = {"min": max, "max": min}  # of two bounds the one that leaves less


def is_where(where: Mapping[str, object], attributes: Mapping[str, Any]) -> bool:
    """Whether a host has all of these attributes. Of an attribute that is a list one entry is enough."""
    for name, wanted in where.items():
        found = attributes.get(name)
        if str(wanted) not in map(str, found if isinstance(found, list) else [found]):
            return False
    return True


def may_be_step(pattern: str, name: str) -> bool:
    """Whether a pattern is for a step, or may be for an instance of it that only the host knows."""
    return matches_wildcard(pattern, name) or pattern.startswith(f"{name}[") or "*" in pattern


def hold_to_limits(measured: list[dict[str, Any]], limits: Iterable[Limit], steps: tuple[str, ...]) -> dict[int, str]:
    """Judge the measurements of a step by the limits for it; `steps` has its name, and that of its looped step.

    Of several limits for a measurement the first counts. Limits that it has already hold as well: of two bounds the
    tighter one counts. Returns the remarks on these limits, by the number of the measurement. Raises ValueError for
    what cannot be compared, and for a limit without its measurement: nobody could tell a value that holds from one that
    was not taken.
    """
    own = [limit for limit in limits if any(matches_wildcard(limit.get("step", "*"), name) for name in steps)]
    judged: dict[int, str] = {}
    for limit in own:
        found = [number for number, each in enumerate(measured) if _is_for(limit, each)]
        if not found and "*" not in limit["measurement"]:
            unit = f" ({limit['unit']})" if limit.get("unit") else ""
            raise ValueError(f"{limit['measurement']}{unit}: it has limits, but the step has not measured it")
        for number in found:
            if number not in judged:
                judged[number] = limit.get("remark", "")
                measured[number].update(_held(measured[number], limit))
    return judged


def _is_for(limit: Limit, measured: Mapping[str, Any]) -> bool:
    unit = limit.get("unit")
    return matches_wildcard(limit["measurement"], str(measured["name"])) and unit in (None, measured.get("unit") or "")


def _held(measured: Mapping[str, Any], limit: Limit) -> dict[str, Any]:
    """What a measurement has beside its name and value, by its own limits and another one."""
    before, new = measured.get("limits") or {}, {word: limit[word] for word in (*LIMITS, "warn") if word in limit}
    both = {**before, **new}
    for word, tighter in TIGHTER.items():
        if is_number(before.get(word)) and is_number(new.get(word)):
            both[word] = tighter(before[word], new[word])
    found = measurement(measured["name"], measured["value"], {**both, "unit": measured.get("unit") or ""})
    return {name: found[name] for name in ("limits", "distance", "verdict")}
