# SPDX-License-Identifier: GPL-3.0-or-later

"""What is handed over by a path and is on no disk."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from rack_recipes.run.launcher.ansible_playbook import served_by_fifo


@pytest.mark.parametrize("size", [0, 7, 1_000_000])
def test_the_first_reader_gets_it_and_nobody_else(tmp_path: Path, size: int):
    path, data = tmp_path / "given.json", b"x" * size
    before = threading.active_count()
    with served_by_fifo(path, data):
        assert (path.is_fifo(), path.stat().st_mode & 0o777) == (True, 0o600)
        assert path.read_bytes() == data
        assert not path.exists()
    assert threading.active_count() == before


def test_what_nobody_reads_is_gone_as_well(tmp_path: Path):
    path = tmp_path / "given.json"
    started, before = time.monotonic(), threading.active_count()
    with served_by_fifo(path, b"x" * 1_000_000):
        pass
    assert not path.exists()
    assert time.monotonic() - started < 60
    assert threading.active_count() == before


def test_a_reader_that_leaves_early_holds_up_nobody(tmp_path: Path):
    path = tmp_path / "given.json"
    with served_by_fifo(path, b"x" * 1_000_000), path.open("rb") as pipe:
        assert pipe.read(3) == b"xxx"
    assert not path.exists()
