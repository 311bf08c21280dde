# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a store to the newest schema. Alembic is slow to import and waits until there is something to migrate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store import sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.faults import shown
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import reading
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "alembic_version"

# How one migration keeps others out, and lets them in again; SQLite's transaction does so by itself.
LOCKS: Mapping[str, tuple[str, str]] = {
    "mysql": ("SELECT GET_LOCK('rack.recipes.upgrade', 600)", "SELECT RELEASE_LOCK('rack.recipes.upgrade')"),
    "postgresql": ("SELECT pg_advisory_xact_lock(hashtext('rack.recipes.upgrade'))", ""),  # until the commit
}


def upgrade(engine: Engine, migrations: Path = MIGRATIONS, head: str = HEAD) -> None:
    """Migrate the store to `head`, safe beside others that do the same. Raises StoreError for a newer schema."""
    with reading(engine) as connection:
        if version(connection) == head:
            return
    with engine.begin() as connection, _alone(connection):
        if version(connection) != head:
            _migrate(engine, connection, migrations, head)


def check(engine: Engine) -> None:
    """Raise StoreError unless the store has the newest schema."""
    with reading(engine) as connection:
        held = version(connection)
    if held != HEAD:
        raise StoreError(
            f"{shown(engine.url)}: its schema is {held or 'missing'}, expected {HEAD}: "
            "`rack-recipes db upgrade` migrates an older one, a newer one needs a newer rack.recipes"
        )


def version(connection: Connection) -> str | None:
    """The revision that the store is at; None for an empty database."""
    if not sql.inspect(connection).has_table(VERSION_TABLE):
        return None
    held: str | None = connection.scalar(sql.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return held


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    lock, unlock = LOCKS.get(connection.dialect.name, ("", ""))
    if lock:
        connection.execute(sql.text(lock))
    try:
        yield
    finally:
        if unlock and not connection.invalidated:
            connection.execute(sql.text(unlock))


def _migrate(engine: Engine, connection: Connection, migrations: Path, head: str) -> None:
    with sql.installed():
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, head)
    except CommandError as error:
        raise StoreError(
            f"{shown(engine.url)}: {error}: the store was made by a newer rack.recipes (this one knows schema {head}): "
            "install that version, or set rack_recipes_db to another store"
        ) from error
