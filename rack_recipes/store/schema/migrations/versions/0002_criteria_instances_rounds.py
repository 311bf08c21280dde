# SPDX-License-Identifier: GPL-3.0-or-later

"""How a step came to its verdict: criteria with their limits, instances, rounds, and earlier results used again.

Existing rows keep their values; their new columns are NULL. A statement is skipped if it has been done already, as in
the first migration.
"""

from __future__ import annotations

from alembic import op

from rack_recipes.store.schema.migrations.changes import add_columns, add_index, drop_index

revision = "0002"
down_revision = "0001"

COLUMNS = {
    "runs": "params:text labels:text refs:text options:text resumes checks:int",
    "steps": """
    blocks:bool flake:bool checks:int instances:int parent inputs source_run cache_key rounds:text hooks:text tags:text
    """,
    "context": "origin",
    "measurements": "limits:text distance:real verdict",
}
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
    """Add the columns and indexes, and make bulk writing of `context` cheaper."""
    for table, columns in COLUMNS.items():
        add_columns(table, columns)
    add_index("runs", "test_id", "started")
    add_index("steps", "step", "host", "started")
    add_index("steps", "cache_key", "host", "inputs")
    add_index("context", "run_id", "key")
    drop_index("context", "ix_context_run_id_key_host_version")
    if op.get_bind().dialect.name == "postgresql":
        # It does a migration as a whole or not at all, so no statement can have been done before.
        op.execute(FORGET)
        op.execute(TRIGGER)
        op.drop_constraint("fk_context_run_id", "context")
