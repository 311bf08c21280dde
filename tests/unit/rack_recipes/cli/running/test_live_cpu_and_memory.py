# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rack_recipes.cli.running.watch_and_stop import ProcessUsage

# A controller that holds its run, and two workers, one of which is busy.
CONTROLLER = """
import os, sys, time
lock = open("lock", "ab")
for busy in (True, False):
    if not os.fork():
        lock.close()
        while busy:
            pass
        time.sleep(600)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process
        os.killpg(process.pid, signal.SIGKILL)


def test_a_run_and_its_workers(controller: subprocess.Popen[bytes], tmp_path: Path):
    load = ProcessUsage(tmp_path)
    first = load.line()
    assert re.fullmatch(r"controller: 3 processes, 0 % of a core, \d+ MiB", first)
    until = 200
    while re.search(r" 0 % of a core", load.line()):
        until -= 1
        assert until


def test_one_that_ended(controller: subprocess.Popen[bytes], tmp_path: Path):
    load = ProcessUsage(tmp_path)
    assert load.line()
    controller.kill()
    controller.wait()
    assert load.line() == ""


def test_none(tmp_path: Path):
    assert ProcessUsage(tmp_path).line() == ""
