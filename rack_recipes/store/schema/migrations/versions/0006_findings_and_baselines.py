# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of hosts, findings, baselines, judgements by other limits: four tables, empty for earlier runs.

A statement is skipped if it has been done already, as in the first migration.
"""

from __future__ import annotations

import sqlalchemy as sql

from rack_recipes.store.schema.migrations.changes import make_table
from rack_recipes.store.schema.tables import long_text, name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables."""
    _hosts()
    _analysis()
    _baselines()
    _judgements()


def _hosts() -> None:
    make_table("hosts", ("host",), sql.Column("host", name()), sql.Column("attributes", long_text()))


def _analysis() -> None:
    make_table(
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
    make_table(
        "baselines",
        ("test_id", "accepted"),
        sql.Column("test_id", name()),
        sql.Column("accepted", name()),
        sql.Column("user", name()),
        sql.Column("note", long_text()),
        sql.Column("withdrawn", name()),
    )


def _judgements() -> None:
    make_table(
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
