# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pages are as data, for those who write programs that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.report.table_model import Column
from rack_recipes.web.page_json_schema import SHAPES, schema_of
from rack_recipes.web.page_model import Asked, Page, Section, table

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

FIELDS = (Column("address", "Address"), Column("field", "Field"), Column("kind", "Kind"))


def shapes(source: PageSource, asked: Asked) -> Page:
    """The fields of each page with `?format=json`; as data also the JSON Schema of each."""
    rows = [
        {"address": path, "field": name, "kind": kind} for path, shape in SHAPES.items() for name, kind in shape.items()
    ]
    about = "A kind with ? may be missing, a name with * stands for several. Each page also has its title."
    listed = table("fields", "Fields", FIELDS, rows, {})
    data = {"pages": {path: schema_of(path) for path in SHAPES}}
    return Page("Pages as data", sections=[Section("fields", "Fields", about, listed)], data=data)
