# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a file is in a trusted folder where nobody else can change it; finds the files that a `src` means.

Each part of a path is opened relative to the part before it, and the open file is checked. So nobody can replace a
folder by a link between the check and the reading.
"""

# Paths are plain strings here because a plan looks up a thousand of them.
# ruff: noqa: PTH116, PTH117, PTH118, PTH120, PTH123, PTH206

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from rack_recipes.errors import CatalogError

type Stamp = tuple[int, ...]
type Owners = frozenset[int]
PROJECT = "."
ROOT = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_PATH", 0)  # a folder can be entered without being readable
FOLDER = ROOT | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # opening a named pipe must not wait for its writer
ANYBODY: Owners = frozenset()
ACL = "system.posix_acl_access"
WITHOUT_ACL = (errno.ENODATA, errno.ENOTSUP)  # the file has no list, or its file system has none


class LinkError(Exception):
    """A part of a path is a symbolic link; the message is that part."""


def stamp(path: str) -> Stamp | None:
    """Return numbers that differ once a file or folder has changed, None if it does not exist."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def stamp_of(found: os.stat_result) -> Stamp:
    """Return the same numbers for the result of a stat."""
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_trusted(root: str, relative_path: str, *, strict: bool = True) -> Stamp:
    """Return the stamp of the file at `relative_path` in the folder `root`. `root` itself may be a link.

    Raises CatalogError with the reason and the remedy if the path leads out of the folder, or if everybody can change a
    part of it. With `strict` the only users who may be able to change it are root, this user and the owner of the
    folder; for a folder inside the project it is the project's owner instead.
    """
    descriptor = _open_trusted(root, relative_path, strict=strict)
    try:
        return stamp_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def read_trusted(root: str, relative_path: str, *, strict: bool = True) -> bytes:
    """Return the content of a file after the same check as `check_trusted`. Raises CatalogError."""
    with open(_open_trusted(root, relative_path, strict=strict), "rb") as file:
        return file.read()


def read_checked(path: str, seen: Stamp | None) -> bytes:
    """Return the content of a file. Raises CatalogError if its stamp is no longer the one of its check."""
    try:
        with open(os.open(path, FILE & ~os.O_NOFOLLOW), "rb") as file:
            if stamp_of(os.fstat(file.fileno())) != seen:
                raise CatalogError(f"{path} has changed while it was read: try again")
            return file.read()
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error


def check_owner(path: str, opened: int, owners: Owners) -> None:
    """Raise CatalogError if anybody but `owners` can change an open file or folder."""
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
    """Raise CatalogError if the group's permission to write includes anybody else."""
    if not _is_private(found.st_gid, found.st_uid):
        group = _name_of_group(found.st_gid)
        raise CatalogError(f"{path} is not trusted: everyone in the group {group} can write to it (chmod g-w {path})")
    if _may_have_acl(opened):
        raise CatalogError(f"{path} is not trusted: by its access list others may write to it (setfacl -b {path})")


def _may_have_acl(opened: int) -> bool:
    """Whether an access control list may stand behind the group's bits: these are the most that the list grants."""
    if not hasattr(os, "getxattr"):
        return False  # on such a system the mode does not include the lists
    try:
        os.getxattr(f"/proc/self/fd/{opened}", ACL)  # a descriptor opened with O_PATH has no attributes itself
    except OSError as error:
        return error.errno not in WITHOUT_ACL
    return True


def name_of_user(number: int) -> str:
    """Return a user's name, or the number if it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _open_trusted(root: str, relative_path: str, *, strict: bool) -> int:
    if relative_path.startswith(os.sep) or not {"", os.curdir, os.pardir}.isdisjoint(relative_path.split(os.sep)):
        raise CatalogError(f"{relative_path!r} is not trusted: expected a path inside {_display_name(root)}")
    try:
        return _open_inside(root, relative_path, strict=strict)
    except LinkError as link:
        inside = _resolve_link(root, str(link), os.path.join(root, relative_path))
    try:
        return _open_inside(os.path.realpath(root), inside, strict=strict)
    except LinkError as link:
        raise CatalogError(f"{link} has become a link while it was checked") from None


def _open_inside(root: str, relative_path: str, *, strict: bool) -> int:
    """Open the file part by part. Raises LinkError for a part that is a link."""
    *folders, name = relative_path.split(os.sep)
    display, opened = root, _open(root, ROOT, None, root)
    try:
        owners = _owners(root, os.fstat(opened)) if strict else ANYBODY
        check_owner(_display_name(root), opened, owners)
        for folder in folders:
            display = _join(display, folder)
            inner = _open(folder, FOLDER, opened, display)
            os.close(opened)
            opened = inner
            _check_part(display, opened, owners)
        return _open_file(name, opened, _join(display, name), owners)
    finally:
        os.close(opened)


def _open_file(name: str, folder: int, display: str, owners: Owners) -> int:
    """Open a file in an open folder."""
    file = _open(name, FILE, folder, display)
    try:
        _check_part(display, file, owners)
        _check_regular(display, file)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_part(display: str, opened: int, owners: Owners) -> None:
    found = os.fstat(opened)
    if stat.S_ISLNK(found.st_mode):  # with O_PATH a link is opened instead of refused
        raise LinkError(display)
    check_owner(display, opened, owners)


def _check_regular(display: str, opened: int) -> None:
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        raise CatalogError(f"{display} is not a file")


def _open(name: str, flags: int, folder: int | None, display: str) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP and flags & os.O_NOFOLLOW:
            raise LinkError(display) from None
        raise CatalogError(f"{display}: cannot be read: {error.strerror}") from error


def _owners(root: str, found: os.stat_result) -> Owners:
    """Return who may change what is run: root, this user, and the owner of the project.

    For a folder that is given by an absolute path it is the owner of that folder.
    """
    owner = found.st_uid if os.path.isabs(root) else os.stat(PROJECT).st_uid
    return frozenset((0, os.geteuid(), owner))


@lru_cache(maxsize=64)
def _is_private(group: int, owner: int) -> bool:
    """Whether a group is root's or has no other member than the owner; many systems make such a group for each user."""
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


