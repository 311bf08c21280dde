# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of databases: which ones may pass by themselves, and what users read of the others."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

# Codes of the errors after which the same transaction may succeed later.
PASSING: Mapping[str, frozenset[int | str]] = {
    "sqlite3": frozenset(
        {
            5,  # SQLITE_BUSY: another writer, for longer than the connection waits
            6,  # SQLITE_LOCKED
            13,  # SQLITE_FULL: the disk
        }
    ),
    "pymysql": frozenset(
        {
            1021,  # disk full
            1040,  # too many connections
            1053,  # the server is shutting down
            1114,  # table full
            1205,  # lock wait timeout
            1213,  # deadlock
            2003,  # no server
            2006,  # the server has gone away
            2013,  # connection lost
        }
    ),
    "psycopg": frozenset(
        {
            "08000",  # no connection, or no longer
            "25P03",  # idle for too long in a transaction
            "40001",  # two transactions that cannot both be
            "40P01",  # deadlock
            "53100",  # disk full
            "53300",  # too many connections
            "55P03",  # lock wait timeout
            "57P01",  # the server is shutting down
            "57P02",  # another process of it crashed
            "57P03",  # it is starting
        }
    ),
}

ADVICE: Mapping[str, Mapping[int | str, str]] = {
    "sqlite3": {
        8: "the file or its folder is read-only",
        11: "the file is damaged; restore it, the runs' journals bring back what is missing",
        13: "the disk is full",
        14: "check that its folder exists and may be written",
        26: "the file is not an SQLite database",
    },
    "pymysql": {
        1044: "the user has no right to this database",
        1045: "check user and password",
        1049: "create it first: CREATE DATABASE ... CHARACTER SET utf8mb4",
        1142: "the user lacks a right on this table",
        1290: "the server is read-only",
    },
    "psycopg": {
        "25006": "the server is read-only",
        "28000": "check user and password",
        "28P01": "check user and password",
        "3D000": "create it first: CREATE DATABASE ... ENCODING 'UTF8'",
        "42501": "the user lacks a right on this table or schema",
        "53100": "the disk is full",
    },
}

# When a server refuses a connection, psycopg gives no code but only the text of the error.
REFUSALS: Mapping[str, re.Pattern[str]] = {
    "28P01": re.compile(r"FATAL: .*password authentication failed"),
    "28000": re.compile(r"FATAL: .*(role .* does not exist|not permitted to log in|no pg_hba\.conf entry)"),
    "3D000": re.compile(r"FATAL: .*database .* does not exist"),
    "42501": re.compile(r"FATAL: .*permission denied"),
}
LOST = "08000"
KNOWN_ROW = "23505"


class TooBigError(StoreError):
    """A single row is longer than the database allows in one statement."""


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn SQLAlchemy's errors into StoreError, which has the URL without password, the error and what to do."""
    try:
        yield
    except sql.exc.SQLAlchemyError as error:
        raise StoreError(
            f"{shown(url)}: {reason(error, url)}"
        ) from None  # the original text may quote values or the URL


def shown(url: URL) -> str:
    """The URL for people, without the password and without options, which may contain a password too.

    An SQLite file that is opened for reading only has a URI as its path; the path itself is shown.
    """
    if url.query.get("uri") and url.database:
        url = url.set(database=unquote(url.database.removeprefix("file:")))
    return url.set(query={}).render_as_string(hide_password=True)


def reason(error: SQLAlchemyError, url: URL) -> str:
    """The text of the database's error, and what to do about it if that is known."""
    if not isinstance(error, sql.exc.DBAPIError) or error.orig is None:
        return without_secrets(str(error), url)
    driver, code = _origin(error)
    advice = ADVICE.get(driver, {}).get(code, "")
    told = WORDS.get(driver, _last_argument)(error.orig).strip() or "the connection is lost"
    return without_secrets(f"{told} ({advice})" if advice else told, url)


def is_passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed a little later."""
    driver, code = _origin(error)
    return error.connection_invalidated or code in PASSING.get(driver, ())


def may_be_too_big(error: DBAPIError) -> bool:
    """Whether the cause may be a statement that is too long: MySQL then often just closes the connection."""
    driver, code = _origin(error)
    return driver == "pymysql" and code in {1153, 2006, 2013}


def met_known_row(error: DBAPIError) -> bool:
    """Whether a row that was written as a new one exists already. Only PostgreSQL is asked to report that."""
    return _origin(error) == ("psycopg", KNOWN_ROW)


def patiently[T](call: Callable[[], T], patience: float) -> T:
    """Call; after a passing error call again, for up to `patience` seconds. The last error is raised."""
    deadline = time.monotonic() + patience
    pause = 0.02
    while True:
        try:
            return call()
        except sql.exc.DBAPIError as error:
            if not is_passing(error) or time.monotonic() > deadline:
                raise
        wait = pause * random.uniform(0.5, 1)  # noqa: S311  # so that two transactions in a deadlock do not meet again
        time.sleep(max(0.0, min(wait, deadline - time.monotonic())))
        pause = min(pause * 2, 1.0)


def _origin(error: DBAPIError) -> tuple[str, int | str]:
    """The driver that raised the error, and its code."""
    driver = type(error.orig).__module__.partition(".")[0]
    code = CODES[driver](error.orig) if driver in CODES else None
    return driver, code if isinstance(code, int | str) else 0


def _sqlstate(raised: Any) -> str | None:
    """The code of an error; where psycopg has none, as for a failed or broken connection, one that fits."""
    if raised.sqlstate or type(raised).__name__ != "OperationalError":
        return raised.sqlstate  # type: ignore[no-any-return]
    return next((code for code, words in REFUSALS.items() if words.search(str(raised))), LOST)


def _last_argument(raised: Any) -> str:
    return str(raised.args[-1]) if raised.args else ""


CODES: Mapping[str, Callable[[Any], Any]] = {
    "sqlite3": lambda raised: getattr(raised, "sqlite_errorcode", 0) & 0xFF,  # the primary code of an extended one
    "pymysql": lambda raised: next(iter(raised.args), 0),
    "psycopg": _sqlstate,
}

# psycopg's details and context quote values.
WORDS: Mapping[str, Callable[[Any], str]] = {
    "psycopg": lambda raised: raised.diag.message_primary or _last_argument(raised).partition("\n")[0],
}


def without_secrets(text: str, url: URL) -> str:
    """The text with all passwords of the URL masked, those in its options too."""
    options = [value for name, value in url.normalized_query.items() if "pass" in name.lower()]
    secrets = [str(url.password or ""), *(secret for value in options for secret in value)]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
