# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files may be run: those inside a trusted folder that only their owner's group can change."""

# A plan asks for a thousand paths, so they are text here.
# ruff: noqa: PTH116, PTH206

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import CatalogError

type Stamp = tuple[int, ...]


def stamp(path: str) -> Stamp | None:
    """What changes when a file or a folder does; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_trusted(root: str, path: str) -> None:
    """Raise CatalogError, with the reason, where `path` below `root` could be somebody else's work."""
    _check_mode(root, _mode(root, os.stat))  # the root may be a link: the user has set it
    place = root
    for name in path.removeprefix(root).strip(os.sep).split(os.sep):
        place = f"{place}{os.sep}{name}"
        mode = _mode(place, os.lstat)
        if stat.S_ISLNK(mode):
            check_trusted(os.path.realpath(root), _inside(root, place, path))
            return
        _check_mode(place, mode)
    if not stat.S_ISREG(mode):
        raise CatalogError(f"{path} is not a file")


def _mode(path: str, look: Callable[[str], os.stat_result]) -> int:
    try:
        return look(path).st_mode
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}") from error


def _check_mode(path: str, mode: int) -> None:
    if mode & stat.S_IWOTH:
        raise CatalogError(f"{path} is not trusted: everyone can write to it (chmod o-w {path})")


def _inside(root: str, link: str, path: str) -> str:
    """Where a path leads that holds a link; raises CatalogError where that is outside of the root."""
    real, trusted = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, trusted]) != trusted:
        raise CatalogError(f"{link} is not trusted: the link leads out of {root}, to {real}")
    return real