def _display_name(root: str) -> str:
    return "the project's folder" if root == PROJECT else root


def _resolve_link(root: str, link: str, path: str) -> str:
    """Return where in the root a path with a link leads. Raises CatalogError if that is outside the root."""
    real, trusted = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, trusted]) != trusted:
        raise CatalogError(f"{link} is not trusted: the link leads out of {_display_name(root)}, to {real}")
    return os.path.relpath(real, trusted)


def check_recipe(real: str, opened: int, folders: Sequence[str]) -> None:
    """Raise CatalogError where anybody else can change the file of a recipe; `real` is its path, and it is `opened`.

    Below the project's folder, and in a trusted folder of the settings (`folders`), each part of the path is checked as
    it is for a scriptlet. Elsewhere the file and its folder count, and nobody is trusted for owning that folder.
    """
    project = os.path.realpath(PROJECT)
    if os.path.commonpath([project, real]) == project:
        root, _slash, inside = os.path.relpath(real, project).partition(os.sep)
    else:
        known = (os.path.realpath(folder) for folder in folders if os.path.isabs(folder))
        root = next((folder for folder in known if real.startswith(os.path.join(folder, ""))), "")
        inside = os.path.relpath(real, root) if root else ""
    if inside:
        check_trusted(root, inside)
    elif root:
        check_owner(root, opened, _owners(root, os.fstat(opened)))
    else:
        _check_elsewhere(real, opened)


def _check_elsewhere(real: str, opened: int) -> None:
    """Check a file outside of all trusted folders. In a folder such as /tmp only its owner can replace it."""
    owners = frozenset((0, os.geteuid(), os.stat(PROJECT).st_uid))
    folder = os.path.dirname(real)
    above = _open(folder, ROOT, None, folder)
    try:
        if not os.fstat(above).st_mode & stat.S_ISVTX:
            check_owner(folder, above, owners)
        check_owner(real, opened, owners)
    except CatalogError as error:
        cure = "it is outside of the project: the setting scriptlets names trusted folders"
        raise CatalogError(f"{error}; {cure}") from None
    finally:
        os.close(above)


MOST_FILES = 1000
MIB = 1 << 20
MOST_BYTES = 32 * MIB  # of all files of a folder: they travel with each stage that needs them
CACHES = "__pycache__"


def is_there(src: str) -> bool:
    """Whether the project has the file, or the folder, that `src` names."""
    try:
        return Path(src).is_dir() if src.endswith("/") else Path(src).is_file()
    except (OSError, ValueError):  # the name is too long, or no valid one
        return False


def source_files(src: str) -> list[str]:
    """The paths of the files in the project, sorted. Hidden files and Python's caches are left out of a folder.

    Raises CatalogError where a link leads out of the project, where other users can change a file, and for a folder
    that has no file or too much in it.
    """
    found = sorted(_below(src)) if src.endswith("/") else [Path(src).as_posix()]
    if not found:
        raise CatalogError(f"{src}: there is no file in this folder (hidden ones are not sent)")
    if len(found) > MOST_FILES:
        raise CatalogError(f"{src}: it has more than {MOST_FILES} files, the most that a step can send")
    for path in found:
        check_trusted(PROJECT, path, strict=False)
    size = sum(Path(path).stat().st_size for path in found) if src.endswith("/") else 0
    if size > MOST_BYTES:
        raise CatalogError(f"{src}: it has {size // MIB} MiB, more than the {MOST_BYTES // MIB} that a step can send")
    return found


def _below(src: str) -> Iterator[str]:
    """The files below a folder; one more than allowed at most, so that the whole disk is not walked through."""
    count = 0
    for folder, folders, names in os.walk(src):
        folders[:] = [name for name in folders if not name.startswith(".") and name != CACHES]
        for name in names:
            if not name.startswith("."):
                yield Path(folder, name).as_posix()
                count += 1
        if count > MOST_FILES:
            return
