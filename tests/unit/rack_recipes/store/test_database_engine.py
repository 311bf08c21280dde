# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores are opened, refused and maintained alike on every database."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import whole_run
from rack_recipes.errors import StoreError
from rack_recipes.journal.append import append
from rack_recipes.store import database_engine
from rack_recipes.store.database import sqlite
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database_engine import WRITERS, connect_for_reading, connect_store, opened
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.schema.migrate_and_check import HEAD
from rack_recipes.store.writing.import_journal import import_journal

if TYPE_CHECKING:
    from database_servers import MariaDB
Opened = Callable[..., Engine]
PASSWORD = "s3cr/et@%"
SHOWN = ("s3cr", "%40", "et@")


@pytest.mark.parametrize(
    ("scheme", "driver"),
    [
        *((scheme, "mysql+pymysql") for scheme in ("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql")),
        *((scheme, "postgresql+psycopg") for scheme in ("postgresql", "postgres", "postgresql+psycopg")),
    ],
)
def test_names_of_a_server_lead_to_one_driver(scheme: str, driver: str) -> None:
    assert database_engine.parsed(f"{scheme}://rack:x@127.0.0.1/rack").drivername == driver


def test_a_sqlite_store_is_made_for_its_owner_alone(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / ".rack-recipes" / "deeper" / "results.db"
    store = opened(f"sqlite:///{path}")
    with store.connect() as connection:  # keeps the log's files there
        connection.execute(text("SELECT 1"))
        made = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert made == {"results.db": 0o600, "results.db-wal": 0o600, "results.db-shm": 0o600}
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:2]] == [0o700] * 2


def test_a_sqlite_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///.rack-recipes/results.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recorded_runs.runs(store) == []
    assert (tmp_path / ".rack-recipes" / "results.db").exists()


@pytest.mark.parametrize("pragma", [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 1)])
def test_sqlite_is_set_up(tmp_path: Path, opened: Opened, pragma: tuple[str, object]) -> None:
    name, value = pragma
    with opened(f"sqlite:///{tmp_path}/results.db").connect() as connection:
        assert connection.execute(text(f"PRAGMA {name}")).scalar() == value


@pytest.mark.usefixtures("every_database")
def test_a_failed_transaction_leaves_nothing(store: Engine) -> None:
    insert = text("INSERT INTO runs (run_id, status, journal_offset, next_seq) VALUES ('R', :status, 0, 1)")
    with pytest.raises(DBAPIError), store.begin() as connection:
        connection.execute(insert, [{"status": "passed"}, {"status": None}])
    assert recorded_runs.runs(store) == []


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(address: str) -> None:
    with pytest.raises(StoreError, match="results in memory would be lost"):
        connect_store(address)


@pytest.mark.parametrize("kind", sorted(sqlite.NETWORK))
def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 259:7 / /boot rw,relatime shared:1 - ext4 /dev/nvme0n1p7 rw\n"
        f"36 25 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime shared:9 master:2 - {kind} host:/x rw\n"
    )
    monkeypatch.setattr(sqlite, "MOUNTS", mounts)
    with pytest.raises(StoreError, match=rf"results\.db is on a network file system \({kind}\).*rack_recipes_db"):
        connect_store(f"sqlite:///{tmp_path}/results.db")
    assert not (tmp_path / "results.db").exists()


def test_the_file_system_is_that_of_the_machine() -> None:
    assert sqlite.file_system(Path("/proc")) == "proc"
    assert sqlite.file_system(Path("/")) not in sqlite.NETWORK


