# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files may be run or sent: those inside a trusted folder that nobody else can change.

Each part of the way is opened inside of the one before it and looked at as it is open: nobody can put a link in the
place of a folder between the look and the reading.
"""

# A plan asks for a thousand paths, so they are text here.
# ruff: noqa: PTH116, PTH117, PTH118, PTH123, PTH206

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from functools import lru_cache

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import CatalogError

type Stamp = tuple[int, ...]
type Owners = frozenset[int]

PROJECT = "."
ROOT = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_PATH", 0)  # a folder need not be readable to be entered
FOLDER = ROOT | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe is not waited for
ANYBODY: Owners = frozenset()
ACL = "system.posix_acl_access"
WITHOUT_ACL = (errno.ENODATA, errno.ENOTSUP)  # the file has none, its filesystem knows none


class LinkError(Exception):
    """A part of a path that is a symbolic link."""


def stamp(path: str) -> Stamp | None:
    """What changes when a file or a folder does; None where there is none."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def stamp_of(found: os.stat_result) -> Stamp:
    """The same of what is open."""
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_trusted(root: str, place: str, *, strict: bool = True) -> Stamp:
    """The stamp of the file at `place` below the folder `root`, which may itself be a link: the user has set it.

    Raises CatalogError, with the reason and what to do, where the way leads out of the folder, or everybody can change
    a part of it. With `strict` nobody may but root, this user and the owner of the folder, or of the project where the
    folder is a part of it.
    """
    descriptor = _opened(root, place, strict=strict)
    try:
        return stamp_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def read_trusted(root: str, place: str, *, strict: bool = True) -> bytes:
    """What the file holds that `check_trusted` would let pass. Raises CatalogError."""
    with open(_opened(root, place, strict=strict), "rb") as file:
        return file.read()


def read_checked(path: str, seen: Stamp | None) -> bytes:
    """What a file holds that had this stamp when it was checked. Raises CatalogError where it is another one by now."""
    try:
        with open(os.open(path, FILE & ~os.O_NOFOLLOW), "rb") as file:
            if stamp_of(os.fstat(file.fileno())) != seen:
                raise CatalogError(f"{path} has changed while it was read: try again")
            return file.read()
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error


def check_own(path: str, opened: int, owners: Owners) -> None:
    """Raise CatalogError where somebody else can change an open file or folder: everybody, a group, a stranger."""
    found = os.fstat(opened)
    if found.st_mode & stat.S_IWOTH:
        raise CatalogError(f"{path} is not trusted: everyone can write to it (chmod o-w {path})")
    if owners is ANYBODY:
        return
    if found.st_mode & stat.S_IWGRP:
        _check_group(path, opened, found)
    if found.st_uid not in owners:
        others = " or ".join(sorted(map(name_of_user, owners)))
        raise CatalogError(f"{path} is not trusted: it belongs to {name_of_user(found.st_uid)}, not to {others}")


def _check_group(path: str, opened: int, found: os.stat_result) -> None:
    """Raise CatalogError where what a mode says of the group lets somebody else write."""
    if not _is_private(found.st_gid, found.st_uid):
        group = _name_of_group(found.st_gid)
        raise CatalogError(f"{path} is not trusted: everyone in the group {group} can write to it (chmod g-w {path})")
    if _may_have_acl(opened):
        raise CatalogError(f"{path} is not trusted: by its access list others may write to it (setfacl -b {path})")


def _may_have_acl(opened: int) -> bool:
    """Whether an access control list may be what the group's bits stand for: they are the most that it grants."""
    if not hasattr(os, "getxattr"):
        return False  # a system whose lists are no part of the mode
    try:
        os.getxattr(f"/proc/self/fd/{opened}", ACL)  # what is only open as a place has no attributes by itself
    except OSError as error:
        return error.errno not in WITHOUT_ACL
    return True


def name_of_user(number: int) -> str:
    """A user's name, the number where there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _opened(root: str, place: str, *, strict: bool) -> int:
    if place.startswith(os.sep) or not {"", os.curdir, os.pardir}.isdisjoint(place.split(os.sep)):
        raise CatalogError(f"{place!r} is not trusted: expected a path inside {_shown(root)}")
    try:
        return _walked(root, place, strict=strict)
    except LinkError as link:
        inside = _inside(root, str(link), os.path.join(root, place))
    try:
        return _walked(os.path.realpath(root), inside, strict=strict)
    except LinkError as link:
        raise CatalogError(f"{link} has become a link while it was looked at") from None


def _walked(root: str, place: str, *, strict: bool) -> int:
    """The open file. Raises LinkError for a part that is a link."""
    *folders, name = place.split(os.sep)
    shown, opened = root, _open(root, ROOT, None, root)
    try:
        owners = _owners(root, os.fstat(opened)) if strict else ANYBODY
        check_own(_shown(root), opened, owners)
        for folder in folders:
            shown = _join(shown, folder)
            inner = _open(folder, FOLDER, opened, shown)
            os.close(opened)
            opened = inner
            _check_part(shown, opened, owners)
        return _file(name, opened, _join(shown, name), owners)
    finally:
        os.close(opened)


def _file(name: str, folder: int, shown: str, owners: Owners) -> int:
    """The open file of a folder."""
    file = _open(name, FILE, folder, shown)
    try:
        _check_part(shown, file, owners)
        _check_regular(shown, file)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_part(shown: str, opened: int, owners: Owners) -> None:
    found = os.fstat(opened)
    if stat.S_ISLNK(found.st_mode):  # a folder's place is opened without following it, whatever it is
        raise LinkError(shown)
    check_own(shown, opened, owners)


def _check_regular(shown: str, opened: int) -> None:
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        raise CatalogError(f"{shown} is not a file")


def _open(name: str, flags: int, folder: int | None, shown: str) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP and flags & os.O_NOFOLLOW:
            raise LinkError(shown) from None
        raise CatalogError(f"{shown}: cannot be read: {error.strerror}") from error


def _owners(root: str, found: os.stat_result) -> Owners:
    """Who may change what is run: root, this user, and who owns the project, or a folder that is named by its path."""
    owner = found.st_uid if os.path.isabs(root) else os.stat(PROJECT).st_uid
    return frozenset((0, os.geteuid(), owner))


@lru_cache(maxsize=64)
def _is_private(group: int, owner: int) -> bool:
    """Whether a group is root's, or has nobody in it but the owner: many systems make one for each user."""
    if group == 0:
        return True
    try:
        user, found = pwd.getpwuid(owner), grp.getgrgid(group)
    except KeyError:
        return False
    return (user.pw_gid, user.pw_name) == (group, found.gr_name) and {*found.gr_mem} <= {user.pw_name}


def _name_of_group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _join(folder: str, name: str) -> str:
    return name if folder == PROJECT else f"{folder}{os.sep}{name}"


def _shown(root: str) -> str:
    return "the project's folder" if root == PROJECT else root


def _inside(root: str, link: str, path: str) -> str:
    """Where in the root a path leads that holds a link; raises CatalogError where that is outside of it."""
    real, trusted = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, trusted]) != trusted:
        raise CatalogError(f"{link} is not trusted: the link leads out of {_shown(root)}, to {real}")
    return os.path.relpath(real, trusted)
