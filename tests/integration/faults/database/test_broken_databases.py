# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases that fail in many ways: the run goes on, and at its end the store equals that of an undisturbed run.

Each fault is injected while the run waits at its gate, unless it is there from the start. The stages must end while it
lasts. Then it is mended, and the run stores all that there is; or it stays until the run has ended with exit code 5,
and `rack-recipes flush` brings the results.

What a database says to each fault, and that it is waited for, `tests/unit/rack_recipes/store/database` shows without a
run. So `make test` runs the ways that a run can end, and `make soak` every fault.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree, which
from typing import Any

import psycopg
import pymysql
import pytest

import reliability_sweeps
from broken_databases import (
    RUNS,
    Begun,
    begun,
    close_gate,
    drop_tables,
    flush,
    gated,
    held,
    is_stored,
    open_gate,
    undisturbed,
    wait_for,
)
from database_servers import ADDRESS, MariaDB, PostgreSQL
from faulty_network_proxy import Proxy
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

KINDS = ("sqlite", "mariadb", "postgresql")
SERVERS = KINDS[1:]
LOOKS = "looks"  # a user who may only read
HELD = "the run goes on, and its store equals that of an undisturbed run"
FLUSHED = "exit code 5 with the journal's path, and `rack-recipes flush` brings what an undisturbed run stores"


@dataclass(frozen=True)
class Store:
    """A database of a kind; `server` runs it, where it is one."""

    kind: str
    url: str
    server: Any = None

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def do(self, *statements: str) -> Any:
        """As the server's administrator; returns the last statement's first row, None where it has none."""
        if self.kind == "mariadb":
            with pymysql.connect(unix_socket=str(self.server.socket), user="root", database="rack") as connection:
                return _last_row(connection.cursor(), statements)
        with psycopg.connect(self.server.root_url, autocommit=True) as connection:
            return _last_row(connection.cursor(), statements)


def _last_row(cursor: Any, statements: tuple[str, ...]) -> Any:
    for statement in statements:
        cursor.execute(statement)
    return cursor.fetchone() if cursor.description else None


@pytest.fixture
def store(request: pytest.FixtureRequest, steps: Path) -> Iterator[Store]:
    """An empty store of the kind that the test is about, in a project."""
    kind = request.param
    if kind == "sqlite":
        yield Store(kind, f"sqlite:///{steps}/store/results.db")
        return
    server = request.getfixturevalue(kind)
    yield Store(kind, server.url, server)
    drop_tables(server.url)


def over(*kinds: str, few: tuple[str, ...] = ()) -> Any:
    """For each of these kinds; only in the whole sweep for those that are not among the few, where these are named."""
    chosen = kinds if reliability_sweeps.is_whole() or not few else few
    return pytest.mark.parametrize("store", chosen, indirect=True)


def goes_on(store: Store, broken: Callable[[Store], Any], **large: int) -> None:
    """A fault from the gate until all stages have ended."""
    wanted = undisturbed(**large)
    with begun(gated(**large), store.url) as run:
        wait_for(lambda: is_stored(store.url, run.run_id, "first"), "what comes before the gate is stored")
        with broken(store):
            open_gate()
            wait_for(run.has_ended, "the stages end")
            assert run.process.poll() is None
        done = run.ends()
    close_gate()
    assert done.code == 1, done.stdout + done.stderr  # a step fails, and nothing else
    assert held(store.url, run.run_id) == wanted


def ends_with_5(
    store: Store, broken: Callable[[Store], Any], url: str = "", *, early: bool = False, says: str = "", **large: Any
) -> None:
    """A fault from the gate, or an early one from the start, until the run has ended; it may have another URL."""
    wanted = undisturbed(**large)
    with ExitStack() as fault:
        if early:
            fault.enter_context(broken(store))
        with begun(gated(**large), url or store.url, RACK_RECIPES_STORE_TIMEOUT=15 if says else 5) as run:
            if not early:
                wait_for(lambda: is_stored(store.url, run.run_id, "first"), "what comes before the gate is stored")
                fault.enter_context(broken(store))
            open_gate()
            done = run.ends()
    close_gate()
    assert done.code == 5, done.stdout + done.stderr
    assert Path(done.answer["journal"]).is_file()
    assert says in done.answer["reason"]
    flushed = flush(run.run_id, store.url)
    assert flushed.code == 0, flushed.stderr
    assert flushed.answer["rows"] > 0
    assert held(store.url, run.run_id) == wanted
    assert rows_of_another_flush(run, store.url) == 0


def rows_of_another_flush(run: Begun, url: str) -> int:
    """What it writes, in this process."""
    again = connect_store(url)
    try:
        return import_journal(again, run.folder / "journal.jsonl").rows
    finally:
        again.dispose()