def test_without_a_list_of_mounts_a_store_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setattr(sqlite, "MOUNTS", tmp_path / "missing")
    assert recorded_runs.runs(opened(f"sqlite:///{tmp_path}/results.db")) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"no database at all, but long enough to be one", "not an SQLite database"), (None, "a directory|is a dir")],
)
def test_a_file_that_is_no_store_is_told(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "results.db"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(StoreError, match=f"(?i){path}.*({says})"):
        connect_store(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://rack:{PASSWORD}@127.0.0.1:x/rack",
        f"nonsense://rack:{PASSWORD}@127.0.0.1/rack",
        f"rack:{PASSWORD}",
        f"mysql+{PASSWORD}://127.0.0.1/rack",
        "mysql://rack:S@s3cr@127.0.0.1/rack",
        "mysql://rack:S@s3cr/w@127.0.0.1/rack",
        "mysql://rack:S@s3cr?w@127.0.0.1/rack",
        "postgresql://ra@ck:S@s3cr#w@127.0.0.1/rack",
        "",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be read: expected sqlite:///PATH, mysql://") as caught:
        connect_store(address)
    assert not [sign for sign in SHOWN if sign in str(caught.value)]
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("password", ["s3cr/et", "s3cr#et", "s3cr?et", "s3cr:et", "s3cr%40et"])
def test_no_part_of_a_password_is_shown(password: str) -> None:
    with pytest.raises(StoreError, match="Can't connect") as caught:
        connect_store(f"mysql://ra@ck:{password}@127.0.0.1:{free_port()}/rack", patience=0.0)
    assert str(caught.value).startswith("mysql+pymysql://ra%40ck:***@127.0.0.1:")
    assert not [part for part in ("s3cr", "et@") if part in str(caught.value)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("bogus=1", "unexpected keyword argument 'bogus'"),
        ("connect_timeout=abc", "invalid literal for int() with base 10: 'abc'"),
        ("ssl_ca=/nosuch/s3cr", "No such file or directory"),
        ("passwd=s3cr&bogus=1", "unexpected keyword argument 'bogus'"),
    ],
)
@pytest.mark.parametrize("open_it", [connect_store, connect_for_reading])
def test_an_option_that_the_driver_does_not_take_is_told(open_it: Opened, query: str, says: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_it(f"mysql://rack:s3cr@127.0.0.1:{free_port()}/rack?{query}", patience=0.0)
    text = str(caught.value)
    assert text.startswith("mysql+pymysql://rack:***@127.0.0.1:")
    assert says in text
    assert text.endswith(": check what stands behind the ? in the URL")
    assert "s3cr" not in text


def test_an_option_that_sqlite_does_not_take_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"results\.db: .*: check what stands behind the \? in the URL"):
        connect_store(f"sqlite:///{tmp_path}/results.db?timeout=abc")


def test_a_password_among_the_options_is_told_to_nobody() -> None:
    with pytest.raises(StoreError, match=r"invalid literal .*'\*\*\*'") as caught:
        connect_store("mysql://rack:x@127.0.0.1:9/rack?ssl_password=s3cr&connect_timeout=s3cr")
    assert "s3cr" not in str(caught.value)


def test_a_driver_that_is_missing_is_told() -> None:
    with pytest.raises(StoreError, match=r"127\.0\.0\.1/rack: no driver: No module named 'MySQLdb'") as caught:
        connect_store(f"mysql+mysqldb://rack:{quote(PASSWORD, safe='')}@127.0.0.1/rack")
    assert not [sign for sign in SHOWN if sign in str(caught.value)]


def test_another_database_is_refused() -> None:
    with pytest.raises(StoreError, match="expected one of sqlite, mysql, postgresql, not oracle"):
        connect_store(f"oracle://rack:{quote(PASSWORD, safe='')}@127.0.0.1/rack")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("scheme", "query", "driver", "says"),
    [
        ("mysql", "", "mysql+pymysql", "Can't connect to MySQL server"),
        ("mysql", "?password=s3cr&read_timeout=5", "mysql+pymysql", "Can't connect to MySQL server"),
        ("postgresql", "", "postgresql+psycopg", "[Cc]onnection refused"),
    ],
)
def test_a_server_that_is_not_there_is_waited_for_and_told_without_the_password(
    scheme: str, query: str, driver: str, says: str
) -> None:
    started = time.monotonic()
    with pytest.raises(StoreError, match=says) as caught:
        connect_store(f"{scheme}://rack:s3cr%2Fet%40%25@127.0.0.1:{free_port()}/rack{query}", patience=0.3)
    assert time.monotonic() - started > 0.2
    assert str(caught.value).startswith(f"{driver}://rack:***@127.0.0.1:")
    assert not [sign for sign in SHOWN if sign in str(caught.value)]


