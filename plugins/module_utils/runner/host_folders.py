# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the executor keeps things on a host: a folder for each stage, and the programs that it compiled."""

from __future__ import annotations

import os
import stat

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BASES = ("/var/tmp", "/tmp")  # noqa: S108 - only this user can write in the folder there; /var/tmp outlives a reboot
PROGRAMS = "programs"


class NoFolder(OSError):
    """There is no folder on this host in which the executor can work."""


def base_folder(tmp: str = "", use: Callable[[str], object] = str) -> str:
    """The user's own folder on this host, in `tmp` or in the usual places. It is made if it is missing.

    `use` gets the folder and does its work there. If that raises OSError, such as for lack of room, the next place is
    tried. Raises NoFolder with the reason of each place.
    """
    reasons = []
    for folder in _candidates(tmp):
        try:
            os.makedirs(folder, mode=FOLDER_MODE, exist_ok=True)
            reason = _objection(folder)
            if not reason:
                os.makedirs(os.path.join(folder, PROGRAMS), mode=FOLDER_MODE, exist_ok=True)
                use(folder)
                return folder
        except OSError as error:
            reason = str(error.strerror)
        reasons.append(f"{folder}: {reason}")
    raise NoFolder(f"no folder to work in: {'; '.join(reasons)}")


def find_folder(stage: str, tmp: str = "") -> str | None:
    """The folder of a stage that was started before, in any of the places; None if there is none."""
    places = (os.path.join(base, stage) for base in _candidates(tmp) if not _objection(base))
    return next((folder for folder in places if os.path.isdir(folder)), None)


def _candidates(tmp: str) -> list[str]:
    """The user's folder in each place. If the user has chosen a place it is the only one: others may be too small."""
    places = [os.path.expandvars(os.path.expanduser(tmp))] if tmp else [*BASES, os.path.expanduser("~")]
    return [os.path.join(place, f"rack-recipes-{os.geteuid()}") for place in places]


def _objection(folder: str) -> str:
    """Why a folder cannot be used, such as a link or a folder of another user; empty if it can."""
    try:
        found = os.lstat(folder)
    except OSError as error:
        return str(error.strerror)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return "is not a private folder of this user"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "cannot be written"


def remove(path: str, device: int | None = None) -> None:
    """Remove a file or folder as far as possible. It follows no links and stays on one device."""
    try:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(path)
        elif device in (None, found.st_dev):
            os.chmod(path, FOLDER_MODE)
            for entry in list(os.scandir(path)):
                remove(entry.path, found.st_dev)
            os.rmdir(path)
    except (OSError, RecursionError):
        pass
