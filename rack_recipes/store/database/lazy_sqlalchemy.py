# SPDX-License-Identifier: GPL-3.0-or-later

"""SQLAlchemy's names, such as `sql.select`. SQLAlchemy is imported when the first of them is used.

So this collection can be imported without SQLAlchemy, for example to check it or to show its documentation. And an
error about the missing package can say what to do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from rack_recipes import errors
from rack_recipes.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import (
        BigInteger,
        Boolean,
        Column,
        Double,
        ForeignKeyConstraint,
        Index,
        MetaData,
        PrimaryKeyConstraint,
        String,
        Table,
        Text,
        TypeDecorator,
        column,
        create_engine,
        delete,
        event,
        exc,
        func,
        inspect,
        literal,
        make_url,
        select,
        text,
    )
else:

    def __getattr__(name: str) -> Any:
        """Python calls this for a name that is not in the module. Raises StoreError where SQLAlchemy is missing."""
        if name not in __all__:
            raise AttributeError(name)
        with installed():
            import sqlalchemy
        return getattr(sqlalchemy, name)


__all__ = (
    "BigInteger",
    "Boolean",
    "Column",
    "Double",
    "ForeignKeyConstraint",
    "Index",
    "MetaData",
    "PrimaryKeyConstraint",
    "String",
    "Table",
    "Text",
    "TypeDecorator",
    "column",
    "create_engine",
    "delete",
    "event",
    "exc",
    "func",
    "inspect",
    "installed",
    "literal",
    "make_url",
    "select",
    "text",
)


def installed() -> AbstractContextManager[None]:
    """Turn a failing import into a StoreError that says what to install."""
    return errors.require_installed("results cannot be stored or read", StoreError)
