# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Column types that behave alike on every database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.all_databases import DATABASES
from rack_recipes.store.database.database_kind import NAME_LENGTH, DatabaseKind

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeDecorator, TypeEngine


@cache
def long_text() -> TypeDecorator[str]:
    """A text of any length."""

    class LongText(sql.TypeDecorator[str]):
        impl = sql.Text
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).text_type(dialect)

    return LongText()


@cache
def name() -> TypeDecorator[str]:
    """A short text that is compared and sorted byte by byte, and not by the rules of a language."""

    class Name(sql.TypeDecorator[str]):
        impl = sql.String(NAME_LENGTH)
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """The type of the database that is used."""
            return _kind(dialect).name_type(dialect)

    return Name()


def _kind(dialect: Dialect) -> DatabaseKind:
    """The kind of database; SQLAlchemy shows types by a dialect of no database, which is as plain as SQLite's."""
    return DATABASES.get(dialect.name, DATABASES["sqlite"])
