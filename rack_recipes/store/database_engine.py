# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the store at a URL, alike for every database, and does what `rack-recipes db` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sql

from rack_recipes.errors import StoreError
from rack_recipes.store.database.database_kind import url_without_password, without_secrets
from rack_recipes.store.database.databases_and_errors import DATABASES, SCHEMES, call_patiently, translate_errors
from rack_recipes.store.schema import migrate_and_check as upgrades
from rack_recipes.store.schema.migrate_and_check import HEAD, differences, require_newest, upgrade

type Openers = Mapping[str, Callable[[sql.URL], sql.Engine]]
WRITERS: Openers = {name: kind.writer for name, kind in DATABASES.items()}
READERS: Openers = {name: kind.reader for name, kind in DATABASES.items()}
PATIENCE = 10.0  # seconds to wait for a server that is starting, or for another process that migrates the store


def connect_store(url: str, patience: float = PATIENCE) -> sql.Engine:
    """The store at a URL. It is made if it is missing, and migrated to the newest schema.

    `url` is `sqlite:///PATH`, `mysql://` or `mariadb://` (both with PyMySQL), or `postgresql://` (with psycopg). Errors
    that may pass are waited out for up to `patience` seconds. Raises StoreError, with the password masked.
    """
    return prepared(opened(url, WRITERS), upgrade, patience)


def connect_for_reading(url: str, patience: float = PATIENCE) -> sql.Engine:
    """The store at a URL, for reading only. Nothing is made or migrated. Raises StoreError, also for an old schema."""
    return prepared(opened(url, READERS), require_newest, patience)


def prepared(store: sql.Engine, prepare: Callable[[sql.Engine], object], patience: float = PATIENCE) -> sql.Engine:
    """Call `prepare` with the engine and return the engine. If the call fails, close it and raise StoreError."""
    try:
        with translate_errors(store.url):
            call_patiently(lambda: prepare(store), patience)
    except BaseException:
        store.dispose()
        raise
    return store


def opened(text: str, openers: Openers) -> sql.Engine:
    """A new engine for a URL; `openers` has the function that makes one for each database. Raises StoreError."""
    url = parsed(text)
    kind = url.get_backend_name()
    if kind not in openers:
        raise StoreError(f"{url_without_password(url)}: expected one of {', '.join(openers)}, not {kind}")
    try:
        with _options_checked(url):
            store = openers[kind](url)
    except ImportError as error:
        raise StoreError(
            f"{url_without_password(url)}: no driver: {error}: `pip install {DATABASES[kind].package}` brings one for {kind}://"
        ) from error
    sql.event.listen(store, "do_connect", partial(_connect, url))
    return store


def _connect(url: sql.URL, dialect: Any, _record: object, words: Any, options: Any) -> Any:
    """Connect as SQLAlchemy does. Drivers check the options of the URL only here."""
    with _options_checked(url):
        return dialect.connect(*words, **options)


@contextmanager
def _options_checked(url: sql.URL) -> Iterator[None]:
    """Turn errors of drivers about options of the URL into StoreError."""
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        told = without_secrets(getattr(error, "strerror", None) or str(error), url)
        advice = ": check what stands behind the ? in the URL" if url.query else ""
        raise StoreError(f"{url_without_password(url)}: {told}{advice}") from None


def parsed(text: str) -> sql.URL:
    """The parts of the URL of a store, with the name of its driver. Raises StoreError, which does not show the text."""
    try:
        url = sql.make_url(text)
        url = url.set(drivername=SCHEMES.get(url.drivername, url.drivername))
        url.get_dialect()
        _refuse_second_at(text, url)
    except Exception:  # the text and the traceback of any error may contain the password
        raise StoreError(
            "the store's URL cannot be read: expected sqlite:///PATH, mysql://USER:PASSWORD@HOST/DATABASE or "
            "postgresql://..., special characters in the password percent-encoded as in a web address"
        ) from None
    return url


def _refuse_second_at(text: str, url: sql.URL) -> None:
    """Raise ValueError for an unescaped @ in the password: its rest would be taken for the host, and be shown."""
    if url.get_backend_name() != "sqlite" and text.partition("://")[2].partition(":")[2].count("@") > 1:
        raise ValueError("@")


class Schema(NamedTuple):
    """The revision of a store's schema, None for an empty database, and the newest revision that is known here."""

    held: str | None
    newest: str = HEAD


def read_schema(url: str) -> Schema:
    """Which schema the store has. Nothing is made or migrated. Raises StoreError where it cannot be read."""
    return Schema(_asked(url, READERS, upgrades.current))


def upgrade_schema(url: str) -> Schema:
    """Migrate the store to the newest schema, with all its data; returns the schema that it had before.

    Opening a store for writing does the same. A missing store is made. Raises StoreError, also for a schema of a newer
    rack.recipes.
    """
    return Schema(_asked(url, WRITERS, upgrades.upgrade))


def check_schema(url: str) -> list[str]:
    """The differences between the store's schema and the newest one, one line each. Raises StoreError."""
    return _asked(url, READERS, differences)


def _asked[T](url: str, kinds: Openers, question: Callable[[sql.Engine], T]) -> T:
    answers: list[T] = []
    prepared(opened(url, kinds), lambda store: answers.append(question(store))).dispose()
    return answers[-1]
