# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Column types that behave alike on every database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeDecorator, TypeEngine

NAME_LENGTH = 255


@cache
def long_text() -> TypeDecorator[str]:
    """A text of any length. On MySQL it is LONGTEXT, since TEXT ends at 64 KB and JSON is reordered."""

    class LongText(sql.TypeDecorator[str]):
        impl = sql.Text
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """Import a dialect only where it is used: each one takes 20 ms."""
            if dialect.name != "mysql":
                return dialect.type_descriptor(sql.Text())
            from sqlalchemy.dialects.mysql import LONGTEXT

            return dialect.type_descriptor(LONGTEXT())

    return LongText()


@cache
def name() -> TypeDecorator[str]:
    """A short text that is compared and sorted byte by byte, as SQLite does.

    Databases otherwise compare by the rules of a language; to MySQL `ABC` and `abc ` would be equal.
    """

    class Name(sql.TypeDecorator[str]):
        impl = sql.String(NAME_LENGTH)
        cache_ok = True

        def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
            """Choose the collation that compares bytes, also trailing spaces; its name differs between databases."""
            if dialect.name != "mysql":
                collation = "C" if dialect.name == "postgresql" else None
                return dialect.type_descriptor(sql.String(NAME_LENGTH, collation=collation))
            from sqlalchemy.dialects.mysql import VARCHAR

            is_mariadb = getattr(dialect, "is_mariadb", False)
            collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
            return dialect.type_descriptor(VARCHAR(NAME_LENGTH, charset="utf8mb4", collation=collation))

    return Name()
