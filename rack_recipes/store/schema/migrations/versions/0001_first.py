# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tables: runs, steps, context, measurements, conflicts.

A statement is skipped if it has been done already. MySQL commits each one by itself, so a migration that is killed
halfway leaves some of them done.
"""

from __future__ import annotations

from rack_recipes.store.schema.migrations.changes import add_index, make_table

revision = "0001"
down_revision = None

RUNS = """
test_id recipe:text digest tester description:text started ended status! exit_code:int controller user hosts:int
counts:text versions:text journal:text journal_offset:int! next_seq:int!
"""
STEPS = """
host step stage:int idx:int scope verdict! reason:text started seconds:real tries:int exit_code:int user_sec:real
system_sec:real max_rss_kib:int in_blocks:int out_blocks:int voluntary_switches:int involuntary_switches:int
stdout:text stderr:text attempts:text
"""
CONTEXT = """
seq:int time host! step attempt:int scope key! version:int! based_on:int before:text after:text! who
"""


def upgrade() -> None:
    """Create the tables and their indexes."""
    make_table("runs", "", RUNS)
    make_table("steps", "host step", STEPS)
    make_table("context", "seq", CONTEXT)
    make_table("measurements", "host step n", "host step n:int name! value:real text:text unit")
    make_table("conflicts", "seq", "seq:int key! host! based_on:int version:int before:text after:text step time")
    add_index("context", "run_id", "key", "host", "version")
    add_index("measurements", "name")
