# SPDX-License-Identifier: GPL-3.0-or-later

"""How values, numbers, durations and verdicts are shown to people.

Text from hosts is made harmless by `visible_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from rack_recipes.report.table_model import Kind
from rack_recipes.visible_text import cut, visible


def number(value: float) -> str:
    """A number with four digits at most: 9.5, 1,234, 12,500, 1.2e+09."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.4g}"
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "0" if digits == "-0" else digits


def seconds(value: Any) -> str:
    """A duration: 12 ms, 3.4 s, 2 min 5 s, 1 h 3 min."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.3g} ms" if value else "0 s"
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2])


__all__ = ("cut", "shown", "visible")


def shown(value: object, kind: Kind) -> str:
    """A value as people read it: six digits, or all before the point; milliseconds; times without letters."""
    if value is None:
        return ""
    if kind == "time":
        return visible(str(value)).replace("T", " ").removesuffix("Z")[:23]
    if isinstance(value, float):
        return f"{value:.3f}" if kind == "seconds" else f"{value:{'.10g' if 1e6 <= abs(value) < 1e10 else '.6g'}}"
    return visible(str(value))


OTHER = "unreachable"
"""The verdict like which a word is shown that is not known here."""
STATUSES = {
    **dict.fromkeys(("interrupted", "unchecked", "incomplete"), "error"),
    **dict.fromkeys(("rehearsed", "running", "ended"), "skipped"),
}
"""For each status of a run that is not a verdict: the verdict like which it is shown."""


def style_of(word: str) -> str:
    """The verdict like which a verdict, the status of a run or any other word is shown."""
    known = STATUSES.get(word, word)
    return known if known in VERDICTS else OTHER


def css() -> str:
    """The colours as custom properties of a style sheet, and a class for each verdict."""
    return custom_properties(VERDICTS) + "".join(f".v-{name}{{--v:var(--{name})}}" for name in VERDICTS)


def custom_properties(colours: Mapping[str, Any]) -> str:
    """Colours by name, for light pages and for dark ones."""
    light = "".join(f"--{name}:{own.light};" for name, own in colours.items())
    dark = "".join(f"--{name}:{own.dark};" for name, own in colours.items())
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def for_script() -> dict[str, Any]:
    """What scripts of pages need to show words: the verdicts in order, their symbols, and like which others look."""
    return {
        "order": list(VERDICTS),
        "symbols": {name: verdict.symbol for name, verdict in VERDICTS.items()},
        "statuses": dict(STATUSES),
        "other": OTHER,
        "passing": [name for name in VERDICTS if name in PASSING],
        "notTried": [name for name in VERDICTS if name in NOT_TRIED],
    }