def times(number: int, name: str, holds: str, test: Callable[[], None]) -> None:
    """Once, and in the whole sweep so many times."""
    with reliability_sweeps.sweep(f"database, {name}", holds) as made:
        for _turn in range(reliability_sweeps.count(1, number)):
            test()
            made.done += 1


@contextmanager
def killed(store: Store) -> Iterator[None]:
    store.server.kill()
    try:
        yield
    finally:
        store.server.restart()


# --- Killed, away, slow -----------------------------------------------------------------------------------------------


@over(*SERVERS, few=("postgresql",))
def test_killed_and_restarted(store: Store):
    times(10, f"{store.kind} is killed and restarted", HELD, lambda: goes_on(store, killed))


@over(*SERVERS, few=("postgresql",))
def test_away_at_the_end(store: Store):
    times(5, f"{store.kind} is away at the end", FLUSHED, lambda: ends_with_5(store, killed))


@contextmanager
def in_the_way(store: Store) -> Iterator[None]:
    """Something that is no folder has the place of the SQLite store's."""
    store.path.parent.write_text("")
    try:
        yield
    finally:
        store.path.parent.unlink()


@over(*KINDS, few=("sqlite", "mariadb"))
def test_away_at_the_start(store: Store):
    def tried() -> None:
        wanted = undisturbed()
        with ExitStack() as away:
            away.enter_context((killed if store.server else in_the_way)(store))
            with begun(gated(), store.url) as run:
                wait_for(run.is_at_its_gate, "the first step ends")
                away.close()
                open_gate()
                done = run.ends()
        close_gate()
        assert done.code == 1, done.stdout + done.stderr
        assert held(store.url, run.run_id) == wanted
        if not store.server:
            rmtree(store.path.parent)

    times(5, f"{store.kind} is away at the start", HELD, tried)


@contextmanager
def proxied(store: Store) -> Iterator[tuple[Proxy, Store]]:
    """A proxy in front of the store's server, and the store as it is reached through that."""
    with Proxy(ADDRESS, store.server.port) as proxy:
        yield proxy, replace(store, url=store.url.replace(f":{store.server.port}/", f":{proxy.port}/"))


@pytest.mark.repeats
@over(*SERVERS, few=("postgresql",))
def test_slow(store: Store):
    """Each statement takes seconds: the stages are done while the store still holds nothing of what they found."""
    with proxied(store) as (proxy, through):

        @contextmanager
        def slowly(_store: Store) -> Iterator[None]:
            proxy.delay = reliability_sweeps.count(1, 3) / 2  # there, and back
            yield
            assert not any(is_stored(store.url, run.name, "many") for run in RUNS.iterdir())
            proxy.delay = 0.0

        def tried() -> None:
            drop_tables(store.url)
            rmtree(RUNS, ignore_errors=True)
            goes_on(through, slowly)

        times(5, f"{store.kind} takes seconds a statement", HELD, tried)


