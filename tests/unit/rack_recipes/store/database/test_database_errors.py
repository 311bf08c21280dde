# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database does to a run: locks, kills, deadlocks, lost connections, small limits."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    delta,
    end,
    run,
    step,
    whole_run,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.conftest import SERVERS
from rack_recipes.errors import StoreError
from rack_recipes.journal.append import append
from rack_recipes.store import database_engine as engines
from rack_recipes.store.database import sqlite
from rack_recipes.store.database.databases_and_errors import (
    TooBigError,
    is_passing,
    may_be_too_big,
    met_known_row,
    reason,
)
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.fold_journal import JournalFold
from rack_recipes.store.writing.import_journal import BatchLimits, JournalImport, import_journal

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL

pytestmark = pytest.mark.usefixtures("every_database")
Written = Callable[..., Path]
Opened = Callable[..., Engine]

LIMIT = 60.0  # seconds
FORKS = multiprocessing.get_context("fork")  # each has imported SQLAlchemy already


def follow(url: str, journal: Path, ready: Event) -> None:
    store = engines.connect_store(url)
    ready.set()
    import_journal(store, journal, BatchLimits(records=10))
    store.dispose()


def start(url: str, journal: Path) -> tuple[BaseProcess, Event]:
    """A writer, and what it sets when it has opened the store."""
    ready = FORKS.Event()
    writer = FORKS.Process(target=follow, args=(url, journal, ready))
    writer.start()
    return writer, ready


def exit_codes(writers: list[BaseProcess]) -> list[int | None]:
    """How they ended."""
    for writer in writers:
        writer.join()
    return [writer.exitcode for writer in writers]


def test_killed_writers_leave_whole_batches(made: str, store: Engine, journal: Written) -> None:
    """A process is killed while it writes, again and again; the next one goes on, and nothing is missing or twice."""
    path = journal(whole_run(hosts=20, steps=10))
    import_journal(store, path)
    held = everything(store)
    with store.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
    source, offsets = random.Random(3), []
    for _attempt in range(6):
        writer, ready = start(made, path)
        assert ready.wait(LIMIT)
        time.sleep(source.uniform(0, 0.1))
        writer.kill()
        writer.join()
        runs = recorded_runs.runs(store)
        offsets.append(runs[0]["journal_offset"] if runs else 0)
    assert offsets == sorted(offsets)
    import_journal(store, path)
    assert everything(store) == held


def test_eight_writers_and_a_reader_lose_nothing(
    made: str, store: Engine, opened: Opened, journal: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"R{number}" for number in range(8)]
    paths = [journal(whole_run(name, hosts=4, steps=10), name) for name in names]
    writers = [start(made, path)[0] for path in paths]
    reader, reads, are_at_work = opened(made, engines.connect_for_reading), 0, True
    while are_at_work:
        are_at_work = any(writer.is_alive() for writer in writers)
        for row in recorded_runs.runs(reader):
            assert len(recorded_runs.history(reader, row["run_id"])) >= row["next_seq"] - 1
            reads += 1
    assert (exit_codes(writers), capfd.readouterr().err) == ([0] * 8, "")
    assert reads
    for name, path in zip(names, paths, strict=True):
        assert import_journal(store, path).rows == 0
        assert len(recorded_runs.history(store, name)) == 80
        assert len(recorded_runs.steps(store, name)) == 40


def test_writers_of_one_run_lose_nothing(
    made: str, store: Engine, journal: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    path = journal(whole_run(hosts=10, steps=10))
    writers = [start(made, path)[0] for _number in range(3)]
    assert (exit_codes(writers), capfd.readouterr().err) == ([0] * 3, "")
    held = everything(store)
    with store.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
    import_journal(store, path)
    assert everything(store) == held


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened) -> Engine:
    """A SQLite store whose connections wait 50 ms for a lock."""
    monkeypatch.setattr(sqlite, "WAIT", 0.05)
    return opened(f"sqlite:///{tmp_path}/results.db")


@pytest.fixture
def other(impatient: Engine) -> Iterator[sqlite3.Connection]:
    """Another program that works with the same SQLite file."""
    connection = sqlite3.connect(str(impatient.url.database), isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def test_a_locked_sqlite_file_is_waited_for(impatient: Engine, other: sqlite3.Connection, journal: Written) -> None:
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, other.execute, ["COMMIT"]).start()
    assert import_journal(impatient, journal(whole_run())).rows
    assert recorded_runs.run(impatient, "R1")["status"] == "passed"


def test_a_lock_that_stays_is_told_and_nothing_is_lost(
    impatient: Engine, other: sqlite3.Connection, journal: Written
) -> None:
    path = journal(whole_run()[:8])
    following = JournalImport(impatient, path, BatchLimits(records=4, patience=0.2))
    following.catch_up()
    append(path, whole_run()[8:])
    other.execute("BEGIN IMMEDIATE")
    for _attempt in range(2):
        with pytest.raises(StoreError, match=rf"results\.db: database is locked; the results are safe in {path}"):
            following.catch_up()
    other.execute("COMMIT")
    following.catch_up()
    held = everything(impatient)
    other.execute("PRAGMA foreign_keys = on")
    other.execute("DELETE FROM runs")
    import_journal(impatient, path)
    assert everything(impatient) == held


