# SPDX-License-Identifier: GPL-3.0-or-later

"""What is PostgreSQL's own: COPY, its codes, its rights, its encodings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    delta,
    end,
    run,
    step,
    whole_run,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything
from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import PATIENCE, connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import BatchLimits, JournalImport, import_journal

if TYPE_CHECKING:
    from database_servers import PostgreSQL

Written = Callable[..., Path]
Opened = Callable[..., Engine]
SECRET = "s3cr/et@%"


@pytest.fixture
def pg(cleared: PostgreSQL, opened: Opened) -> Engine:
    return opened(cleared.url)


def statements_of(store: Engine) -> list[str]:
    """The first words of all that is executed from now on, without what asks for the schema."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *call: Any) -> None:
        seen.append(" ".join(statement.split()[:3]))

    event.listen(store, "before_cursor_execute", note)
    return seen


def codes_of(store: Engine) -> list[str | None]:
    """The codes of all errors that a database raises from now on."""
    codes: list[str | None] = []
    event.listen(store, "handle_error", lambda context: codes.append(context.original_exception.sqlstate))
    return codes


# --- COPY -------------------------------------------------------------------------------------------------------------


def test_new_rows_are_copied(pg: Engine, journal: Written) -> None:
    path = journal(whole_run(hosts=10, steps=10))
    following, seen = JournalImport(pg, path), statements_of(pg)
    following.catch_up()
    written = [statement for statement in seen if not statement.startswith("SELECT")]
    assert [statement.partition(" (")[0] for statement in written] == [
        "INSERT INTO runs",
        "COPY context",
        "COPY steps",
        "COPY measurements",
    ]


def test_rows_that_are_there_are_looked_for_once_one_was_met(pg: Engine, journal: Written) -> None:
    path = journal(whole_run(hosts=10, steps=10))
    import_journal(pg, path)
    held = everything(pg)
    with pg.begin() as connection:
        connection.execute(text("UPDATE runs SET journal_offset = 0"))
        connection.execute(text("DELETE FROM context WHERE seq > 100"))
        connection.execute(text("UPDATE steps SET verdict = 'lost', step = step"))
    codes, seen = codes_of(pg), statements_of(pg)
    import_journal(pg, path, BatchLimits(records=200))
    assert codes == ["23505"]
    assert {"CREATE TEMPORARY TABLE", "COPY staged_context (run_id,", "INSERT INTO context"} < set(seen)
    assert everything(pg) == held


def test_a_step_that_is_recorded_again_replaces_its_row(pg: Engine, journal: Written) -> None:
    path = journal([run(), *(step(1, f"r{number}", verdict="error") for number in range(100))])
    following = JournalImport(pg, path, BatchLimits(records=60))
    following.catch_up()
    journal(step(2, f"r{number}", verdict="passed", measurements=[]) for number in range(100))
    codes = codes_of(pg)
    following.catch_up()
    assert codes == []
    assert {row["verdict"] for row in recorded_runs.steps(pg, "R1")} == {"passed"}
    assert recorded_runs.measurements(pg, "R1") == []


def test_a_value_that_does_not_fit_is_told_without_it(pg: Engine, journal: Written, admin: Any) -> None:
    admin.execute("DROP VIEW context_snapshots")
    admin.execute("ALTER TABLE context ALTER who TYPE VARCHAR(3)")
    with pytest.raises(StoreError, match=r"value too long for type character varying\(3\); the results are") as caught:
        import_journal(pg, journal([run(), delta(1, who="s3cret")]))
    assert "s3cret" not in str(caught.value)


# --- What a server says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "password", "name", "says"),
    [
        ("rack", "s3cr%2Fet%40%25", "rack", "password authentication failed.*check user and password"),
        ("nobody", "s3cr%2Fet%40%25", "rack", "password authentication failed.*check user and password"),
        ("rack", "", "unknown", r"database \"unknown\" does not exist.*create it first"),
    ],
)
def test_what_a_server_refuses_is_told_at_once(
    postgresql: PostgreSQL, user: str, password: str, name: str, says: str
) -> None:
    started = time.monotonic()
    with pytest.raises(StoreError, match=says) as caught:
        connect_store(f"postgresql://{user}:{password or postgresql.password}@127.0.0.1:{postgresql.port}/{name}")
    assert time.monotonic() - started < PATIENCE
    assert not [word for word in ("s3cr", "%40", "et@", postgresql.password) if word in str(caught.value)]
    assert "\n" not in str(caught.value)