# --- Full, read-only, locked ------------------------------------------------------------------------------------------


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, of a size."""
    if os.geteuid() != 0 or not which("mount"):
        pytest.skip("only root can mount a small file system")
    folder.mkdir(parents=True, exist_ok=True)
    told = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", str(folder)]
    made = subprocess.run(told, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(folder: Path) -> Callable[[Store], Any]:
    @contextmanager
    def full(_store: Store) -> Iterator[None]:
        """Not a byte is left on the disk."""
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        try:
            yield
        finally:
            ballast.unlink()

    return full


LARGE = {"keys": 4, "length": 700_000}  # more than the free pages that a database keeps, each more than a small packet
DISKS = {
    "sqlite": (None, "64m", {}),
    "mariadb": (MariaDB, "320m", {"innodb-log-file-size": "4M", "innodb-undo-tablespaces": "0"}),
    "postgresql": (PostgreSQL, "240m", {"max_wal_size": "32MB"}),
}


@contextmanager
def on_a_small_disk(kind: str, folder: Path) -> Iterator[Store]:
    make, size, options = DISKS[kind]
    with mounted(folder, size) as disk:
        if make is None:
            yield Store(kind, f"sqlite:///{disk}/store/results.db")
            return
        with make(disk / "server", options) as server:
            yield Store(kind, server.url, server)


@pytest.mark.parametrize("kind", KINDS if reliability_sweeps.is_whole() else ("postgresql",))
def test_disk_full(kind: str, steps: Path):
    disk = Path(f"/tmp/rack-{secrets.token_hex(4)}")
    with on_a_small_disk(kind, disk) as store:
        times(5, f"{kind} has a full disk", HELD, lambda: goes_on(store, filled(disk), **LARGE))
    disk.rmdir()


@contextmanager
def only_read(store: Store) -> Iterator[str]:
    """The URL of a user who may read what is there, and nothing else."""
    connect_store(store.url).dispose()  # makes the tables
    if store.kind == "mariadb":
        made = (f"CREATE OR REPLACE USER {LOOKS}@'%' IDENTIFIED BY 'p4ss'", f"GRANT SELECT ON rack.* TO {LOOKS}@'%'")
        dropped = (f"DROP USER {LOOKS}@'%'",)
    else:
        grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {LOOKS}"
        made = (f"CREATE ROLE {LOOKS} LOGIN PASSWORD 'p4ss'", grant)
        dropped = (f"DROP OWNED BY {LOOKS}", f"DROP ROLE {LOOKS}")
    store.do(*made)
    try:
        yield f"{store.url.partition('://')[0]}://{LOOKS}:p4ss@127.0.0.1:{store.server.port}/rack"
    finally:
        store.do(*dropped)


@pytest.mark.repeats
@over(*SERVERS, few=("mariadb",))
def test_a_user_who_may_only_read(store: Store):
    def tried() -> None:
        with only_read(store) as url:
            ends_with_5(store, nullcontext, url, early=True, says="lacks a right on this table")

    times(3, f"{store.kind} has a user who may only read", FLUSHED, tried)


@contextmanager
def read_only_disk(store: Store) -> Iterator[None]:
    remounted(store, "ro")
    try:
        yield
    finally:
        remounted(store, "rw")


def remounted(store: Store, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(store.path.parent)], check=True)


@contextmanager
def read_only_file(store: Store) -> Iterator[None]:
    store.path.chmod(0o400)
    try:
        yield
    finally:
        store.path.chmod(0o600)


@pytest.mark.repeats
def test_a_file_that_may_only_be_read(steps: Path):
    """Only a whole file system keeps root from writing."""
    is_root, disk = os.geteuid() == 0, steps / "disk"
    store = Store("sqlite", f"sqlite:///{disk}/results.db")

    def tried() -> None:
        with mounted(disk, "4m") if is_root else nullcontext():
            connect_store(store.url).dispose()
            ends_with_5(store, read_only_disk if is_root else read_only_file, early=True, says="results.db")

    times(3, "sqlite has a file that may only be read", FLUSHED, tried)


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another program has the file for itself."""
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.mark.repeats
@over("sqlite")
def test_locked_to_the_end(store: Store):
    times(5, "sqlite is locked to the end", FLUSHED, lambda: ends_with_5(store, locked, says="database is locked"))


# --- Refused: packets, connections ------------------------------------------------------------------------------------


@contextmanager
def small_packets(store: Store) -> Iterator[None]:
    store.do("SET GLOBAL max_allowed_packet = 65536")
    try:
        yield
    finally:
        store.do("SET GLOBAL max_allowed_packet = DEFAULT")


@pytest.mark.repeats
@over("mariadb")
def test_packets_that_are_too_small(store: Store):
    """One value is larger than the server takes in a statement; many others go in pieces."""

    def tried() -> None:
        ends_with_5(store, small_packets, early=True, says="raise its max_allowed_packet", **LARGE)

    times(3, "mariadb takes only small packets", FLUSHED, tried)


@contextmanager
def idle(store: Store) -> Iterator[None]:
    """The server ends a connection that says nothing for a second."""
    if store.kind == "mariadb":
        store.do("SET GLOBAL wait_timeout = 1")
    else:
        store.do("ALTER ROLE rack SET idle_session_timeout = '1s'")
    try:
        yield
    finally:
        if store.kind == "mariadb":
            store.do("SET GLOBAL wait_timeout = DEFAULT")
        else:
            store.do("ALTER ROLE rack RESET idle_session_timeout")


def connected(store: Store) -> int:
    """How many connections of the run's user there are."""
    if store.kind == "mariadb":
        return int(store.do("SELECT count(*) FROM information_schema.processlist WHERE user = 'rack'")[0])
    return int(store.do("SELECT count(*) FROM pg_stat_activity WHERE usename = 'rack'")[0])


@pytest.mark.repeats
@over(*SERVERS, few=("mariadb",))
def test_a_connection_that_is_ended_while_idle(store: Store):
    @contextmanager
    def ended(_store: Store) -> Iterator[None]:
        wait_for(lambda: not connected(store), "the server ends the connection")
        yield

    def tried() -> None:
        with idle(store):
            goes_on(store, ended)

    times(5, f"{store.kind} ends an idle connection", HELD, tried)
