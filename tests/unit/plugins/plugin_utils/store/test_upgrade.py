# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store import schema
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine, reader
from ansible_collections.rack.recipes.plugins.plugin_utils.store.follow import follow
from ansible_collections.rack.recipes.plugins.plugin_utils.store.upgrade import MIGRATIONS, upgrade, version
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.journal.records import whole_run
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.store.rows import everything

if TYPE_CHECKING:
    from database import MariaDB

NEXT = """
from alembic import op
from sqlalchemy import Column, Text

revision = "9999"
down_revision = "{head}"

def upgrade():
    with op.batch_alter_table("runs") as runs:
        runs.add_column(Column("note", Text))
    op.execute("UPDATE runs SET note = 'migrated'")
"""

OPEN = """
import sys
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine
engine(sys.argv[1]).dispose()
"""


def test_the_newest_migration_is_named_in_the_code() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == schema.HEAD


def test_migrations_lead_to_the_schema(store: Engine) -> None:
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.tables().metadata) == []
        found = inspect(connection)
        for table in schema.tables().metadata.sorted_tables:
            foreign = {key["name"] for key in found.get_foreign_keys(table.name)}
            assert foreign == {constraint.name for constraint in table.foreign_key_constraints}


def test_mysql_compares_keys_byte_by_byte_and_can_roll_back(emptied: MariaDB, opened: Callable[..., Engine]) -> None:
    columns = "information_schema.columns WHERE table_schema = 'rack' AND data_type = 'varchar'"
    with opened(emptied.url).connect() as connection:
        engines = connection.scalars(text("SELECT engine FROM information_schema.tables WHERE table_schema = 'rack'"))
        assert set(engines) == {"InnoDB"}
        names = text(f"SELECT collation_name FROM {columns} AND table_name <> 'alembic_version'")
        assert set(connection.scalars(names)) == {"utf8mb4_nopad_bin"}


def test_many_may_upgrade_at_once(url: str) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", OPEN, url], stderr=subprocess.PIPE, text=True) for _number in range(4)
    ]
    ended = [(process.communicate()[1], process.returncode) for process in started]
    assert ended == [("", 0)] * 4


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations with one more, as a later version brings it."""
    folder = tmp_path / "100% later"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(head=schema.HEAD))
    return folder


def test_an_older_schema_is_migrated_with_its_data(store: Engine, journal: Callable[..., Path], later: Path) -> None:
    follow(store, journal(whole_run()))
    held = everything(store)
    upgrade(store, later, "9999")
    with store.connect() as connection:
        assert version(connection) == "9999"
        assert connection.execute(text("SELECT note FROM runs")).scalar() == "migrated"
    assert everything(store) == held


def test_a_newer_schema_is_refused_with_what_to_do(url: str, store: Engine, later: Path) -> None:
    upgrade(store, later, "9999")
    with pytest.raises(
        StoreError, match=r"made by a newer rack\.recipes.*install that version, or set rack_recipes_db"
    ):
        engine(url)
    with pytest.raises(StoreError, match="its schema is 9999, expected"):
        reader(url)
    with store.connect() as connection:
        assert version(connection) == "9999"


@pytest.mark.parametrize("done", range(1, 6))
def test_a_migration_that_was_killed_is_finished(
    url: str, opened: Callable[..., Engine], tmp_path: Path, done: int
) -> None:
    """MySQL commits each statement by itself: some tables are there, the version is not."""
    (tmp_path / "store").mkdir()
    killed = create_engine(url)
    for table in schema.tables().metadata.sorted_tables[:done]:
        table.create(killed)
    killed.dispose()
    store = opened(url)
    with store.connect() as connection:
        assert version(connection) == schema.HEAD
        assert compare_metadata(MigrationContext.configure(connection), schema.tables().metadata) == []


def test_a_failed_migration_leaves_sqlite_as_it_was(tmp_path: Path, later: Path, opened: Callable[..., Engine]) -> None:
    store = opened(f"sqlite:///{tmp_path}/results.db")
    script = later / "versions" / "9999_next.py"
    script.write_text(script.read_text() + '    raise RuntimeError("killed")\n')
    with pytest.raises(RuntimeError):
        upgrade(store, later, "9999")
    with store.connect() as connection:
        assert version(connection) == schema.HEAD
        assert "note" not in {column["name"] for column in inspect(connection).get_columns("runs")}


def test_the_migrations_may_be_imported_by_whoever_checks_files() -> None:
    import importlib

    name = "ansible_collections.rack.recipes.plugins.plugin_utils.store.migrations"
    assert importlib.import_module(f"{name}.env").run
    assert importlib.import_module(f"{name}.versions.0001_first").revision == "0001"
