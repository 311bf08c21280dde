# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that says that its parent is alive."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from rack_recipes.run.context_server_client import Heartbeat


def appears(path: Path) -> bool:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return path.exists()


def test_it_tells_until_it_is_ended(tmp_path: Path):
    heartbeat = Heartbeat(0.01, (tmp_path / "alive").touch, (tmp_path / "dead").touch)
    assert appears(tmp_path / "alive")
    heartbeat.end()
    heartbeat.end()
    (tmp_path / "alive").unlink()
    assert not [*tmp_path.iterdir()]


def test_it_says_that_its_parent_was_killed(tmp_path: Path):
    parent = os.fork()
    if not parent:
        Heartbeat(60.0, (tmp_path / "alive").touch, (tmp_path / "dead").touch)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    assert appears(tmp_path / "dead")
    assert not (tmp_path / "alive").exists()
