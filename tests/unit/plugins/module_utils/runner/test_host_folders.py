# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the executor keeps things on a host: its stages, and its own code."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.runner import host_folders
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import (
    NoFolder,
    base_folder,
    find_folder,
    remove,
)

OURS = f"rack-recipes-{os.geteuid()}"


@pytest.fixture
def bases(tmp_path, monkeypatch):
    """Three places where the executor looks: two of the machine and the user's home."""
    places = [tmp_path / name for name in ("var", "tmp", "home")]
    for place in places:
        place.mkdir()
    monkeypatch.setattr(host_folders, "BASES", tuple(map(str, places[:2])))
    monkeypatch.setenv("HOME", str(places[2]))
    return places


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_place_that_can_be_written(bases):
    assert base_folder() == str(bases[0] / OURS)
    assert mode(bases[0] / OURS) == mode(bases[0] / OURS / "programs") == 0o700
    assert base_folder() == str(bases[0] / OURS)
    assert not list(bases[1].iterdir())


def test_what_a_killed_start_left_half_made_is_completed(bases):
    (bases[0] / OURS).mkdir(mode=0o700)
    assert os.path.isdir(os.path.join(base_folder(), "programs"))


@pytest.mark.parametrize("bits", [0o701, 0o710, 0o755, 0o777, 0o1777])
def test_a_folder_that_others_can_enter_is_refused(bases, bits):
    (bases[0] / OURS).mkdir()
    (bases[0] / OURS).chmod(bits)
    assert base_folder() == str(bases[1] / OURS)
    assert not list((bases[0] / OURS).iterdir())


def test_a_link_is_refused(bases, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (bases[0] / OURS).symlink_to(tmp_path / "elsewhere")
    assert base_folder() == str(bases[1] / OURS)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(bases):
    (bases[0] / OURS).mkdir(mode=0o700)
    os.chown(bases[0] / OURS, 12345, 12345)
    assert base_folder() == str(bases[1] / OURS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_place_that_cannot_be_written_is_left_out(bases):
    (bases[0] / OURS).mkdir()
    (bases[0] / OURS).chmod(0o500)
    bases[1].chmod(0o500)
    assert base_folder() == str(bases[2] / OURS)


def test_without_any_place_each_reason_is_told(bases):
    (bases[0] / OURS).write_text("a file")
    (bases[1] / OURS).mkdir(mode=0o755)
    bases[2].rmdir()
    bases[2].write_text("a file")
    with pytest.raises(NoFolder) as caught:
        base_folder()
    assert str(caught.value) == (
        f"no folder to work in: {bases[0] / OURS}: File exists; "
        f"{bases[1] / OURS}: is not a private folder of this user; {bases[2] / OURS}: Not a directory"
    )


def test_a_read_only_place_is_told(bases, monkeypatch):
    for base in bases:
        (base / OURS).mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root is refused nothing but by the file system
    with pytest.raises(NoFolder) as caught:
        base_folder()
    assert str(caught.value).count(": cannot be written") == 3


def test_a_place_that_was_chosen_is_the_only_one(bases, tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", str(tmp_path))
    chosen = str(tmp_path / "chosen" / OURS)
    assert base_folder("$WHERE/chosen") == chosen
    assert base_folder("~") == str(bases[2] / OURS)
    os.mkdir(os.path.join(chosen, "s1"))
    assert (find_folder("s1"), find_folder("s1", "$WHERE/chosen")) == (None, os.path.join(chosen, "s1"))
    (tmp_path / "file").write_text("")
    with pytest.raises(NoFolder, match=f"no folder to work in: {tmp_path}/file/{OURS}: Not a directory$"):
        base_folder(str(tmp_path / "file"))


def test_where_there_is_no_room_the_next_place_is_tried(bases):
    used = []

    def use(folder):
        used.append(folder)
        if len(used) < 3:
            raise OSError(28, "No space left on device")

    assert base_folder(use=use) == str(bases[2] / OURS)
    assert used == [str(base / OURS) for base in bases]
    with pytest.raises(NoFolder) as caught:
        base_folder(use=lambda _folder: use(used.clear()))
    assert str(caught.value).count(": No space left on device") == 3


def test_a_stage_is_found_wherever_it_was_started(bases):
    assert find_folder("s1") is None
    (bases[1] / OURS / "s1").mkdir(parents=True)
    (bases[1] / OURS).chmod(0o700)
    assert find_folder("s1") == str(bases[1] / OURS / "s1")
    (bases[1] / OURS).chmod(0o770)
    assert find_folder("s1") is None


def test_a_folder_is_removed_with_all_in_it(tmp_path):
    deep = tmp_path / "gone" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    deep.chmod(0)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "gone" / "pipe")
    remove(str(tmp_path / "gone"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


def test_a_link_is_removed_and_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove(str(tmp_path / "link"))
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_what_is_not_there_is_removed(tmp_path):
    remove(str(tmp_path / "nothing"))


def test_what_is_very_deep_does_not_stop_it(tmp_path):
    os.makedirs(tmp_path / "gone")
    here = os.open(tmp_path / "gone", os.O_RDONLY)
    for _level in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove(str(tmp_path / "gone"))
    subprocess.run(["rm", "-rf", tmp_path / "gone"], check=True)


INSIDE = """
import os, sys
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import remove
open("mounted/file", "w").close()
open("file", "w").close()
remove(os.getcwd())
print(os.listdir("."), os.listdir("mounted"))
"""


def test_a_file_system_that_a_step_mounted_is_not_emptied(tmp_path):
    if os.geteuid() or shutil.which("unshare") is None or os.system("unshare -m true 2> /dev/null"):
        pytest.skip("cannot mount anything here")
    (tmp_path / "mounted").mkdir()
    mount = 'mount -t tmpfs tmpfs mounted && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-c", INSIDE]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=tmp_path, env=env, check=True)
    assert done.stdout == b"['mounted'] ['file']\n"


MODULE = "package/module.py"


@pytest.fixture
def payload(tmp_path):
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MODULE, "VALUE = 1\n")
    return str(path)


def keep(base, payload):
    host_folders.cache_code(str(base), payload, "1", [MODULE])


def files_of(base):
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


@pytest.mark.parametrize("is_there", [False, True], ids=["all", "bundle"])
def test_what_could_not_be_kept_leaves_nothing(tmp_path, payload, monkeypatch, is_there):
    """On a full disk every byte counts."""
    base = tmp_path / "base"
    base.mkdir()
    if is_there:
        keep(base, payload)
        (base / "code-1" / host_folders.BUNDLE).unlink()
    before = files_of(base)

    def refuse(_source, _target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refuse)
        with pytest.raises(OSError, match="No space left"):
            keep(base, payload)
    assert files_of(base) == before
    keep(base, payload)
    assert f"code-1/{host_folders.BUNDLE}" in files_of(base)