def test_a_url_may_set_what_we_would(cleared: PostgreSQL, opened: Opened) -> None:
    store = opened(f"{cleared.url}?options=-c lock_timeout=7s")
    with store.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "7s"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_lacks_characters_is_refused(cleared: PostgreSQL, admin: Any, encoding: str) -> None:
    admin.execute(
        f"CREATE DATABASE other OWNER rack ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
    )
    try:
        with pytest.raises(StoreError, match=f"the database other holds texts as {encoding}.*ENCODING 'UTF8'"):
            connect_store(f"{cleared.url.rpartition('/')[0]}/other")
    finally:
        admin.execute("DROP DATABASE other")


def test_a_user_who_may_only_read_is_told(
    pg: Engine, cleared: PostgreSQL, admin: Any, opened: Opened, journal: Written
) -> None:
    admin.execute("CREATE ROLE looks LOGIN PASSWORD 'p4ss'")
    admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks")
    try:
        looking = opened(f"postgresql://looks:p4ss@127.0.0.1:{cleared.port}/rack")
        assert recorded_runs.runs(looking) == []
        with pytest.raises(
            StoreError, match=r"permission denied.*lacks a right on this table.*safe in .*journal"
        ) as told:
            import_journal(looking, journal(whole_run()))
        assert "p4ss" not in str(told.value)
        looking.dispose()
    finally:
        admin.execute("DROP OWNED BY looks")
        admin.execute("DROP ROLE looks")


def test_a_user_who_may_not_make_tables_is_told(cleared: PostgreSQL, admin: Any) -> None:
    admin.execute("CREATE ROLE guest LOGIN PASSWORD 'p4ss'")
    try:
        with pytest.raises(StoreError, match=r"permission denied for schema public .*lacks a right"):
            connect_store(f"postgresql://guest:p4ss@127.0.0.1:{cleared.port}/rack")
    finally:
        admin.execute("DROP ROLE guest")


def test_a_server_that_is_only_read_is_told(cleared: PostgreSQL, pg: Engine, opened: Opened, journal: Written) -> None:
    standby = opened(f"{cleared.url}?options=-c default_transaction_read_only=on")
    with pytest.raises(StoreError, match=r"read-only transaction \(the server is read-only\)"):
        import_journal(standby, journal(whole_run()))


# --- Faults that pass -------------------------------------------------------------------------------------------------


@pytest.fixture
def rival(cleared: PostgreSQL) -> Iterator[psycopg.Connection[Any]]:
    """A connection of another program."""
    with psycopg.connect(cleared.url.replace("+psycopg", "")) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(params=["1s"])
def contested(request: pytest.FixtureRequest, cleared: PostgreSQL, opened: Opened, journal: Written) -> JournalImport:
    """What follows a journal into a server, and waits so long for a lock; the context is to be written."""
    store = opened(f"{cleared.url}?options=-c lock_timeout={request.param}")
    import_journal(store, journal(whole_run()))
    with store.begin() as connection:
        connection.execute(text("DELETE FROM context"))
    return JournalImport(store, journal([]))


def test_a_row_that_another_holds_is_waited_for(contested: JournalImport, rival: psycopg.Connection[Any]) -> None:
    codes = codes_of(contested._engine)
    rival.execute("SELECT * FROM runs FOR UPDATE")
    release = threading.Timer(1.5, rival.rollback)
    release.start()
    assert contested.catch_up().rows
    release.join()
    assert "55P03" in codes
    assert len(recorded_runs.history(contested._engine, "R1")) == 12


@pytest.mark.parametrize("contested", ["20s"], indirect=True)
def test_a_transaction_that_a_deadlock_ends_is_done_again(contested: JournalImport, postgresql: PostgreSQL) -> None:
    """The other one waits longer before it looks for a deadlock, so that the server ends ours."""
    with psycopg.connect(postgresql.root_url) as slow:
        slow.execute("SET deadlock_timeout = '20s'")
        slow.execute("INSERT INTO context (run_id, seq, host, key, version, after) VALUES ('R1', 5, '', '', 1, '')")
        codes = codes_of(contested._engine)

        def close_the_circle() -> None:
            slow.execute("SELECT * FROM runs FOR UPDATE")
            slow.rollback()

        release = threading.Timer(0.3, close_the_circle)
        release.start()
        assert contested.catch_up().rows
        release.join()
    assert "40P01" in codes
    assert len(recorded_runs.history(contested._engine, "R1")) == 12


def test_a_long_value_goes_in_one_piece(pg: Engine, journal: Written) -> None:
    value = "🎉\\\t'\n" * 2**19
    import_journal(pg, journal([run(), delta(1, after=value), end()]))
    assert recorded_runs.history(pg, "R1")[0]["after"] == value


def test_an_error_of_ours_is_not_taken_for_one_that_passes(pg: Engine) -> None:
    with pytest.raises(DBAPIError, match="NUL"), pg.begin() as connection:
        connection.exec_driver_sql("INSERT INTO runs (run_id) VALUES (%s)", ("a\0",))
