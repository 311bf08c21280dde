# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a store to the newest schema, and compares the two to find manual changes and failed migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from rack_recipes.errors import StoreError, require_installed
from rack_recipes.store.database.database_kind import reading_connection, url_without_password
from rack_recipes.store.database.databases_and_errors import DATABASES
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.schema.views import SAME_COLUMNS, add_further_names, missing

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "alembic_version"
VERSIONS = (  # as Alembic makes it
    f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
    f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)


def revisions(migrations: Path) -> list[str]:
    """The revisions that the files of a folder of migrations lead to, the newest last."""
    return sorted(path.name.partition("_")[0] for path in (migrations / "versions").glob("[0-9]*.py"))


HEAD = revisions(MIGRATIONS)[-1]


def upgrade(engine: sql.Engine, migrations: Path = MIGRATIONS, head: str = HEAD) -> str | None:
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
            if head == HEAD and _is_new_file(connection):
                _make_tables(connection)
            else:
                _migrate(connection, migrations, head)
    return held


def _is_new_file(connection: sql.Connection) -> bool:
    """Whether this is SQLite, which makes all tables or none, and there are none yet."""
    return connection.dialect.name == "sqlite" and not sql.inspect(connection).get_table_names()


def _make_tables(connection: sql.Connection) -> None:
    """Make the newest schema at once: to import Alembic takes most of the first flush into a new store."""
    tables().metadata.create_all(connection)
    add_further_names(connection)
    connection.execute(sql.text(VERSIONS))
    connection.execute(sql.text(f"INSERT INTO {VERSION_TABLE} VALUES (:head)"), {"head": HEAD})  # noqa: S608


def require_newest(engine: sql.Engine) -> None:
    """Raise StoreError if the store does not have the newest schema."""
    held = current(engine)
    _refuse_unknown(engine.url, held, MIGRATIONS, HEAD)
    if held != HEAD:
        state = f"its schema is {held}, older than {HEAD}" if held else "it has no tables yet"
        raise StoreError(
            f"{url_without_password(engine.url)}: {state}: `rack-recipes db upgrade` brings it up to date "
            "(with the same --db, where "
            "one was given) and keeps what it holds, and so does the next run"
        )


def current(engine: sql.Engine) -> str | None:
    """The revision of the store's schema; None for an empty database."""
    with reading_connection(engine) as connection:
        return version(connection)


def version(connection: sql.Connection) -> str | None:
    """The revision of the schema of the database behind a connection; None for an empty database."""
    if not sql.inspect(connection).has_table(VERSION_TABLE):
        return None
    held: str | None = connection.scalar(sql.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return held


def _refuse_unknown(url: sql.URL, held: str | None, migrations: Path, head: str) -> None:
    """Raise StoreError for a newer schema. The files that lead to it may be here: they came while this process ran."""
    known, shown = revisions(migrations), url_without_password(url)
    if not held or held in known[: known.index(head) + 1]:
        return
    if held in known:
        raise StoreError(
            f"{shown}: its schema is {held}, newer than {head} of this process: "
            "rack.recipes was upgraded while it ran: start it again"
        )
    raise StoreError(
        f"{shown}: its schema is {held}, made by another rack.recipes (this one knows up to {head}): "
        "install that version, or set rack_recipes_db to another store"
    )


@contextmanager
def _alone(connection: sql.Connection) -> Iterator[None]:
    lock, unlock = DATABASES[connection.dialect.name].migration_lock
    if lock:
        connection.execute(sql.text(lock))
    try:
        yield
    finally:
        if unlock and not connection.invalidated:
            connection.execute(sql.text(unlock))


def _migrate(connection: sql.Connection, migrations: Path, head: str) -> None:
    with require_installed("results cannot be stored or read", StoreError):
        from alembic import command
        from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, head)


TRIGGER = "forget_context"
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'runs'::regclass AND tgname = 'forget_context'"


