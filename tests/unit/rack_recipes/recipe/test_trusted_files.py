# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be run or sent: nothing that leads out of its folder, or that somebody else can change."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe import trusted_files
from rack_recipes.recipe.trusted_files import check_trusted, read_checked, read_trusted, stamp

STRANGER = 54_321  # a user and a group that nobody has
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
PLACE = "disk/deep/probe.sh"
PARTS = ["scriptlets", "scriptlets/disk", "scriptlets/disk/deep", f"scriptlets/{PLACE}"]


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project with a file in its trusted folder, and one beside it."""
    monkeypatch.chdir(tmp_path)
    file = Path("scriptlets", PLACE)
    file.parent.mkdir(parents=True)
    file.write_text("own")
    Path("elsewhere").mkdir()
    Path("elsewhere/probe.sh").write_text("foreign")
    clear = trusted_files._is_private.cache_clear
    clear()
    yield
    clear()


def refusal(place: str = PLACE, root: str = "scriptlets", *, strict: bool = True) -> str:
    with pytest.raises(CatalogError) as caught:
        read_trusted(root, place, strict=strict)
    with pytest.raises(CatalogError) as checked:
        check_trusted(root, place, strict=strict)
    assert str(checked.value) == str(caught.value)
    return str(caught.value)


def test_a_file_of_one_s_own_is_trusted():
    assert read_trusted("scriptlets", PLACE) == b"own"
    assert check_trusted("scriptlets", PLACE) == stamp(f"scriptlets/{PLACE}")


@pytest.mark.parametrize(
    "place",
    ["/etc/passwd", "../elsewhere/probe.sh", "disk/../../elsewhere/probe.sh", "disk/../disk", "", ".", "disk//x"],
)
def test_a_path_that_leads_out_is_refused_before_anything_is_opened(place: str):
    assert refusal(place) == f"{place!r} is not trusted: expected a path inside scriptlets"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("strict", [True, False])
def test_what_everyone_can_write_to(part: str, strict: bool):
    Path(part).chmod(0o777 if Path(part).is_dir() else 0o666)
    assert refusal(strict=strict) == f"{part} is not trusted: everyone can write to it (chmod o-w {part})"


@AS_ROOT
@pytest.mark.parametrize("part", PARTS)
def test_what_a_group_can_write_to(part: str):
    """As sshd and sudo have it: a group is somebody else, unless it is one's own, with nobody else in it."""
    os.chown(part, -1, STRANGER)
    Path(part).chmod(0o775)
    said = f"{part} is not trusted: everyone in the group {STRANGER} can write to it (chmod g-w {part})"
    assert refusal() == said
    assert read_trusted("scriptlets", PLACE, strict=False) == b"own"
    Path(part).chmod(0o755)
    assert read_trusted("scriptlets", PLACE) == b"own"


def grant(path: str, mode: int, *users: int) -> None:
    """As `setfacl -m u:USER:rw`, which is not everywhere: owner, users, group, the most that is granted, others."""
    nobody = 0xFFFFFFFF  # as an entry without a name has it
    granted = [(1, 7, nobody), *((2, 6, user) for user in users), (4, 5, nobody), (16, mode, nobody), (32, 5, nobody)]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in granted)
    try:
        os.setxattr(path, trusted_files.ACL, struct.pack("<I", 2) + packed)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")


@AS_ROOT
@pytest.mark.parametrize("part", PARTS)
def test_what_an_access_list_lets_others_write_to(part: str):
    """Of one the mode shows only the most that it grants, where else the group's bits are: here root's group."""
    grant(part, 7, STRANGER)
    assert Path(part).stat().st_gid == 0
    assert refusal() == f"{part} is not trusted: by its access list others may write to it (setfacl -b {part})"
    assert read_trusted("scriptlets", PLACE, strict=False) == b"own"
    grant(part, 5, STRANGER)
    assert read_trusted("scriptlets", PLACE) == b"own"


