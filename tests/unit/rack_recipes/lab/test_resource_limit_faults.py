# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from rack_recipes.lab.faults import name_of, remove_groups


def test_all_groups_of_a_rack_are_removed_and_no_other(tmp_path: Path) -> None:
    own, other = name_of(tmp_path / "rack", "server1"), name_of(tmp_path / "other", "server1")
    assert own.endswith("-server1")
    for path in (own, f"blkio/{own}", f"blkio/{other}", "memory/system"):
        (tmp_path / path).mkdir(parents=True)
    remove_groups(tmp_path / "rack", tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "blkio", f"blkio/{other}", "memory", "memory/system",
    ]  # fmt: skip


def test_a_group_that_has_processes_stays(tmp_path: Path) -> None:
    busy = tmp_path / name_of(tmp_path / "rack", "server1") / "cgroup.procs"
    busy.parent.mkdir()
    busy.touch()
    remove_groups(tmp_path / "rack", tmp_path)
    assert busy.exists()
