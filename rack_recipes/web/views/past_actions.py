# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done by pages: the log of actions, and runs that were started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rack_recipes.report.table_model import Column
from rack_recipes.web.actions.action_log import log_path, read_log
from rack_recipes.web.page_model import Asked, Page, Section, table

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

ACTIONS = (
    Column("time", "When (UTC)", "time"),
    Column("who", "Who"),
    Column("role", "Role"),
    Column("action", "What"),
    Column("about", "With what"),
    Column("state", "How it ended"),
)



def done(source: PageSource, asked: Asked) -> Page:
    """The last actions, the newest first."""
    rows = [
        {**row, "about": json.dumps(row.get("about"), ensure_ascii=False)} for row in read_log(log_path(source.runs))
    ]
    listed = table("actions", "Actions", ACTIONS, rows, {})
    about = "Each action has a line when it begins, and one when it has ended."
    return Page("Actions", sections=[Section("actions", "What was done by pages", about, listed)])
