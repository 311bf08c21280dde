# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a store to the newest schema. Alembic is slow to import, so that is done only if there is a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.errors import StoreError
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.all_databases import DATABASES
from rack_recipes.store.database.hide_url_password import shown
from rack_recipes.store.database.read_only_connection import reading

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "alembic_version"


def revisions(migrations: Path) -> list[str]:
    """The revisions that the files of a folder of migrations lead to, the newest last."""
    return sorted(path.name.partition("_")[0] for path in (migrations / "versions").glob("[0-9]*.py"))


HEAD = revisions(MIGRATIONS)[-1]


def upgrade(engine: Engine, migrations: Path = MIGRATIONS, head: str = HEAD) -> str | None:
    """Migrate the store to the revision `head`, with all its data. Several processes may do so at the same time.

    Returns the revision before, None for an empty database. Raises StoreError for a newer schema.
    """
    held = current(engine)
    if held == head:
        return held
    with engine.begin() as connection, _alone(connection):
        held = version(connection)
        if held != head:
            _refuse_unknown(engine.url, held, migrations, head)
            _migrate(connection, migrations, head)
    return held


def require_newest(engine: Engine) -> None:
    """Raise StoreError if the store does not have the newest schema."""
    held = current(engine)
    _refuse_unknown(engine.url, held, MIGRATIONS, HEAD)
    if held != HEAD:
        state = f"its schema is {held}, older than {HEAD}" if held else "it has no tables yet"
        raise StoreError(
            f"{shown(engine.url)}: {state}: `rack-recipes db upgrade` brings it up to date (with the same --db, where "
            "one was given) and keeps what it holds, and so does the next run"
        )


def current(engine: Engine) -> str | None:
    """The revision of the store's schema; None for an empty database."""
    with reading(engine) as connection:
        return version(connection)


def version(connection: Connection) -> str | None:
    """The revision of the schema of the database behind a connection; None for an empty database."""
    if not sql.inspect(connection).has_table(VERSION_TABLE):
        return None
    held: str | None = connection.scalar(sql.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return held


def _refuse_unknown(url: URL, held: str | None, migrations: Path, head: str) -> None:
    if held and held not in revisions(migrations):
        raise StoreError(
            f"{shown(url)}: its schema is {held}, made by a newer rack.recipes (this one knows up to {head}): "
            "install that version, or set rack_recipes_db to another store"
        )


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    lock, unlock = DATABASES[connection.dialect.name].migration_lock
    if lock:
        connection.execute(sql.text(lock))
    try:
        yield
    finally:
        if unlock and not connection.invalidated:
            connection.execute(sql.text(unlock))


def _migrate(connection: Connection, migrations: Path, head: str) -> None:
    with sql.installed():
        from alembic import command
        from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, head)
