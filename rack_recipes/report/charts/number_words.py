# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers and durations in words that are short enough for a chart."""

from __future__ import annotations

from typing import Any


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
