# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Unix socket that the server listens on.

It lies in a folder that only its owner can enter, unless a policy lets other users of this machine in.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.server.network.peer import credentials_of

LONGEST_PATH = 107  # bytes: sun_path has 108, the last one is NUL; see unix(7)
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
PRIVATE_MASK, OPEN_MASK = 0o177, 0o111  # the socket has mode 600 or 666
BACKLOG = 2048


def listen(path: Path, *, shared: bool = False) -> socket.socket:
    """A socket that listens at this path; one that an ended server has left there is replaced.

    With `shared` other users of this machine may connect, too; it is the server that tells who may do what.

    Raises UsageError where a server is alive there, and where the place is not fit for a socket.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise UsageError(f"{path}: a socket's path may have {LONGEST_PATH} bytes; give a shorter one with --socket")
    _check_folder(path.parent, shared=shared)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_stale(path)
        return _bound(path, OPEN_MASK if shared else PRIVATE_MASK)
    finally:
        os.close(lock)


def _check_folder(folder: Path, *, shared: bool) -> None:
    make_private(folder)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UsageError(f"{folder} belongs to another user; give a socket in a folder of yours with --socket")
    if shared and found.st_mode & WRITABLE:
        raise UsageError(f"{folder} can be written by other users: chmod go-w {folder}, or give another --socket")
    if not shared and found.st_mode & OTHERS:
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
        return credentials_of(probe)[0]


def _bound(path: Path, mask: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(mask)
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
