# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the store: the table of databases, and the engine for a URL. Every database stores and returns the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import StoreError
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.all_databases import DATABASES, SCHEMES
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.database.hide_url_password import shown, without_secrets
from rack_recipes.store.schema.run_migrations import require_newest, upgrade

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

type Openers = Mapping[str, Callable[[URL], Engine]]


WRITERS: Openers = {name: kind.writer for name, kind in DATABASES.items()}
READERS: Openers = {name: kind.reader for name, kind in DATABASES.items()}
PATIENCE = 10.0  # seconds to wait for a server that is starting, or for another process that migrates the store


def engine(url: str, patience: float = PATIENCE) -> Engine:
    """The store at a URL. It is made if it is missing, and migrated to the newest schema.

    `url` is `sqlite:///PATH`, `mysql://` or `mariadb://` (both with PyMySQL), or `postgresql://` (with psycopg). Errors
    that may pass are waited out for up to `patience` seconds. Raises StoreError, with the password masked.
    """
    return prepared(opened(url, WRITERS), upgrade, patience)


def reader(url: str, patience: float = PATIENCE) -> Engine:
    """The store at a URL, for reading only. Nothing is made or migrated. Raises StoreError, also for an old schema."""
    return prepared(opened(url, READERS), require_newest, patience)


def prepared(store: Engine, prepare: Callable[[Engine], object], patience: float = PATIENCE) -> Engine:
    """Call `prepare` with the engine and return the engine. If the call fails, close it and raise StoreError."""
    try:
        with translated(store.url):
            patiently(lambda: prepare(store), patience)
    except BaseException:
        store.dispose()
        raise
    return store


def opened(text: str, openers: Openers) -> Engine:
    """A new engine for a URL; `openers` has the function that makes one for each database. Raises StoreError."""
    url = parsed(text)
    kind = url.get_backend_name()
    if kind not in openers:
        raise StoreError(f"{shown(url)}: expected one of {', '.join(openers)}, not {kind}")
    try:
        with _options_checked(url):
            store = openers[kind](url)
    except ImportError as error:
        raise StoreError(
            f"{shown(url)}: no driver: {error}: `pip install {DATABASES[kind].package}` brings one for {kind}://"
        ) from error
    sql.event.listen(store, "do_connect", partial(_connect, url))
    return store


def _connect(url: URL, dialect: Any, _record: object, words: Any, options: Any) -> Any:
    """Connect as SQLAlchemy does. Drivers check the options of the URL only here."""
    with _options_checked(url):
        return dialect.connect(*words, **options)


@contextmanager
def _options_checked(url: URL) -> Iterator[None]:
    """Turn errors of drivers about options of the URL into StoreError."""
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        told = without_secrets(getattr(error, "strerror", None) or str(error), url)
        advice = ": check what stands behind the ? in the URL" if url.query else ""
        raise StoreError(f"{shown(url)}: {told}{advice}") from None


def parsed(text: str) -> URL:
    """The parts of the URL of a store, with the name of its driver. Raises StoreError, which does not show the text."""
    try:
        url = sql.make_url(text)
        url = url.set(drivername=SCHEMES.get(url.drivername, url.drivername))
        url.get_dialect()
        _refuse_second_at(text, url)
    except StoreError:  # SQLAlchemy is missing
        raise
    except Exception:  # the text and the traceback of any error may contain the password
        raise StoreError(
            "the store's URL cannot be read: expected sqlite:///PATH, mysql://USER:PASSWORD@HOST/DATABASE or "
            "postgresql://..., special characters in the password percent-encoded as in a web address"
        ) from None
    return url


def _refuse_second_at(text: str, url: URL) -> None:
    """Raise ValueError for an unescaped @ in the password: its rest would be taken for the host, and be shown."""
    if url.get_backend_name() != "sqlite" and text.partition("://")[2].partition(":")[2].count("@") > 1:
        raise ValueError("@")
