# SPDX-License-Identifier: GPL-3.0-or-later

"""What migrations do to a store. A change is skipped if it has been made already.

MySQL commits each statement by itself, so a migration that is killed halfway leaves some of them done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sql
from alembic import op

from rack_recipes.store.schema.tables import long_text, name

KINDS: Mapping[str, Callable[[], Any]] = {
    "": name,
    "text": long_text,
    "int": lambda: sql.BigInteger,
    "real": lambda: sql.Double,
    "bool": lambda: sql.Boolean,
}


def make_table(table: str, key: str, columns: str) -> None:
    """Make a table with rows of runs: `run_id`, which begins its key, and these columns.

    A column is a word such as `tries:int`, without a kind a name; `!` behind it says that it is never NULL.
    """
    of_run = sql.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=f"fk_{table}_run_id", ondelete="CASCADE")
    op.create_table(
        table,
        sql.Column("run_id", name()),
        *map(_column, columns.split()),
        sql.PrimaryKeyConstraint("run_id", *key.split(), name=f"pk_{table}"),
        *(() if table == "runs" else (of_run,)),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def _column(word: str) -> sql.Column[Any]:
    column, _colon, kind = word.removesuffix("!").partition(":")
    options: dict[str, Any] = (
        {"nullable": False} if word.endswith("!") else {}
    )  # those of a key become so by themselves
    return sql.Column(column, KINDS[kind](), autoincrement=False, **options)


def add_index(table: str, *columns: str) -> None:
    """Add an index. MySQL, unlike MariaDB, has no `IF NOT EXISTS` for that."""
    index = "_".join(["ix", table, *columns])
    if index not in _held_indexes(table):
        op.create_index(index, table, [*columns])


def _held_indexes(table: str) -> set[str | None]:
    return {held["name"] for held in sql.inspect(op.get_bind()).get_indexes(table)}
