# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the executor keeps things on a host: a folder a stage, and the programs that it compiled."""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

BASES = ("/var/tmp", "/tmp")  # /var/tmp outlives a reboot
KEPT = 24 * 3600  # seconds for which an ended stage can still be collected


class NoFolder(Exception):
    """No folder on this host can be written."""


def base_folder() -> str:
    """This user's own folder on this host; raises NoFolder with the reason for each candidate."""
    reasons = []
    for base in (*BASES, os.path.expanduser("~")):
        folder = os.path.join(base, "rack-recipes-%d" % os.geteuid())
        try:
            return _own(folder)
        except OSError as error:
            reasons.append("%s: %s" % (folder, error.strerror or error))
    raise NoFolder("no folder to work in: " + "; ".join(reasons))


def _own(folder: str) -> str:
    """Make `folder` or accept it; somebody else may have put a link or a folder of theirs there."""
    try:
        os.mkdir(folder, 0o700)
        os.mkdir(os.path.join(folder, "programs"), 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(0, "is not a private folder of this user") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(0, "cannot be written")
    return folder


def clean(base: str, collected: Iterable[str]) -> None:
    """Remove the stages that were collected, and those that ended long ago."""
    for name in collected:
        remove(os.path.join(base, name))
    for entry in os.scandir(base):
        ended = os.path.join(entry.path, "ended")
        if os.path.exists(ended) and time.time() - os.stat(ended).st_mtime > KEPT:
            remove(entry.path)


def remove(folder: str) -> None:
    """Remove a folder and all in it; links are removed, never followed."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove(entry.path)
        else:
            os.unlink(entry.path)
    os.rmdir(folder)
