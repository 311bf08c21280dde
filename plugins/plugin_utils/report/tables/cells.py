# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn a data frame into the cells of a table: plain Python values, None for an empty cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Column, Row

if TYPE_CHECKING:
    from pandas import DataFrame, Series

RUN_SCOPED = "(run)"
"""Shown as the host of a step or a key that belongs to the run as a whole."""

STDERR_LINES, STDERR_CHARACTERS = 20, 2000


def rows(frame: DataFrame, columns: tuple[Column, ...]) -> tuple[Row, ...]:
    """The rows of the frame, with the columns of these names."""
    return tuple(zip(*(_cells(frame[column.name], column) for column in columns), strict=True))


def _cells(series: Series, column: Column) -> list[Any]:
    if column.kind == "json":
        return [to_json(value) for value in series]
    plain = series.astype(object)
    values = plain.where(plain.notna(), None).tolist()
    if column.name.endswith("host"):
        return [RUN_SCOPED if host == "" else host for host in values]
    return [_number(value) for value in values] if column.kind == "number" else values


def _number(value: Any) -> Any:
    """A whole number as int, and a value that is not a number as text: a measurement may be anything."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    is_plain = value is None or (isinstance(value, int | float | str) and not isinstance(value, bool))
    return value if is_plain else to_json(value)


def to_json(value: Any) -> str:
    """A value as JSON for people to read."""
    return json.dumps(value, ensure_ascii=False)


def is_number(value: Any) -> bool:
    """Whether a value is a whole number or a float; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_text(value: Any) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else to_json(value)


def in_words(mapping: Mapping[str, Any] | None, between: str) -> str | None:
    """Names and values on one line, such as `vlan = 12, team = "a"`; None where there is nothing to say."""
    return ", ".join(f"{name}{between}{as_text(value)}" for name, value in (mapping or {}).items()) or None


def tail(text: str) -> str:
    """The last lines of a log, with a note of how many characters were left out before them."""
    stripped = text.rstrip()
    end = "\n".join(stripped.split("\n")[-STDERR_LINES:])[-STDERR_CHARACTERS:]
    left_out = len(stripped) - len(end)
    return f"[{left_out:,} characters before this are left out]\n{end}" if left_out else end
