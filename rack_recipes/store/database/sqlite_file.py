# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of an SQLite store. It is made for its owner alone, and only where SQLite's write-ahead log works."""

from __future__ import annotations

import os
from errno import EACCES, EISDIR
from pathlib import Path

from rack_recipes.errors import StoreError
from rack_recipes.private_files import FILE_MODE, make_private

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
