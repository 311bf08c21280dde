# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The columns of what a step leaves beside its result, each described once: for tables, rows, packs and data frames.

A new column is a row here and a migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from rack_recipes.store.schema.step_columns import Kind


class Origin(Enum):
    """Where the value of a column comes from."""

    RECORD = auto()  # the record of the measurement or the artifact; of a conflict the change and its row of `context`
    TRANSFER = auto()  # the transfer record of an artifact


class DetailColumn(NamedTuple):
    """One column, after `run_id`. `field` is its field in the record and in what is read, if that has another name.

    `is_key` is true for the parts of the primary key. `is_required` columns are never NULL.
    """

    name: str
    kind: Kind
    is_key: bool = False
    is_required: bool = False
    is_in_frames: bool = True
    field: str = ""
    origin: Origin = Origin.RECORD


DETAIL_COLUMNS: Mapping[str, tuple[DetailColumn, ...]] = {
    "measurements": (
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("step", Kind.NAME, is_key=True),
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("name", Kind.NAME, is_required=True),
        DetailColumn("value", Kind.REAL, is_in_frames=False),  # to compare and sort by; `text` is exact
        DetailColumn("text", Kind.JSON, field="value"),
        DetailColumn("unit", Kind.NAME),
        DetailColumn("limits", Kind.SOME_OBJECT),
        DetailColumn("distance", Kind.REAL),
        DetailColumn("verdict", Kind.NAME),
    ),
    "conflicts": (
        DetailColumn("seq", Kind.INTEGER, is_key=True, is_in_frames=False),
        DetailColumn("key", Kind.NAME, is_required=True),
        DetailColumn("host", Kind.NAME, is_required=True),
        DetailColumn("based_on", Kind.INTEGER),
        DetailColumn("version", Kind.INTEGER),
        DetailColumn("before", Kind.JSON),
        DetailColumn("after", Kind.JSON),
        DetailColumn("step", Kind.NAME),
        DetailColumn("time", Kind.NAME),
        DetailColumn("policy", Kind.NAME),
        DetailColumn("outcome", Kind.NAME),  # kept, refused or merged
        DetailColumn("other", Kind.JSON),
        DetailColumn("fields", Kind.JSON),  # those that both had changed
    ),
    "artifacts": (
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("step", Kind.NAME, is_key=True),
        DetailColumn("attempt", Kind.INTEGER),
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("name", Kind.NAME, is_required=True),
        DetailColumn("sha256", Kind.NAME, is_required=True),
        DetailColumn("size", Kind.INTEGER),
        DetailColumn("media_type", Kind.NAME),
        DetailColumn("path", Kind.TEXT, origin=Origin.TRANSFER),  # in the run's folder; NULL where it did not arrive
        DetailColumn("time", Kind.NAME),
        DetailColumn("masked", Kind.TRUTH, is_in_frames=False),
        DetailColumn("note", Kind.SOME_TEXT, origin=Origin.TRANSFER),
    ),
}
