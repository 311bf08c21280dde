# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between kinds of databases, and what they share: read-only connections, URLs without passwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sql


def url_without_password(url: sql.URL) -> str:
    """The URL for people, without the password and without options, which may contain a password too.

    An SQLite file that is opened for reading only has a URI as its path; the path itself is shown.
    """
    if url.query.get("uri") and url.database:
        url = url.set(database=unquote(url.database.removeprefix("file:")))
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: sql.URL) -> str:
    """The text with all passwords of the URL masked, those in its options too."""
    options = [value for name, value in url.normalized_query.items() if "pass" in name.lower()]
    secrets = [str(url.password or ""), *(secret for value in options for secret in value)]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


_OPTION = "rack_recipes_reading"


def reading_connection(engine: sql.Engine) -> sql.Connection:
    """A connection for reading."""
    return engine.connect().execution_options(**{_OPTION: True})


def is_reading(connection: sql.Connection) -> bool:
    """Whether the connection is one for reading."""
    return bool(connection.get_execution_options().get(_OPTION))


type Code = int | str
NAME_LENGTH = 255  # characters of a short text


def last_argument(raised: Any) -> str:
    """The message of an error of a driver: its last argument."""
    return str(raised.args[-1]) if raised.args else ""


def on_conflict(inserted: Any, key: list[str], changing: list[str]) -> Any:
    """Update the columns `changing` of an existing row. Leave the row as it is if there are none."""
    if not changing:
        return inserted.on_conflict_do_nothing(index_elements=key)
    return inserted.on_conflict_do_update(index_elements=key, set_={c: inserted.excluded[c] for c in changing})


def text_type(dialect: sql.Dialect) -> sql.types.TypeEngine[Any]:
    """The type of a text of any length."""
    return dialect.type_descriptor(sql.Text())


def name_type(dialect: sql.Dialect, collation: str | None = None) -> sql.types.TypeEngine[Any]:
    """The type of a short text; `collation` compares it byte by byte, None where the database does so by itself."""
    return dialect.type_descriptor(sql.String(NAME_LENGTH, collation=collation))


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """A kind of database: how it is opened, and in what it differs from the others.

    `driver` is the Python package that speaks to it, `package` what `pip install` is given to bring the driver,
    `aliases` are other names for it in a URL. `is_in_python` says that SQLAlchemy finds the driver by itself.

    Errors: `code_of` reads the code of an error of the driver, `message_of` its text. `passing` has the codes of errors
    after which the same transaction may succeed a little later; `too_big` those that a statement beyond the server's
    limit may raise; `known_row` the one for a row that exists already. `advice` says what to do, by code.

    Writing: `upsert` completes an insert so that it updates an existing row, given the names of the key's columns and
    of the columns that change. `copies` says that COPY is several times as fast as INSERT. `migration_lock` has the SQL
    by which one migration keeps others out, and the SQL that lets them in again.
    """

    name: str
    writer: Callable[[sql.URL], sql.Engine]
    reader: Callable[[sql.URL], sql.Engine]
    driver: str
    code_of: Callable[[Any], Any]
    passing: frozenset[Code]
    advice: Mapping[Code, str]
    package: str = "rack-recipes"
    aliases: tuple[str, ...] = ()
    is_in_python: bool = False
    message_of: Callable[[Any], str] = last_argument
    too_big: frozenset[Code] = frozenset()
    known_row: Code | None = None
    upsert: Callable[[Any, list[str], list[str]], Any] = on_conflict
    copies: bool = False
    migration_lock: tuple[str, str] = ("", "")
    text_type: Callable[[sql.Dialect], sql.types.TypeEngine[Any]] = field(default=text_type)
    name_type: Callable[[sql.Dialect], sql.types.TypeEngine[Any]] = field(default=name_type)
