# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Unix socket that the server listens on, and who is at the other end of a connection.

It lies in a folder that only its owner can enter, and takes connections of this user and of root alone.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
import stat
import struct
from functools import lru_cache
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import FILE_MODE, make_private

LONGEST_PATH = 107  # bytes: sun_path has 108, the last one is NUL; see unix(7)
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of SO_PEERCRED
OTHERS = stat.S_IRWXG | stat.S_IRWXO
BACKLOG = 2048


def listen(path: Path) -> socket.socket:
    """A socket that listens at this path; one that an ended server has left there is replaced.

    Raises UsageError where a server is alive there, and where the place is not fit for a socket.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise UsageError(f"{path}: a socket's path may have {LONGEST_PATH} bytes; give a shorter one with --socket")
    _check_folder(path.parent)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_stale(path)
        return _bound(path)
    finally:
        os.close(lock)


def _check_folder(folder: Path) -> None:
    make_private(folder)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UsageError(f"{folder} belongs to another user; give a socket in a folder of yours with --socket")
    if found.st_mode & OTHERS:
        raise UsageError(f"{folder} can be entered by other users: chmod 700 {folder}, or give another --socket")


def _remove_stale(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise UsageError(f"{path} is there and is no socket: remove it, or give another --socket")
    pid = _server_of(path)
    if pid:
        raise UsageError(
            f"a server listens at {path} already, process {pid}: use it, end it with `kill {pid}`, or give another "
            "--socket"
        )
    path.unlink()


def _server_of(path: Path) -> int:
    """The process that listens at a socket, 0 if none does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return 0
        return peer_of(probe)[0]


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def remove(path: Path, inode: int) -> None:
    """Remove the socket, unless another server has put its own there meanwhile."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a connection."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _gid = CREDENTIALS.unpack(packed)
    return pid, uid


@lru_cache
def user_name(uid: int) -> str:
    """The name of a user; the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
