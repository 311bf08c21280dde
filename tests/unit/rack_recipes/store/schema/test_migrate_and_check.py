# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations lead to the schema on each database, and differences from it are found."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, inspect, text
from yaml import safe_load as load

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step, whole_run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything
from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import WRITERS, connect_for_reading, connect_store
from rack_recipes.store.database_engine import opened as unprepared
from rack_recipes.store.schema import migrate_and_check
from rack_recipes.store.schema.migrate_and_check import HEAD, MIGRATIONS, VERSION_TABLE, differences, upgrade, version
from rack_recipes.store.schema.tables import COLUMNS, tables
from rack_recipes.store.schema.views import VIEWS
from rack_recipes.store.writing.import_journal import import_journal

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL
pytestmark = pytest.mark.usefixtures("every_database")
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
CASES = Path(__file__).with_name("cases")
SEEN = CASES / "names_of_the_proposal.yml"
JOURNALS = Path(__file__).parents[1] / "writing" / "cases"


def test_the_newest_migration_is_named_in_the_code() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_migrations_lead_to_the_schema(new_store: Engine) -> None:
    assert differences(new_store) == []
    by_trigger = {"fk_context_run_id"} if new_store.dialect.name == "postgresql" else set()
    found = inspect(new_store)
    for table in tables().metadata.sorted_tables:
        foreign = {key["name"] for key in found.get_foreign_keys(table.name)}
        assert foreign == {constraint.name for constraint in table.foreign_key_constraints} - by_trigger


def test_a_new_file_gets_what_migrations_make(tmp_path: Path) -> None:
    migrated, new = (unprepared(f"sqlite:///{tmp_path}/{name}.db", WRITERS) for name in ("migrated", "new"))
    with migrated.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (x INTEGER)"))  # so it is no new file
    upgrade(migrated)
    with migrated.begin() as connection:
        connection.execute(text("DROP TABLE theirs"))
    upgrade(new)
    made = []
    for store in (migrated, new):
        with store.connect() as connection:
            found = connection.execute(
                text("SELECT name, sql FROM sqlite_master UNION SELECT version_num, '' FROM alembic_version")
            )
            made.append({name: "".join((sql or "").split()) for name, sql in found})
        store.dispose()
    assert made[0] == made[1]


def test_mysql_compares_keys_byte_by_byte_and_can_roll_back(emptied: MariaDB, opened: Callable[..., Engine]) -> None:
    columns = "information_schema.columns WHERE table_schema = 'rack' AND data_type = 'varchar'"
    with opened(emptied.url).connect() as connection:
        engines = connection.scalars(
            text(
                "SELECT engine FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = 'rack'"
            )
        )
        assert set(engines) == {"InnoDB"}
        names = text(f"SELECT collation_name FROM {columns} AND table_name <> 'alembic_version'")
        assert set(connection.scalars(names)) == {"utf8mb4_nopad_bin"}


