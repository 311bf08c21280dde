# SPDX-License-Identifier: GPL-3.0-or-later

"""The salt of a project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.worker.host_stage_request import salt_beside


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path):
    runs = tmp_path / ".rack-recipes" / "runs"
    salt = salt_beside(runs)
    path = runs.parent / "salt"
    assert (salt, len(salt)) == (path.read_bytes().hex(), 64)
    assert path.stat().st_mode & 0o777 == 0o600
    assert runs.parent.stat().st_mode & 0o777 == 0o700
    assert salt_beside(runs) == salt
    assert [each.name for each in runs.parent.iterdir()] == ["salt"]
    assert salt_beside(tmp_path / "other" / "runs") != salt


def test_all_who_begin_at_once_have_the_same(tmp_path: Path):
    reading, writing = os.pipe()
    pids = []
    for _worker in range(12):
        pid = os.fork()
        if not pid:
            try:
                os.write(writing, salt_beside(tmp_path / "new" / "runs").encode() + b"\n")
            finally:
                os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 12
    os.close(writing)
    with os.fdopen(reading) as told:
        assert set(told.read().split()) == {salt_beside(tmp_path / "new" / "runs")}
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["salt"]


def made(path: Path, content: bytes = bytes(32), mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (b"short", 0o600, "expected 32 bytes, found 5: remove it"),
        (bytes(33), 0o600, "expected 32 bytes, found 33: remove it"),
        (bytes(32), 0o644, "others can read it: chmod 600, or remove it"),
    ],
)
def test_what_is_no_salt_is_refused(tmp_path: Path, content: bytes, mode: int, text: str):
    made(tmp_path / "salt", content, mode)
    with pytest.raises(UsageError) as caught:
        salt_beside(tmp_path / "runs")
    assert str(caught.value) == f"{tmp_path}/salt (salt of the digests of secrets): {text}"


def test_a_link_is_not_followed(tmp_path: Path):
    made(tmp_path / "elsewhere")
    (tmp_path / "salt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="Too many levels of symbolic links"):
        salt_beside(tmp_path / "runs")
