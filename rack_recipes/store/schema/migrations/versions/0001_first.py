# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the first release, their indexes, and their further names (`schema/views.py`).

A statement is skipped if it has been done already. MySQL commits each one by itself, so a migration that is killed
halfway leaves some of them done.
"""

from __future__ import annotations

from alembic import op

from rack_recipes.store.schema.migrations.changes import add_index, make_table
from rack_recipes.store.schema.views import add_further_names

revision = "0001"
down_revision = None

RUNS = """
test_id recipe:text digest tester description:text started ended status! exit_code:int controller user hosts:int
counts:text versions:text journal:text journal_offset:int! next_seq:int! params:text labels:text refs:text options:text
resumes checks:int pinned:bool waivers:text plan:text group_id part group_info:text stopped:text
"""
STEPS = """
host step stage:int idx:int scope verdict! reason:text started seconds:real tries:int exit_code:int user_sec:real
system_sec:real max_rss_kib:int in_blocks:int out_blocks:int voluntary_switches:int involuntary_switches:int
stdout:text stderr:text attempts:text blocks:bool flake:bool checks:int instances:int parent inputs source_run cache_key
rounds:text hooks:text tags:text through waived:text members:text phase:text
"""
CONTEXT = """
seq:int time host! step attempt:int scope key! version:int! based_on:int before:text after:text! who origin
clock_offset:real
"""
MEASUREMENTS = "host step n:int name! value:real text:text unit limits:text distance:real verdict"
CONFLICTS = """
seq:int key! host! based_on:int version:int before:text after:text step time policy outcome other:text fields:text
"""
ARTIFACTS = "host step attempt:int n:int name! sha256! size:int media_type path:text time masked:bool note:text"
ANALYSIS = """
n:int kind! grade! title:text! advice:text results:text figures:text about:text method:text explains:int origin
suggestion:bool action:text rule:text time
"""
JUDGEMENTS = "n:int time user source:text digest limits:text counts:text changes:text"
INDEXES = (
    ("runs", "test_id", "started"),
    ("runs", "group_id"),
    ("runs", "started"),
    ("steps", "step", "host", "started"),
    ("steps", "cache_key", "host", "inputs"),
    ("measurements", "name"),
    # Of keys alone: with the run or the time beside the key SQLite took twice as much longer to store a journal.
    ("context", "key"),
    ("context", "time"),
)
# When a run is deleted, so are its changes of the context. Other databases have a foreign key for this.
FORGET = """
CREATE OR REPLACE FUNCTION forget_context() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM context WHERE run_id = OLD.run_id;
  RETURN OLD;
END $$
"""
TRIGGER = "CREATE TRIGGER forget_context AFTER DELETE ON runs FOR EACH ROW EXECUTE FUNCTION forget_context()"


def upgrade() -> None:
    """Create the tables and their indexes, and make bulk writing of `context` cheap."""
    make_table("runs", "", RUNS)
    make_table("steps", "host step", STEPS)
    make_table("context", "seq", CONTEXT)
    make_table("measurements", "host step n", MEASUREMENTS)
    make_table("conflicts", "seq", CONFLICTS)
    make_table("artifacts", "host step n", ARTIFACTS)
    make_table("hosts", "host", "host attributes:text")
    make_table("analysis", "n", ANALYSIS)
    make_table("baselines", "test_id accepted", "test_id accepted user note:text withdrawn")
    make_table("judgements", "n", JUDGEMENTS)
    for index in INDEXES:
        add_index(*index)
    if op.get_bind().dialect.name == "postgresql":
        # It does a migration as a whole or not at all, so no statement can have been done before.
        op.execute(FORGET)
        op.execute(TRIGGER)
        op.drop_constraint("fk_context_run_id", "context")
    add_further_names(op.get_bind())