def test_many_may_upgrade_at_once(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    forks = multiprocessing.get_context("fork")  # each has imported SQLAlchemy and Alembic already
    started = [forks.Process(target=lambda: connect_store(url).dispose()) for _number in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert ([process.exitcode for process in started], capfd.readouterr().err) == ([0] * 4, "")


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations with one more, as a later version brings it."""
    folder = tmp_path / "100% later"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(head=HEAD))
    return folder


def test_an_older_schema_is_migrated_with_its_data(
    new_store: Engine, journal: Callable[..., Path], later: Path
) -> None:
    import_journal(new_store, journal(whole_run()))
    held = everything(new_store)
    upgrade(new_store, later, "9999")
    with new_store.connect() as connection:
        assert version(connection) == "9999"
        assert connection.execute(text("SELECT note FROM runs")).scalar() == "migrated"
    assert everything(new_store) == held


def test_a_newer_schema_is_refused_with_what_to_do(url: str, new_store: Engine, later: Path) -> None:
    upgrade(new_store, later, "9999")
    with pytest.raises(
        StoreError, match=r"made by another rack\.recipes.*install that version, or set rack_recipes_db"
    ):
        connect_store(url)
    with pytest.raises(StoreError, match=r"its schema is 9999, made by another rack\.recipes"):
        connect_for_reading(url)
    with new_store.connect() as connection:
        assert version(connection) == "9999"


def test_a_store_that_was_upgraded_while_a_process_ran_is_newer_than_the_process(
    new_store: Engine, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are those of the new version by then; what it has loaded is not."""
    upgrade(new_store, later, "9999")
    monkeypatch.setattr(migrate_and_check, "MIGRATIONS", later)
    said = f"its schema is 9999, newer than {HEAD} of this process.*was upgraded while it ran: start it again"
    for call in (migrate_and_check.require_newest, lambda store: upgrade(store, later)):
        with pytest.raises(StoreError, match=said):
            call(new_store)
    with new_store.connect() as connection:
        assert version(connection) == "9999"


class KilledError(Exception):
    """A process that ended in the middle of a migration."""


@pytest.mark.repeats(one_in=3)
@pytest.mark.parametrize("done", [0, 1, 3, 6, 8, 9, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28])
def test_a_migration_that_was_killed_is_finished(url: str, opened: Callable[..., Engine], done: int) -> None:
    """MySQL commits each statement by itself: some of what the migrations make is there, their version is not."""
    killed, changes = unprepared(url, WRITERS), 0

    def kill(connection: Any, cursor: Any, statement: str, *call: Any) -> None:
        nonlocal changes
        if statement.lstrip().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")):
            if changes == done:
                raise KilledError
            changes += 1

    event.listen(killed, "before_cursor_execute", kill)
    with suppress(KilledError):
        upgrade(killed)
    assert changes == done or killed.dialect.name == "sqlite"  # which makes the newest schema with fewer changes
    killed.dispose()
    store = opened(url)
    with store.connect() as connection:
        assert version(connection) == HEAD
    assert differences(store) == []


def test_a_reader_of_an_older_schema_is_told_what_to_do(
    url: str, new_store: Engine, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_and_check, "MIGRATIONS", later)
    monkeypatch.setattr(migrate_and_check, "HEAD", "9999")
    said = f"its schema is {HEAD}, older than 9999: `rack-recipes db upgrade` brings"
    with pytest.raises(StoreError, match=said) as caught:
        connect_for_reading(url)
    assert "(with the same --db, where one was given)" in str(caught.value)
    with new_store.connect() as connection:
        assert version(connection) == HEAD


def test_a_failed_migration_leaves_sqlite_as_it_was(tmp_path: Path, later: Path, opened: Callable[..., Engine]) -> None:
    store = opened(f"sqlite:///{tmp_path}/results.db")
    script = later / "versions" / "9999_next.py"
    script.write_text(script.read_text() + '    raise RuntimeError("killed")\n')
    with pytest.raises(RuntimeError):
        upgrade(store, later, "9999")
    with store.connect() as connection:
        assert version(connection) == HEAD
        assert "note" not in {column["name"] for column in inspect(connection).get_columns("runs")}


def test_the_migrations_may_be_imported_by_whoever_checks_files() -> None:
    import importlib

    name = "rack_recipes.store.schema.migrations"
    assert importlib.import_module(f"{name}.env").run
    assert importlib.import_module(f"{name}.versions.0001_first").revision == HEAD


Opened = Callable[..., Engine]


def changed(store: Engine, *statements: str) -> list[str]:
    with store.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return sorted(differences(store))


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
        f"UPDATE {VERSION_TABLE} SET version_num = '0000'",
    )
    assert found == [
        "conflicts: the table is missing",
        "runs: the index ix_runs_test_id_started (test_id, started) is missing",
        "runs: the index mine (status) is not ours",
        "steps: the column mine is not ours",
        "steps: the column rounds is missing",
        f"the schema is 0000, expected {HEAD}",
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


TYPES_OF_MARIADB = {
    "MODIFY hosts VARCHAR(10)": "runs: the column hosts is VARCHAR(10), expected BIGINT",
    "MODIFY status VARCHAR(255) COLLATE utf8mb4_nopad_bin": "runs: the column status may be NULL",
    "MODIFY tester VARCHAR(255) COLLATE utf8mb4_general_ci": "tester is compared by utf8mb4_general_ci, expected",
    "MODIFY params VARCHAR(99)": "runs: the column params is VARCHAR(99), expected",
}
TYPES_OF_POSTGRESQL = {
    "ALTER TABLE runs ALTER hosts TYPE TEXT": "runs: the column hosts is TEXT, expected BIGINT",
    "ALTER TABLE runs ALTER status DROP NOT NULL": "runs: the column status may be NULL, expected the opposite",
    "ALTER TABLE runs ALTER journal SET NOT NULL": "runs: the column journal may not be NULL, expected the",
    'ALTER TABLE runs ALTER tester TYPE VARCHAR(255) COLLATE "en-x-icu"': "tester is compared by en-x-icu",
    'ALTER TABLE runs ALTER part TYPE VARCHAR(255) COLLATE "default"': "part is compared by the database's own rules",
    "ALTER TABLE steps DROP CONSTRAINT fk_steps_run_id": "steps: the foreign key on run_id is missing",
    "DROP TRIGGER forget_context ON runs": "runs: the trigger forget_context is missing",
}


def test_types_of_mariadb(emptied: MariaDB, opened: Opened) -> None:
    found = changed(opened(emptied.url), *(f"ALTER TABLE runs {statement}" for statement in TYPES_OF_MARIADB))
    assert len(found) == len(TYPES_OF_MARIADB)
    assert [says for says in TYPES_OF_MARIADB.values() if not any(says in line for line in found)] == []


def test_types_of_postgresql(cleared: PostgreSQL, opened: Opened) -> None:
    found = changed(opened(cleared.url), *TYPES_OF_POSTGRESQL)
    assert len(found) == len(TYPES_OF_POSTGRESQL)
    assert [says for says in TYPES_OF_POSTGRESQL.values() if not any(says in line for line in found)] == []


# What the commands ask, and by which index it is found.
QUESTIONS = {
    "the last result of a step on a host": (
        "SELECT verdict FROM steps WHERE step = 's7' AND host = 'r7' ORDER BY started DESC LIMIT 1",
        "ix_steps_step_host_started",
    ),
    "results under a cache key": (
        "SELECT run_id FROM steps WHERE cache_key = 'k7' AND host = 'r7' AND inputs = 'x'",
        "ix_steps_cache_key_host_inputs",
    ),
    "the last runs of a test": (
        "SELECT run_id FROM runs WHERE test_id = 'T-7' ORDER BY started DESC LIMIT 20",
        "ix_runs_test_id_started",
    ),
    "how a step did over the runs": (
        "SELECT seconds FROM steps WHERE step = 's7' AND host = 'r7'",
        "ix_steps_step_host_started",
    ),
    "a key in all runs": ("SELECT c.run_id, c.after FROM context c WHERE c.key = 'k7.x_v1'", "ix_context_key"),
    "a key in an hour, by the proposal's names": (
        ("SELECT c.run_id, c.value FROM context_snapshots c WHERE c.key = 'k7.x_v1' "
        "AND c.timestamp BETWEEN '2026-11-25T12' AND '2026-11-25T13'"),
        "ix_context_",  # by key or by time, as the database likes
    ),
    "what changed in an hour, by the proposal's names": (
        ("SELECT c.run_id, c.key, c.value FROM context_snapshots c "
        "WHERE c.timestamp BETWEEN '2026-11-25T12' AND '2026-11-25T13'"),
        "ix_context_time",
    ),
    "the runs of a day": ("SELECT run_id FROM runs WHERE started >= '2026-11-25' AND started < '2026-11-26'",
                          "ix_runs_started"),
    "the newest runs": ("SELECT run_id FROM runs ORDER BY started DESC, run_id DESC LIMIT 20", "ix_runs_started"),
    "what changed in the runs of a day": (
        ("SELECT c.key FROM runs r JOIN context c ON c.run_id = r.run_id "
        "WHERE r.started >= '2026-11-25' AND r.started < '2026-11-26'"),
        "ix_runs_started",
    ),
}  # fmt: skip
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "mysql": "EXPLAIN", "postgresql": "EXPLAIN"}


def test_what_commands_ask_is_found_by_an_index(new_store: Engine, journal: Callable[..., Path]) -> None:
    for number in range(20):
        steps = [step(n, f"r{n % 10}", step=f"s{n}") for n in range(1, 40)]
        steps += [delta(n, f"r{n % 10}", key=f"k{n}.x_v1") for n in range(40, 80)]
        about = {"recipe": {"test_id": f"T-{number}"}}
        import_journal(new_store, journal([run(f"R{number}") | about, *steps], f"R{number}"))
    with new_store.connect() as connection:
        if new_store.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))  # so small a table it would read as a whole
        for question, (asked, index) in QUESTIONS.items():
            plan = connection.execute(text(f"{EXPLAIN[new_store.dialect.name]} {asked}")).mappings().all()
            assert index in json.dumps([dict(row) for row in plan]), question


def test_the_names_of_the_proposal_are_there(new_store: Engine, journal: Callable[..., Path]) -> None:
    import_journal(new_store, journal(map(json.loads, (JOURNALS / "run.jsonl").read_text().splitlines())))
    with new_store.begin() as connection:
        connection.execute(tables().analysis.insert(), load(SEEN.read_text())["finding"])
    with new_store.connect() as connection:
        for case in load(SEEN.read_text())["questions"]:
            rows = connection.execute(text(case["sql"])).all()
            assert [[*row] for row in rows] == case["rows"], case["sql"]


def test_views_that_are_missing_are_told(new_store: Engine) -> None:
    assert changed(new_store, *(f"DROP VIEW {view}" for view in VIEWS)) == [
        "context_data: the view is missing",
        "context_snapshots: the view is missing",
        "step_metrics: the view is missing",
    ]
    assert (
        changed(new_store, "ALTER TABLE analysis DROP COLUMN metrics")[0] == "analysis: the column metrics is missing"
    )
