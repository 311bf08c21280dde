# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Format values for people; text from hosts is made harmless by `visible_text`."""

from __future__ import annotations

from typing import Any

from rack_recipes.report.table_model import Kind
from rack_recipes.visible_text import cut, visible

__all__ = ("cut", "shown", "visible")


def shown(value: Any, kind: Kind) -> str:
    """A value as people read it: six digits, seconds with milliseconds, times without letters."""
    if value is None:
        return ""
    if kind == "time":
        return visible(str(value)).replace("T", " ").removesuffix("Z")[:23]
    if isinstance(value, float):
        return f"{value:.3f}" if kind == "seconds" else f"{value:.6g}"
    return visible(str(value))
