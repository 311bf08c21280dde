# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import artifact_store
from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import (
    HOLD,
    WINDOW,
    ArtifactStore,
    check_media_type,
    check_name,
    masked,
)
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

SECRET = "correct horse battery staple"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "stage" / "artifacts"


@pytest.fixture
def shelf(tmp_path, folder):
    """A shelf whose working folder is `work`."""
    (tmp_path / "work").mkdir()
    (tmp_path / "stage").mkdir()
    return ArtifactStore(str(folder), str(tmp_path / "work"))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def kept(folder):
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.mark.parametrize("size", [0, 1, artifact_store.PIECE, 3 * artifact_store.PIECE + 5])
@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, str, Path])
def test_what_is_kept_is_there_under_its_digest(shelf, folder, tmp_path, size, form):
    data = os.urandom(size)
    path = tmp_path / "source"
    path.write_bytes(data)
    found = shelf.keep(form(path) if form in (str, Path) else form(data))
    assert found == {"sha256": digest(data), "size": size}
    assert kept(folder) == {digest(data): data}


def test_only_the_owner_can_read_it(shelf, folder):
    umask = os.umask(0)
    try:
        found = shelf.keep(b"x")
    finally:
        os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / found["sha256"]).stat().st_mode & 0o777 == 0o600


def test_the_same_content_is_one_file(shelf, folder):
    assert shelf.keep(b"same") == shelf.keep(b"same")
    assert len(kept(folder)) == 1


def test_without_a_folder_there_is_only_a_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ArtifactStore("", ".").keep(b"x") == {"sha256": digest(b"x"), "size": 1}
    assert list(tmp_path.iterdir()) == []


@table("source", "reason")
def test_what_cannot_be_read(shelf, folder, tmp_path, monkeypatch, source, reason):
    monkeypatch.chdir(tmp_path / "work")
    os.mkfifo("pipe")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError) as caught:
        shelf.keep(source)
    assert str(caught.value) == reason
    assert not folder.exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_can_be_no_path(shelf):
    with pytest.raises(ValueError, match="null"):
        shelf.keep("a\0b")


@table("name", "limit", "reason")
def test_limits(shelf, folder, monkeypatch, name, limit, reason):
    first = shelf.keep(b"1" * 1000)
    monkeypatch.setattr(artifact_store, name, limit)
    with pytest.raises(ValueError) as caught:
        shelf.keep(b"2" * 1001)
    assert str(caught.value) == reason
    assert [*kept(folder)] == [first["sha256"]]


@contextmanager
def files_of_at_most(size):
    """Lets the kernel refuse more, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_leaves_nothing_behind(shelf, folder):
    with files_of_at_most(10_000), pytest.raises(ValueError) as caught:
        shelf.keep(bytes(20_000))
    assert str(caught.value) == "it cannot be kept: File too large"
    assert kept(folder) == {}


@pytest.mark.parametrize("path", ["a.log", "./sub/../a.log", "sub/b.log", "link.log", "ABSOLUTE"])
def test_a_path_inside_of_the_working_folder(shelf, folder, tmp_path, path):
    work = tmp_path / "work"
    (work / "sub").mkdir()
    (work / "a.log").write_text("a")
    (work / "sub" / "b.log").write_text("b")
    (work / "link.log").symlink_to("sub/b.log")
    found = shelf.keep_inside(str(work / "a.log") if path == "ABSOLUTE" else path)
    assert kept(folder)[found["sha256"]] in (b"a", b"b")


@pytest.mark.parametrize("path", ["../secret", "ABSOLUTE", "link", "linked/secret", "sub/../../secret"])
def test_no_other_file_is_given_away(shelf, folder, tmp_path, path):
    work = tmp_path / "work"
    (tmp_path / "secret").write_text("not for you")
    (work / "sub").mkdir()
    (work / "link").symlink_to("../secret")
    (work / "linked").symlink_to(tmp_path)
    path = str(tmp_path / "secret") if path == "ABSOLUTE" else path
    with pytest.raises(ValueError) as caught:
        shelf.keep_inside(path)
    assert str(caught.value) == f"{path} is not inside of the step's working folder: copy it there"
    assert not folder.exists()


def test_a_folder_whose_name_begins_alike_is_another_one(shelf, tmp_path):
    (tmp_path / "work2").mkdir()
    (tmp_path / "work2" / "x").write_text("x")
    with pytest.raises(ValueError, match="is not inside of"):
        shelf.keep_inside("../work2/x")


@pytest.mark.parametrize("name", ["a", "trace.pcap", "größe 1.txt", ".hidden", "..."])
def test_names(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\nb", "a\0", "x" * 201, 3, None, b"a", "\x7f"])
def test_what_is_no_name(name):
    with pytest.raises(ValueError) as caught:
        check_name(name)
    assert str(caught.value).startswith("an artifact needs the name of a file, such as trace.pcap, got ")


def test_a_name_that_no_disk_takes():
    with pytest.raises(ValueError, match=r"the name of a file in UTF-8, got 'a\\ud800'"):
        check_name("a\ud800")


def test_media_types():
    assert check_media_type("text/csv; charset=utf-8") == "text/csv; charset=utf-8"
    for wrong in (None, 3, "text\n", "x" * 101, "tëxt"):
        with pytest.raises(ValueError, match="expected a media type such as text/csv, got"):
            check_media_type(wrong)


def secret_shelf(folder):
    return ArtifactStore(str(folder), ".", Mask([SECRET]))


def test_secrets_are_taken_out_of_text(folder):
    found = secret_shelf(folder).keep(f"one {SECRET} two ä\n".encode())
    expected = f"one {MASKED} two ä\n".encode()
    assert found == {"sha256": digest(expected), "size": len(expected), "masked": True}
    assert kept(folder) == {digest(expected): expected}


@pytest.mark.parametrize("data", [b"\xff\xfe", b"ok \xc3", f"{SECRET}\xe4".encode("latin-1")])
def test_what_is_no_text_stays_as_it_is(folder, data):
    assert secret_shelf(folder).keep(data) == {"sha256": digest(data), "size": len(data), "masked": False}


def test_a_secret_is_found_wherever_pieces_and_windows_end(folder, tmp_path):
    """All that is written is searched: the first and the last bytes, and each place where something is cut."""
    letters = []
    for place in range(0, 3 * WINDOW, HOLD // 2):
        letters.append("x" * (HOLD // 2 - len(SECRET) // 2 + place % 7))
        letters.append(SECRET)
    text = "".join(letters)
    (tmp_path / "log").write_text(text)
    found = secret_shelf(folder).keep(str(tmp_path / "log"))
    assert (folder / found["sha256"]).read_text() == text.replace(SECRET, MASKED)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_of_any_size_come_to_the_same(monkeypatch, size):
    monkeypatch.setattr(artifact_store, "WINDOW", 200)
    monkeypatch.setattr(artifact_store, "HOLD", 100)
    text = f"ä{SECRET}\n{SECRET[:11]}\n   {SECRET[11:]} {SECRET}{SECRET}ü" * 9
    data = text.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(masked(pieces, Mask([SECRET]))).decode() == Mask([SECRET]).mask(text)


def test_a_text_that_can_be_cut_nowhere_is_still_masked(monkeypatch):
    """Nothing but secrets: wherever it is cut, two would become of one."""
    monkeypatch.setattr(artifact_store, "WINDOW", 200)
    monkeypatch.setattr(artifact_store, "HOLD", 100)
    pieces = [SECRET.encode()] * 100
    assert b"".join(masked(pieces, Mask([SECRET]))).decode() == MASKED
