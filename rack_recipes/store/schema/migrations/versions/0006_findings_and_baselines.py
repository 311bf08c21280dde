# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of hosts, findings, baselines, judgements by other limits: four tables, empty for earlier runs.

A statement is skipped if it has been done already, as in the first migration.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql

from rack_recipes.store.schema.tables import long_text, name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables."""
    _hosts()
    _analysis()
    _baselines()
    _judgements()


def _table(table: str, key: tuple[str, ...], *columns: Any) -> None:
    from alembic import op

    op.create_table(
        table,
        sql.Column("run_id", name()),
        *columns,
        sql.PrimaryKeyConstraint("run_id", *key, name=f"pk_{table}"),
        sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=f"fk_{table}_run_id", ondelete="CASCADE"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def _hosts() -> None:
    _table("hosts", ("host",), sql.Column("host", name()), sql.Column("attributes", long_text()))


def _analysis() -> None:
    _table(
        "analysis",
        ("n",),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("kind", name(), nullable=False),
        sql.Column("grade", name(), nullable=False),
        sql.Column("title", long_text(), nullable=False),
        sql.Column("advice", long_text()),
        sql.Column("results", long_text()),
        sql.Column("figures", long_text()),
        sql.Column("about", long_text()),
        sql.Column("method", long_text()),
        sql.Column("explains", sql.BigInteger),
        sql.Column("origin", name()),
        sql.Column("suggestion", sql.Boolean),
        sql.Column("time", name()),
    )


def _baselines() -> None:
    _table(
        "baselines",
        ("test_id", "accepted"),
        sql.Column("test_id", name()),
        sql.Column("accepted", name()),
        sql.Column("user", name()),
        sql.Column("note", long_text()),
        sql.Column("withdrawn", name()),
    )


def _judgements() -> None:
    _table(
        "judgements",
        ("n",),
        sql.Column("n", sql.BigInteger, autoincrement=False),
        sql.Column("time", name()),
        sql.Column("user", name()),
        sql.Column("source", long_text()),
        sql.Column("digest", name()),
        sql.Column("limits", long_text()),
        sql.Column("counts", long_text()),
        sql.Column("changes", long_text()),
    )
