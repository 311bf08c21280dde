# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, text

from rack_recipes.store.schema.migrate_and_check import HEAD, VERSION_TABLE, differences
from rack_recipes.store.schema.tables import COLUMNS

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL

Opened = Callable[..., Engine]


def changed(store: Engine, *statements: str) -> list[str]:
    with store.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return sorted(differences(store))


@pytest.mark.repeats
def test_a_store_that_nobody_changed_has_none(new_store: Engine) -> None:
    assert differences(new_store) == []


def test_tables_of_others_do_not_count(new_store: Engine) -> None:
    assert changed(new_store, "CREATE TABLE theirs (x INTEGER)", "CREATE INDEX theirs_x ON theirs (x)") == []


def test_columns_and_indexes_are_held_against_the_schema(new_store: Engine) -> None:
    on = " ON runs" if new_store.dialect.name == "mysql" else ""
    found = changed(
        new_store,
        f"DROP INDEX ix_runs_test_id_started{on}",
        "ALTER TABLE steps DROP COLUMN rounds",
        "ALTER TABLE steps ADD COLUMN mine INTEGER",
        "CREATE INDEX mine ON runs (status)",
        "DROP TABLE conflicts",
        f"UPDATE {VERSION_TABLE} SET version_num = '0001'",
    )
    assert found == [
        "conflicts: the table is missing",
        "runs: the index ix_runs_test_id_started (test_id, started) is missing",
        "runs: the index mine (status) is not ours",
        "steps: the column mine is not ours",
        "steps: the column rounds is missing",
        f"the schema is 0001, expected {HEAD}",
    ]


def test_an_empty_database_lacks_all(emptied: MariaDB, opened: Opened) -> None:
    store = opened(emptied.url)
    ours = tuple(reversed(COLUMNS))
    for table in (*ours, VERSION_TABLE):
        changed(store, f"DROP TABLE {table}")
    assert sorted(differences(store)) == [
        *(f"{table}: the table is missing" for table in sorted(ours)),
        f"the schema is missing, expected {HEAD}",
    ]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("MODIFY hosts VARCHAR(10)", "runs: the column hosts is VARCHAR(10), expected BIGINT"),
        ("MODIFY status VARCHAR(255) COLLATE utf8mb4_nopad_bin", "runs: the column status may be NULL"),
        ("MODIFY tester VARCHAR(255) COLLATE utf8mb4_general_ci", "tester is compared by utf8mb4_general_ci, expected"),
        ("MODIFY params VARCHAR(99)", "runs: the column params is VARCHAR(99), expected"),
    ],
)
def test_types_of_mariadb(emptied: MariaDB, opened: Opened, statement: str, says: str) -> None:
    (line,) = changed(opened(emptied.url), f"ALTER TABLE runs {statement}")
    assert says in line


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE runs ALTER hosts TYPE TEXT", "runs: the column hosts is TEXT, expected BIGINT"),
        ("ALTER TABLE runs ALTER status DROP NOT NULL", "runs: the column status may be NULL, expected the opposite"),
        ("ALTER TABLE runs ALTER journal SET NOT NULL", "runs: the column journal may not be NULL, expected the"),
        ('ALTER TABLE runs ALTER tester TYPE VARCHAR(255) COLLATE "en-x-icu"', "tester is compared by en-x-icu"),
        ('ALTER TABLE runs ALTER tester TYPE VARCHAR(255) COLLATE "default"', "compared by the database's own rules"),
        ("ALTER TABLE steps DROP CONSTRAINT fk_steps_run_id", "steps: the foreign key on run_id is missing"),
        ("DROP TRIGGER forget_context ON runs", "runs: the trigger forget_context is missing"),
    ],
)
def test_types_of_postgresql(cleared: PostgreSQL, opened: Opened, statement: str, says: str) -> None:
    (line,) = changed(opened(cleared.url), statement)
    assert says in line
