# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.write_unless_edited import with_head, write_files


def test_files_are_made_and_stay(tmp_path: Path):
    files = {tmp_path / "a" / "x.yml": "---\n- 1\n", tmp_path / "a" / "y.txt": "y\n"}
    assert write_files(files, force=False) == (dict.fromkeys(files, "made"), [])
    assert (tmp_path / "a" / "x.yml").read_text().splitlines()[1:] == ["---", "- 1"]
    assert write_files(files, force=False) == (dict.fromkeys(files, "same"), [])


def test_what_nobody_changed_follows_the_recipe(tmp_path: Path):
    path = tmp_path / "x.yml"
    write_files({path: "old\n"}, force=False)
    assert write_files({path: "new\n"}, force=False) == ({path: "changed"}, [])
    assert path.read_text() == with_head("new\n")


@pytest.mark.parametrize("theirs", ["mine\n", with_head("old\n") + "mine\n", ""])
def test_what_people_changed_is_kept_and_shown(tmp_path: Path, theirs: str):
    path, other = tmp_path / "x.yml", tmp_path / "y.yml"
    path.write_text(theirs)
    done, [kept] = write_files({path: "new\n", other: "y\n"}, force=False)
    assert (done, path.read_text(), other.exists()) == ({}, theirs, False)
    assert f"--- {path}\n" in [*kept.lines()]
    assert "+new\n" in [*kept.lines()]
    assert write_files({path: "new\n"}, force=True) == ({path: "changed"}, [])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"x\.yml: cannot be read: it is no text in UTF-8"):
        write_files({path: "new\n"}, force=False)
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match=r"x\.yml: cannot be read: Is a directory"):
        write_files({path: "new\n"}, force=False)
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        write_files({tmp_path / "f" / "x": "new\n"}, force=False)