@pytest.mark.parametrize(
    ("scheme", "query", "says"),
    [("mysql", "read_timeout=1", r"Lost connection|timed out"), ("postgresql", "connect_timeout=2", "timeout")],
)
def test_a_server_that_says_nothing_is_not_waited_for_for_ever(scheme: str, query: str, says: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        started = time.monotonic()
        with pytest.raises(StoreError, match=says):
            connect_store(f"{scheme}://rack:x@127.0.0.1:{listener.getsockname()[1]}/rack?{query}", patience=0.0)
        assert time.monotonic() - started < 60


@pytest.mark.parametrize("wrong", ["user", "password", "database"])
def test_what_a_server_refuses_is_told_without_the_password(mariadb: MariaDB, wrong: str) -> None:
    user = "nobody" if wrong == "user" else "rack"
    password = "s3cr%2Fet%40%25" if wrong != "database" else mariadb.password
    name = "unknown" if wrong == "database" else "rack"
    advice = "no right to this database" if wrong == "database" else "check user and password"
    with pytest.raises(StoreError, match=advice) as caught:
        connect_store(f"mysql://{user}:{password}@127.0.0.1:{mariadb.port}/{name}", patience=0.2)
    assert not [sign for sign in (*SHOWN, mariadb.password) if sign in str(caught.value)]


def test_a_user_who_may_only_read_is_told(emptied: MariaDB, root: Any, opened: Opened, tmp_path: Path) -> None:
    opened(emptied.url)
    root.execute("CREATE OR REPLACE USER looks@'%' IDENTIFIED BY 'p4ss'")
    root.execute("GRANT SELECT ON rack.* TO looks@'%'")
    looking = opened(f"mysql://looks:p4ss@127.0.0.1:{emptied.port}/rack")
    assert recorded_runs.runs(looking) == []
    with pytest.raises(StoreError, match=r"lacks a right on this table.*safe in .*journal\.jsonl") as caught:
        import_journal(looking, written(tmp_path))
    assert "p4ss" not in str(caught.value)
    root.execute("DROP USER looks@'%'")


def written(folder: Path) -> Path:
    append(folder / "journal.jsonl", whole_run())
    return folder / "journal.jsonl"


def test_a_url_may_set_what_we_would(emptied: MariaDB, opened: Opened) -> None:
    store = opened(f"{emptied.url}?read_timeout=7")
    with store.connect() as connection:
        assert connection.connection.dbapi_connection._read_timeout == 7  # type: ignore[union-attr]


def test_a_server_that_is_not_strict_is_made_so(emptied: MariaDB, root: Any, opened: Opened) -> None:
    root.execute("SET GLOBAL sql_mode = ''")
    store = opened(emptied.url)
    insert = text("INSERT INTO runs (run_id, status, journal_offset, next_seq) VALUES ('', '', 'x', 1)")
    with store.connect() as connection, pytest.raises(DBAPIError, match="Incorrect integer value"):
        connection.execute(insert)
    root.execute("SET GLOBAL sql_mode = DEFAULT")


@pytest.mark.usefixtures("every_database")
def test_a_reader_takes_no_lock_and_waits_for_none(made: str, store: Engine, opened: Opened, tmp_path: Path) -> None:
    import_journal(store, written(tmp_path))
    looking = opened(made, connect_for_reading)
    with store.begin() as writing:
        writing.execute(text("UPDATE runs SET status = 'other'"))
        assert recorded_runs.run(looking, "R1")["status"] == "passed"
        assert recorded_runs.run(store, "R1")["status"] == "passed"
    with reading_connection(looking) as long_read:
        long_read.execute(text("SELECT count(*) FROM runs")).scalar()
        with store.begin() as writing:
            writing.execute(text("UPDATE runs SET status = 'again'"))
    assert recorded_runs.run(looking, "R1")["status"] == "again"


def test_a_sqlite_reader_cannot_write(tmp_path: Path, opened: Opened) -> None:
    url = f"sqlite:///{tmp_path}/a b%23?.db"
    opened(url)
    looking = opened(url, connect_for_reading)
    with pytest.raises(Exception, match="readonly"), looking.begin() as connection:
        connection.execute(text("DELETE FROM runs"))


@pytest.mark.parametrize("rights", [0o500, 0o700])
def test_a_reader_reads_a_store_that_nobody_has_open(tmp_path: Path, opened: Opened, rights: int) -> None:
    folder = tmp_path / "store"
    url = f"sqlite:///{folder}/results.db"
    import_journal(opened(url), written(tmp_path))
    opened(url).dispose()
    folder.chmod(rights)
    assert recorded_runs.newest(opened(url, connect_for_reading)) == "R1"
    folder.chmod(0o700)


READS = """\
import sys
from rack_recipes.store.database_engine import connect_for_reading
from rack_recipes.store.reading import recorded_runs
print(recorded_runs.newest(connect_for_reading(sys.argv[1])))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("left", ["", "-wal", "-shm"])
def test_a_reader_reads_a_store_on_a_read_only_file_system(tmp_path: Path, opened: Opened, left: str) -> None:
    folder = tmp_path / "store"
    url = f"sqlite:///{folder}/results.db"
    store = opened(url)
    import_journal(store, written(tmp_path))
    store.dispose()
    if left:
        (folder / f"results.db{left}").touch()
    mounts = f'mount --bind "{folder}" "{folder}" && mount -o remount,bind,ro "{folder}"'
    command = ["unshare", "--mount", "sh", "-c", f'{mounts} || exit 77; exec "$@"', "sh", sys.executable, "-c", READS]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert (done.returncode, done.stdout) == (0, "R1\n"), done.stderr


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store yet"):
        connect_for_reading(f"sqlite:///{tmp_path}/store/results.db")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one", b""])
def test_a_reader_s_errors_show_the_url_that_was_given(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        connect_for_reading(f"sqlite:///{path}")
    assert str(caught.value).startswith(f"sqlite:///{path}: ")


def test_a_reader_of_an_empty_database_is_told(emptied: MariaDB) -> None:
    with pytest.raises(StoreError, match="it has no tables yet: `rack-recipes db upgrade` brings it up to date"):
        connect_for_reading(emptied.url)


def test_opening_a_store_that_is_new_or_up_to_date_imports_no_alembic(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from rack_recipes.store.database_engine import connect_store\n"
        "connect_store(sys.argv[1]).dispose()\n"
        "print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path}/results.db"]
    answers = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _time in range(2)]
    assert answers == ["False\n", "False\n"]


def test_a_store_is_made_and_then_left_alone(url: str) -> None:
    assert database_engine.upgrade_schema(url) == (None, HEAD)
    assert database_engine.upgrade_schema(url) == (HEAD, HEAD)
    assert database_engine.read_schema(url) == (HEAD, HEAD)
    assert database_engine.check_schema(url) == []


def with_a_table_of_others(url: str) -> None:
    """Make a database that is no new file, but has no schema of ours."""
    store = opened(url, WRITERS)
    with store.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (x INTEGER)"))
    store.dispose()


def test_a_database_without_our_tables_is_only_looked_at_until_it_is_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    with_a_table_of_others(url)
    assert f"the schema is missing, expected {HEAD}" in database_engine.check_schema(url)
    assert database_engine.read_schema(url) == (None, HEAD)
    assert database_engine.upgrade_schema(url) == (None, HEAD)
    assert database_engine.check_schema(url) == []


@pytest.mark.parametrize("ask", [database_engine.read_schema, database_engine.check_schema])
def test_asking_makes_no_store(tmp_path: Path, ask: Callable[[str], Any]) -> None:
    with pytest.raises(StoreError, match="there is no store yet"):
        ask(f"sqlite:///{tmp_path}/results.db")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_store_is_not_touched(url: str, new_store: Engine) -> None:
    with new_store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"its schema is 9999, made by another rack\.recipes.*install that version"):
        database_engine.upgrade_schema(url)
    assert database_engine.read_schema(url) == ("9999", HEAD)
    assert database_engine.check_schema(url) == [f"the schema is 9999, expected {HEAD}"]


CLOSE = "import sqlite3, sys; store = sqlite3.connect(sys.argv[1]); store.execute('SELECT * FROM runs'); store.close()"


def test_a_store_that_is_opened_again_stays_locked(tmp_path: Path) -> None:
    """Else the last of another process takes the log away that this one reads and writes."""
    url = f"sqlite:///{tmp_path}/results.db"
    connect_store(url).dispose()
    store = connect_for_reading(url)
    with closing(store.connect()) as connection:
        connection.execute(text("SELECT * FROM runs"))
        connect_store(url).dispose()
        subprocess.run([sys.executable, "-c", CLOSE, f"{tmp_path}/results.db"], check=True)
        assert (tmp_path / "results.db-wal").exists()
        assert (tmp_path / "results.db-shm").exists()
    store.dispose()


def test_without_sqlalchemy_the_user_reads_what_to_install(tmp_path: Path) -> None:
    words = f"runs --db sqlite:///{tmp_path}/store/results.db"
    program = f"import sys; sys.modules['sqlalchemy'] = None; sys.argv[1:] = {words.split()}\n"
    program += "from rack_recipes.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == StoreError.exit_code
    assert "import of sqlalchemy halted" in done.stderr
    assert "`pip install rack-recipes` brings it" in done.stderr
    assert not (tmp_path / "store").exists()


def test_without_alembic_a_database_can_be_migrated_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    with_a_table_of_others(url)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "alembic", None)
        with pytest.raises(StoreError, match=r"import of alembic halted.*`pip install rack-recipes` brings it"):
            connect_store(url)
    connect_store(url).dispose()
    assert database_engine.read_schema(url) == (HEAD, HEAD)


@pytest.mark.parametrize(
    ("scheme", "driver", "package"),
    [
        ("mysql", "pymysql", "rack-recipes"),
        ("mariadb", "pymysql", "rack-recipes"),
        ("postgresql", "psycopg", r"'rack-recipes\[postgresql\]'"),
    ],
)
def test_without_a_driver_the_user_reads_what_to_install(
    monkeypatch: pytest.MonkeyPatch, scheme: str, driver: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(StoreError, match=f"no driver: .*{driver}.*`pip install {package}` brings") as caught:
        connect_store(f"{scheme}://rack:s3cret@127.0.0.1/rack")
    assert "s3cret" not in str(caught.value)
