# SPDX-License-Identifier: GPL-3.0-or-later

"""SQLite: one file for its owner alone, a write-ahead log, and transactions that begin as writers."""

from __future__ import annotations

import os
from errno import EACCES, EISDIR
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sql

from rack_recipes.errors import StoreError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.settings import project_nearby
from rack_recipes.store.database.database_kind import DatabaseKind, is_reading, url_without_password

MOUNTS = Path("/proc/self/mountinfo")
# The log needs memory that all processes share. On these file systems two machines cannot share any.
NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)


def prepare(path: Path) -> None:
    """Make the file and its folders if they are missing. Raises StoreError, also on a network file system."""
    try:
        make_private(path.parent)
        refuse_network(path)
        if not path.exists():  # to close a file ends the locks of SQLite's own connections of this process to it
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
        elif path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        elif not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def refuse_network(path: Path) -> None:
    """Raise StoreError if the file is on a file system on which an SQLite store can be damaged."""
    kind = file_system(path.parent)
    if kind in NETWORK:
        raise StoreError(
            f"{path} is on a network file system ({kind}), where a SQLite store can be damaged: "
            "set rack_recipes_db to a file on a local disk, or to a MySQL or PostgreSQL database"
        )


def file_system(folder: Path) -> str:
    """The type of the folder's file system, as `mount` names it; empty if it is not known."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:  # no Linux
        return ""
    fields = (line.split() for line in mounts)
    return next((field[field.index("-") + 1] for field in fields if field[2] == number), "")


WAIT = 2.0  # seconds that SQLite waits for another writer; an error must come before the recorder gives up waiting


def writer(url: sql.URL) -> sql.Engine:
    """An engine for a file, which is made if it is missing. Raises StoreError, also on a network file system."""
    path = _path(url)
    prepare(path)
    opened = sql.create_engine(url.set(database=str(path)), hide_parameters=True, connect_args={"timeout": WAIT})
    sql.event.listen(opened, "connect", _set_up)
    sql.event.listen(opened, "begin", _begin)
    return opened


def reader(url: sql.URL) -> sql.Engine:
    """An engine that can only read an existing file. Raises StoreError where the file is missing."""
    path = _path(url)
    if not path.exists():
        what = "there is no store yet, it is made by the first run"
        raise StoreError(f"{url_without_password(url)}: {what}{project_nearby()}")
    still = {"immutable": "1"} if _is_still(path) else {}
    read_only = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true", **still})
    return sql.create_engine(read_only, hide_parameters=True, connect_args={"timeout": WAIT})


def _is_still(path: Path) -> bool:
    """Whether the store is closed and its folder read-only, so that SQLite cannot make the log that it reads with."""
    log, index = (path.with_name(f"{path.name}-{part}") for part in ("wal", "shm"))
    is_open = log.exists() and (index.exists() or log.stat().st_size > 0)
    return not is_open and not os.access(path.parent, os.W_OK)


def _path(url: sql.URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise StoreError(f"{url_without_password(url)}: results in memory would be lost, name a file: sqlite:///PATH")
    return Path(url.database).absolute()


def _set_up(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin with BEGIN only, and DDL is rolled back with the rest
    try:
        for pragma in ("foreign_keys = on", "synchronous = normal", "journal_mode = wal"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:  # the pool would not close it
        connection.close()
        raise


def _begin(connection: sql.Connection) -> None:
    """Begin as a writer: a transaction that reads first and then writes fails if another one wrote in between."""
    connection.exec_driver_sql("BEGIN" if is_reading(connection) else "BEGIN IMMEDIATE")


KIND = DatabaseKind(
    name="sqlite",
    writer=writer,
    reader=reader,
    driver="sqlite3",
    is_in_python=True,
    code_of=lambda raised: getattr(raised, "sqlite_errorcode", 0) & 0xFF,  # the primary code of an extended one
    passing=frozenset(
        {
            5,  # SQLITE_BUSY: another writer, for longer than the connection waits
            6,  # SQLITE_LOCKED
            13,  # SQLITE_FULL: the disk
        }
    ),
    advice={
        8: "the file or its folder is read-only",
        11: "the file is damaged; restore it, the runs' journals bring back what is missing",
        13: "the disk is full",
        14: "check that its folder exists and may be written",
        26: "the file is not an SQLite database",
    },
)