def differences(engine: sql.Engine) -> list[str]:
    """The differences between the store's schema and the newest one, one line each; other tables are ignored.

    Raises StoreError where Alembic is missing, which compares the schemas.
    """
    with require_installed("results cannot be stored or read", StoreError):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

    options = {"compare_type": True, "include_name": _is_ours, "include_object": _is_compared}
    with reading_connection(engine) as connection:
        held = version(connection)
        found = compare_metadata(MigrationContext.configure(connection, opts=options), tables().metadata)
        revision = [] if held == HEAD else [f"the schema is {held or 'missing'}, expected {HEAD}"]
        return [*revision, *_lines(found), *_collations(connection), *_missing_trigger(connection),
                *missing(connection)]  # fmt: skip


def _is_ours(name: str | None, kind: str, parents: Mapping[str, object]) -> bool:
    return kind != "table" or name in tables().metadata.tables


def _is_compared(part: Any, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Leave out columns that repeat others, and one foreign key: PostgreSQL has a trigger instead of it."""
    if kind == "column":
        return name not in SAME_COLUMNS.get(part.table.name, ())
    return not (kind == "foreign_key_constraint" and part.table.name == "context")


def _collations(connection: sql.Connection) -> Iterator[str]:
    """Compare the collations of columns, which decide whether two names are equal; Alembic does not compare them."""
    inspected = sql.inspect(connection)
    held_tables = inspected.get_table_names()
    for table in tables().metadata.sorted_tables:
        columns = inspected.get_columns(table.name) if table.name in held_tables else []
        held = {column["name"]: getattr(column["type"], "collation", None) for column in columns}
        wanted = {column.name: _collation(column.type, connection.dialect) for column in table.columns}
        for name in [name for name in held if wanted.get(name) not in {None, held[name]}]:
            own = held[name] or "the database's own rules"
            yield f"{table.name}: the column {name} is compared by {own}, expected {wanted[name]}"


def _collation(kind: object, dialect: sql.Dialect) -> str | None:
    """The collation of one of our column types on this database; None if it has none."""
    return getattr(kind.load_dialect_impl(dialect), "collation", None) if isinstance(kind, sql.TypeDecorator) else None


def _missing_trigger(connection: sql.Connection) -> list[str]:
    if connection.dialect.name != "postgresql" or not sql.inspect(connection).has_table("runs"):
        return []
    return [] if connection.scalar(sql.text(TRIGGERS)) else [f"runs: the trigger {TRIGGER} is missing"]


def _lines(found: Iterable[Any]) -> Iterator[str]:
    """A line for each difference. Alembic lists the indexes of a missing table too; these are left out."""
    parts = [part for difference in found for part in (difference if isinstance(difference, list) else [difference])]
    missing = {about[0].name for kind, *about in parts if kind == "add_table"}
    for kind, *about in parts:
        is_told = kind == "add_index" and about[0].table.name in missing
        if kind in SAID and not is_told and (line := SAID[kind](*about)):
            yield line


def _index(index: Any) -> str:
    return f"{index.table.name}: the index {index.name} ({', '.join(column.name for column in index.columns)})"


def _type(schema: str | None, table: str, column: str, about: object, held: object, wanted: object) -> str:
    """Empty if only the collation differs, which has a line of its own."""
    differs = str(held).partition(" COLLATE")[0] != str(wanted)
    return f"{table}: the column {column} is {held}, expected {wanted}" if differs else ""


def _key(key: Any) -> str:
    return f"{key.parent.name}: the foreign key on {', '.join(key.column_keys)}"


SAID: Mapping[str, Callable[..., str]] = {
    "add_table": lambda table: f"{table.name}: the table is missing",
    "add_column": lambda _schema, table, column: f"{table}: the column {column.name} is missing",
    "remove_column": lambda _schema, table, column: f"{table}: the column {column.name} is not ours",
    "add_index": lambda index: f"{_index(index)} is missing",
    "remove_index": lambda index: f"{_index(index)} is not ours",
    "add_fk": lambda key: f"{_key(key)} is missing",
    "remove_fk": lambda key: f"{_key(key)} is not ours",
    "modify_type": _type,
    "modify_nullable": lambda _schema, table, column, _about, held, _wanted: (
        f"{table}: the column {column} {'may' if held else 'may not'} be NULL, expected the opposite"
    ),
}
