# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of databases that a store can be in, and their errors: which may pass, and what users read of others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sql

from rack_recipes.errors import StoreError
from rack_recipes.store.database import mysql, postgresql, sqlite
from rack_recipes.store.database.database_kind import (
    Code,
    DatabaseKind,
    last_argument,
    url_without_password,
    without_secrets,
)

DATABASES: dict[str, DatabaseKind] = {kind.name: kind for kind in (sqlite.KIND, mysql.KIND, postgresql.KIND)}


def by_driver(kinds: Iterable[DatabaseKind]) -> dict[str, DatabaseKind]:
    """The kinds by the driver whose errors they know. Raises ValueError for two of one: they would share its errors."""
    found: dict[str, DatabaseKind] = {}
    for kind in kinds:
        if other := found.get(kind.driver):
            raise ValueError(f"{other.name} and {kind.name} are databases of one driver, {kind.driver}")
        found[kind.driver] = kind
    return found


BY_DRIVER = by_driver(DATABASES.values())
# The name of a driver for SQLAlchemy, by each name that a URL may begin with.
SCHEMES: dict[str, str] = {
    scheme: f"{kind.name}+{kind.driver}"
    for kind in DATABASES.values()
    for scheme in (kind.name, *kind.aliases)
    if not kind.is_in_python
}


class TooBigError(StoreError):
    """A single row is longer than the database allows in one statement."""


@contextmanager
def translate_errors(url: sql.URL) -> Iterator[None]:
    """Turn SQLAlchemy's errors into StoreError, which has the URL without password, the error and what to do."""
    try:
        yield
    except sql.exc.SQLAlchemyError as error:
        raise StoreError(
            f"{url_without_password(url)}: {reason(error, url)}"
        ) from None  # the original text may quote values or the URL


def reason(error: sql.exc.SQLAlchemyError, url: sql.URL) -> str:
    """The text of the database's error, and what to do about it if that is known."""
    if not isinstance(error, sql.exc.DBAPIError) or error.orig is None:
        return without_secrets(str(error), url)
    kind, code = _origin(error)
    advice = kind.advice.get(code, "") if kind else ""
    told = (kind.message_of if kind else last_argument)(error.orig).strip() or "the connection is lost"
    return without_secrets(f"{told} ({advice})" if advice else told, url)


def is_passing(error: sql.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed a little later."""
    kind, code = _origin(error)
    return error.connection_invalidated or (kind is not None and code in kind.passing)


def may_be_too_big(error: sql.exc.DBAPIError) -> bool:
    """Whether the cause may be a statement that is too long: MySQL then often just closes the connection."""
    kind, code = _origin(error)
    return kind is not None and code in kind.too_big


def met_known_row(error: sql.exc.DBAPIError) -> bool:
    """Whether a row that was written as a new one exists already. Only PostgreSQL is asked to report that."""
    kind, code = _origin(error)
    return kind is not None and code == kind.known_row


def call_patiently[T](call: Callable[[], T], patience: float) -> T:
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


def _origin(error: sql.exc.DBAPIError) -> tuple[DatabaseKind | None, Code]:
    """The kind of the database that raised the error, and the error's code; None and 0 where these are not known."""
    kind = BY_DRIVER.get(type(error.orig).__module__.partition(".")[0])
    code = kind.code_of(error.orig) if kind else None
    return kind, code if isinstance(code, int | str) else 0