def test_a_full_disk_keeps_what_is_stored(tmp_path: Path, opened: Opened, journal: Written) -> None:
    """Writes beyond a limit for files fail as on a full disk, for the log and for the file itself."""
    store = opened(f"sqlite:///{tmp_path}/results.db")
    path = journal(whole_run()[:5])
    import_journal(store, path)
    held = recorded_runs.history(store, "R1")
    append(path, [delta(50, after="x" * 2**20)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, hard))
    try:
        with pytest.raises(StoreError, match=r"disk I/O error|full"):
            import_journal(store, path)
        assert recorded_runs.history(store, "R1") == held
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    import_journal(store, path)
    assert len(recorded_runs.history(store, "R1")) == len(held) + 1


def test_a_full_disk_is_waited_for(tmp_path: Path, opened: Opened, journal: Written) -> None:
    """SQLite says so itself at the most pages that it is allowed."""
    store, begins, codes = opened(f"sqlite:///{tmp_path}/results.db"), 0, []

    def limit(connection: Any) -> None:
        nonlocal begins
        begins += 1
        connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if begins < 5 else 2**30}")

    event.listen(store, "begin", limit, insert=True)
    event.listen(store, "handle_error", lambda context: codes.append(context.original_exception.sqlite_errorcode))
    assert import_journal(store, journal([run(), delta(after="x" * 2**20), end()])).rows
    assert codes == [sqlite3.SQLITE_FULL] * 3
    assert recorded_runs.run(store, "R1")["status"] == "passed"


def test_a_read_only_sqlite_file_is_told(tmp_path: Path, opened: Opened, journal: Written) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    opened(url).dispose()
    looking = opened(url, engines.connect_for_reading)
    with pytest.raises(StoreError, match=r"the file or its folder is read-only.*safe in"):
        import_journal(looking, journal(whole_run()))


@pytest.fixture
def rival(emptied: MariaDB) -> Iterator[pymysql.Connection[Any]]:
    """A connection of another program to MariaDB."""
    port, password = emptied.port, emptied.password
    with pymysql.connect(host="127.0.0.1", port=port, user="rack", password=password, database="rack") as connection:
        yield connection


@pytest.fixture
def contested(emptied: MariaDB, opened: Opened, journal: Written) -> JournalImport:
    """What follows a journal into a MariaDB whose sessions wait a second for a lock; the context is to be written."""
    store = opened(f"{emptied.url}?init_command=SET SESSION innodb_lock_wait_timeout = 1")
    import_journal(store, journal(whole_run()))
    with store.begin() as connection:
        connection.execute(text("DELETE FROM context"))
    return JournalImport(store, journal([]))


def codes_of(following: JournalImport) -> list[int]:
    """The codes of all errors that its database raises from now on."""
    codes: list[int] = []
    event.listen(following._engine, "handle_error", lambda context: codes.append(context.original_exception.args[0]))
    return codes


def test_a_row_that_another_holds_is_waited_for(contested: JournalImport, rival: pymysql.Connection[Any]) -> None:
    codes = codes_of(contested)
    rival.cursor().execute("SELECT * FROM runs FOR UPDATE")
    release = threading.Timer(1.5, rival.rollback)
    release.start()
    assert contested.catch_up().rows
    release.join()
    assert 1205 in codes
    assert len(recorded_runs.history(contested._engine, "R1")) == 12


def test_a_transaction_that_a_deadlock_ends_is_done_again(
    contested: JournalImport, rival: pymysql.Connection[Any]
) -> None:
    """The other one changed more rows, so that the server ends ours."""
    codes, cursor = codes_of(contested), rival.cursor()
    cursor.execute("SET foreign_key_checks = 0")
    row = "INSERT INTO context (run_id, seq, host, `key`, version, after) VALUES (%s, 5, '', '', 1, '')"
    cursor.executemany(row, [("R1",), *((f"R{number}",) for number in range(10, 2000))])

    def close_the_circle() -> None:
        cursor.execute("SELECT * FROM runs FOR UPDATE")
        rival.rollback()

    release = threading.Timer(0.3, close_the_circle)
    release.start()
    assert contested.catch_up().rows
    release.join()
    assert 1213 in codes
    assert len(recorded_runs.history(contested._engine, "R1")) == 12


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> MariaDB | PostgreSQL:
    """Each of the servers, left without tables."""
    found: MariaDB | PostgreSQL = request.getfixturevalue(SERVERS[request.param])
    return found


