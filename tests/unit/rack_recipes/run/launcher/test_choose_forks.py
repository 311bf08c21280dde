# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from rack_recipes.run.launcher.ansible_playbook import LEAST, MOST, Room, forks_in, room_here

GIB = 1024**3
MEMINFO = "MemTotal:       24684352 kB\nMemFree:        18489216 kB\nMemAvailable:    4194304 kB\n"


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (Room(2, 24 * GIB, 20000), 128),  # by its cores
        (Room(16, 4 * GIB, 20000), 81),  # by its memory
        (Room(16, 64 * GIB, 1024), 128),  # by its open files
        (Room(64, 256 * GIB, 1048576), MOST),
        (Room(1, GIB // 10, 256), LEAST),
    ],
)
def test_what_there_is_least_of_decides(room: Room, expected: int):
    assert forks_in(room) == expected


def test_what_the_machine_has(tmp_path: Path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    room = room_here(tmp_path, tmp_path)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert room == Room(len(os.sched_getaffinity(0)), 4 * GIB, files)


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("memory.max", f"{GIB}\n", GIB),
        ("memory.max", "max\n", 4 * GIB),
        ("memory/memory.limit_in_bytes", f"{2 * GIB}\n", 2 * GIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", 4 * GIB),
    ],
)
def test_the_memory_of_a_container(name: str, limit: str, expected: int, tmp_path: Path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(limit)
    assert room_here(tmp_path, tmp_path).memory == expected


def test_what_cannot_be_read_limits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(64))
    assert forks_in(room_here(tmp_path, tmp_path)) == MOST


def test_it_reads_well():
    assert str(Room(2, 23 * GIB, 1024)) == "2 cores, 23.0 GiB of free memory, 1024 open files"
    assert str(Room(1, GIB // 2, 256)) == "1 core, 0.5 GiB of free memory, 256 open files"