def without_acl(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fails(*_args: object) -> bytes:
        raise OSError(number, "no")

    Path("scriptlets", PLACE).chmod(0o664)
    monkeypatch.setattr(trusted_files, "_is_private", lambda _group, _owner: True)
    monkeypatch.setattr(os, "getxattr", fails)


@pytest.mark.parametrize("number", [errno.ENODATA, errno.ENOTSUP])
def test_a_file_or_a_filesystem_without_access_lists(number: int, monkeypatch: pytest.MonkeyPatch):
    without_acl(monkeypatch, number)
    assert read_trusted("scriptlets", PLACE) == b"own"


def test_what_cannot_be_told_of_an_access_list_is_not_trusted(monkeypatch: pytest.MonkeyPatch):
    without_acl(monkeypatch, errno.ENOENT)
    assert refusal().endswith("by its access list others may write to it (setfacl -b scriptlets/disk/deep/probe.sh)")
    monkeypatch.delattr(os, "getxattr")  # a Mac's lists are no part of the mode
    assert read_trusted("scriptlets", PLACE) == b"own"


@AS_ROOT
@pytest.mark.parametrize("part", PARTS)
def test_what_belongs_to_a_stranger(part: str):
    os.chown(part, STRANGER, -1)
    assert refusal() == f"{part} is not trusted: it belongs to {STRANGER}, not to root"
    assert read_trusted("scriptlets", PLACE, strict=False) == b"own"


@AS_ROOT
def test_the_owner_of_the_project_may_own_its_scriptlets(tmp_path: Path):
    """A checkout that belongs to somebody else is theirs as a whole."""
    for path in (tmp_path, *map(Path, PARTS)):
        os.chown(path, STRANGER, -1)
    assert read_trusted("scriptlets", PLACE) == b"own"


@AS_ROOT
def test_the_owner_of_a_folder_that_is_named_by_its_whole_path(tmp_path: Path):
    for path in map(Path, PARTS):
        os.chown(path, STRANGER, -1)
    assert read_trusted(str(tmp_path / "scriptlets"), PLACE) == b"own"
    os.chown(f"scriptlets/{PLACE}", STRANGER + 1, -1)
    assert refusal(root=str(tmp_path / "scriptlets")).endswith(f"not to {STRANGER} or root")


@pytest.mark.parametrize(
    ("group", "members", "private"),
    [
        (("alice", 1000), [], True),
        (("alice", 1000), ["alice"], True),
        (("alice", 1000), ["bob"], False),
        (("staff", 1000), [], False),
        (("root", 0), ["bob"], True),
        (("alice", 2000), [], False),
    ],
)
def test_a_group_with_nobody_else_in_it(
    group: tuple[str, int], members: list[str], private: bool, monkeypatch: pytest.MonkeyPatch
):
    name, number = group
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: grp.struct_group((name, "x", number, members)))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd(("alice", "x", uid, 1000, "", "/", "/bin/sh")))
    assert trusted_files._is_private(number, 1000) is private


@pytest.mark.parametrize("link", ["disk", "disk/deep", PLACE])
@pytest.mark.parametrize("strict", [True, False])
def test_a_link_that_leads_out(link: str, strict: bool, tmp_path: Path):
    place = Path("scriptlets", link)
    place.rename("moved")
    place.symlink_to(tmp_path / "moved")
    said = f"scriptlets/{link} is not trusted: the link leads out of scriptlets, to {tmp_path}/moved"
    assert refusal(strict=strict).startswith(said)


def test_a_link_inside_is_followed_and_what_it_leads_to_looked_at():
    Path("scriptlets/again").symlink_to("disk/deep")
    assert read_trusted("scriptlets", "again/probe.sh") == b"own"
    Path("scriptlets/disk").chmod(0o777)
    assert "disk is not trusted: everyone can write to it" in refusal("again/probe.sh")


def test_the_folder_itself_may_be_a_link():
    """The user has set it, and a collection that is being worked on is one."""
    Path("linked").symlink_to("scriptlets")
    assert read_trusted("linked", PLACE) == b"own"


def test_links_in_a_circle():
    Path("scriptlets/a").symlink_to("b")
    Path("scriptlets/b").symlink_to("a")
    assert "scriptlets/" in refusal("a")


def test_only_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo("scriptlets/pipe")
    assert refusal("pipe") == "scriptlets/pipe is not a file"
    assert refusal("disk") == "scriptlets/disk is not a file"
    monkeypatch.chdir("scriptlets")  # a socket's path has at most 107 characters
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        monkeypatch.chdir(tmp_path)
        assert refusal("socket").startswith("scriptlets/socket: cannot be read: ")
    assert refusal("absent") == "scriptlets/absent: cannot be read: No such file or directory"
    assert refusal(f"{PLACE}/x").endswith("cannot be read: Not a directory")
    assert refusal("x", root="absent") == "absent: cannot be read: No such file or directory"


def test_a_file_that_changes_between_the_look_and_the_reading():
    path = f"scriptlets/{PLACE}"
    seen = check_trusted("scriptlets", PLACE)
    assert read_checked(path, seen) == b"own"
    Path(path).write_text("other")
    with pytest.raises(CatalogError, match="has changed while it was read: try again"):
        read_checked(path, seen)
    Path(path).unlink()
    with pytest.raises(CatalogError, match="cannot be read: No such file"):
        read_checked(path, seen)


def test_nobody_wins_a_race(tmp_path: Path):
    """A folder is exchanged for a link, again and again: what is read is never what the link leads to."""
    folder, aside, over = Path("scriptlets/disk/deep"), Path("aside"), threading.Event()

    def exchange() -> None:
        while not over.is_set():
            folder.rename(aside)
            folder.symlink_to(tmp_path / "elsewhere")
            folder.unlink()
            aside.rename(folder)

    mover = threading.Thread(target=exchange)
    mover.start()
    found: dict[bytes, int] = {}
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end and (found.get(b"own", 0) < 50 or found.get(b"", 0) < 50):
            try:
                content = read_trusted("scriptlets", PLACE)
            except CatalogError:
                content = b""
            found[content] = found.get(content, 0) + 1
    finally:
        over.set()
        mover.join()
    assert found.keys() == {b"own", b""}


def test_a_look_costs_microseconds():
    started = time.process_time()
    for _time in range(2000):
        check_trusted("scriptlets", PLACE)
    assert (time.process_time() - started) / 2000 < 0.0002