def end_session(server: MariaDB | PostgreSQL, connection: Any) -> None:
    """End a session as an administrator does."""
    if server.url.startswith("postgresql"):
        with psycopg.connect(server.root_url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    else:
        with pymysql.connect(unix_socket=str(server.socket), user="root") as admin:
            admin.cursor().execute(f"KILL {connection.thread_id()}")


def test_connections_that_the_server_ends_are_made_anew(
    server: MariaDB | PostgreSQL, opened: Opened, journal: Written
) -> None:
    store = opened(server.url)
    following, killed = JournalImport(store, journal(whole_run(hosts=10, steps=10)), BatchLimits(records=5)), 0

    def kill(connection: Any, cursor: Any, statement: str, *call: Any) -> None:
        nonlocal killed
        if statement.startswith(("INSERT INTO context", "COPY context")) and killed < 5:
            killed += 1
            end_session(server, cursor.connection)

    event.listen(store, "before_cursor_execute", kill)
    following.catch_up()
    assert killed == 5
    assert len(recorded_runs.history(store, "R1")) == 200


def test_a_server_that_dies_is_waited_for(server: MariaDB | PostgreSQL, opened: Opened, journal: Written) -> None:
    store = opened(server.url)
    following, batches = JournalImport(store, journal(whole_run(hosts=20, steps=10)), BatchLimits(records=5)), 0

    def die(connection: Any) -> None:
        nonlocal batches
        batches += 1
        if batches == 5:
            server.kill()
            threading.Thread(target=server.restart).start()

    event.listen(store, "commit", die)
    following.catch_up()
    assert recorded_runs.run(store, "R1")["status"] == "passed"
    assert (len(recorded_runs.history(store, "R1")), len(recorded_runs.steps(store, "R1"))) == (400, 200)


def test_a_server_that_stays_away_is_told_and_nothing_is_lost(
    server: MariaDB | PostgreSQL, opened: Opened, journal: Written
) -> None:
    store, path = opened(server.url), journal(whole_run())
    server.kill()
    following = JournalImport(store, path, BatchLimits(patience=0.2))
    says = "Can't connect to MySQL server.*" if store.dialect.name == "mysql" else ""
    try:
        with pytest.raises(StoreError, match=f"{says}the results are safe in {path}") as caught:
            following.catch_up()
        assert server.password not in str(caught.value)
    finally:
        server.restart()
    following.catch_up()
    assert recorded_runs.run(store, "R1")["status"] == "passed"


@pytest.fixture
def small(emptied: MariaDB, root: Any) -> Iterator[MariaDB]:
    """A server that takes statements of at most 64 KiB."""
    root.execute("SET GLOBAL max_allowed_packet = 65536")
    yield emptied
    root.execute("SET GLOBAL max_allowed_packet = DEFAULT")


def test_many_rows_are_split_to_what_the_server_takes(small: MariaDB, opened: Opened, journal: Written) -> None:
    deltas = [delta(n, key=f"of.k{n}_v1", after="'" * 7000) for n in range(1, 101)]
    store = opened(small.url)
    import_journal(store, journal([run(), *deltas, end()]))
    assert [row["after"] for row in recorded_runs.history(store, "R1")] == ["'" * 7000] * 100


def test_a_row_that_the_server_does_not_take_is_named(small: MariaDB, opened: Opened, journal: Written) -> None:
    store = opened(small.url)
    path = journal([run(), delta(1), step(2), delta(3, key="big.value_v1", after="x" * 70_000)])
    started = time.monotonic()
    with pytest.raises(
        TooBigError, match=r"R1, 2, .*takes 70\d\d\d bytes, the server at most 65536.*safe in"
    ) as caught:
        import_journal(store, path, BatchLimits(records=3))
    assert time.monotonic() - started < engines.PATIENCE
    assert "max_allowed_packet" in str(caught.value)
    assert "xxxx" not in str(caught.value)
    assert len(recorded_runs.history(store, "R1")) == 1


def test_a_database_that_is_only_read_is_told(emptied: MariaDB, root: Any, opened: Opened, journal: Written) -> None:
    store = opened(emptied.url)
    root.execute("SET GLOBAL read_only = 1")
    try:
        with pytest.raises(StoreError, match="the server is read-only"):
            import_journal(store, journal(whole_run()))
    finally:
        root.execute("SET GLOBAL read_only = 0")


@pytest.mark.parametrize("place", [(JournalFold, "add"), (JournalImport, "_write")], ids=["read", "written"])
def test_what_is_interrupted_can_be_taken_up(
    store: Engine, journal: Written, monkeypatch: pytest.MonkeyPatch, place: tuple[type, str]
) -> None:
    path = journal(whole_run())
    import_journal(store, path)
    held = everything(store)
    with store.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
    following, (owner, name), calls = JournalImport(store, path, BatchLimits(records=2)), place, 0
    method = getattr(owner, name)

    def interrupted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            os.kill(os.getpid(), signal.SIGINT)
        method(*arguments)

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        following.catch_up()
    following.catch_up()
    assert everything(store) == held


def test_an_error_of_another_driver_is_told_too() -> None:
    """A URL may name a driver that nothing is known of, such as mysql+mysqldb."""
    error = OperationalError("INSERT", {}, Exception(1213, "another deadlock"))
    assert reason(error, make_url("mysql+mysqldb://rack@127.0.0.1/rack")) == "another deadlock"
    assert not any(asked(error) for asked in (is_passing, may_be_too_big, met_known_row))
