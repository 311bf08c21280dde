# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of hosts, findings, baselines, judgements by other limits: four tables, empty for earlier runs.

A statement is skipped if it has been done already, as in the first migration.
"""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import make_table

revision = "0006"
down_revision = "0005"

ANALYSIS = """
n:int kind! grade! title:text! advice:text results:text figures:text about:text method:text explains:int origin
suggestion:bool time
"""
JUDGEMENTS = "n:int time user source:text digest limits:text counts:text changes:text"


def upgrade() -> None:
    """Add the tables."""
    make_table("hosts", "host", "host attributes:text")
    make_table("analysis", "n", ANALYSIS)
    make_table("baselines", "test_id accepted", "test_id accepted user note:text withdrawn")
    make_table("judgements", "n", JUDGEMENTS)
