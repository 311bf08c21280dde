# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that hang, in a pytest of their own: each fails where it hangs, and the others go on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import time_limit

CONFTEST = """
import sys
sys.path.append({tools!r})
import time_limit
time_limit.AGAIN, time_limit.GRACE = 0.2, {grace}

def pytest_configure(config):
    config.pluginmanager.register(time_limit.TimeLimit(2))
"""
HANGING = """
import os, pytest, signal, subprocess, time

@pytest.fixture
def slow_start():
    time.sleep(60)

@pytest.fixture
def slow_end():
    yield
    time.sleep(60)

def test_that_waits_for_a_process():
    subprocess.run(["sleep", "60"])

def test_that_waits_for_a_pipe():
    os.read(os.pipe()[0], 1)

def test_that_catches_all():
    for _time in range(2):
        try:
            time.sleep(60)
        except BaseException:
            pass
    assert False, "it was told twice"

def test_with_a_fixture(slow_start):
    pass

def test_with_an_end(slow_end):
    pass

def test_that_is_quick():
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert os.listdir("/proc/self/task") == [str(os.getpid())]
    pid = os.fork()
    if not pid:
        time.sleep(2.5)
        os._exit(7)
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def run(folder: Path, text: str, grace: float = 60.0) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(tools=str(Path(time_limit.__file__).parent), grace=grace))
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-q", "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_whatever_hangs_fails_and_the_others_go_on(tmp_path: Path):
    done = run(tmp_path, HANGING)
    assert "3 failed, 2 passed, 2 errors" in done.stdout, done.stdout
    assert done.stdout.count("E       Failed: not over within 2 s") == 4
    assert "it was told twice" in done.stdout
    assert 'subprocess.run(["sleep", "60"])' in done.stdout


def test_what_cannot_be_interrupted_ends_the_run(tmp_path: Path):
    """With a traceback."""
    blocked = (
        "import signal, time\ndef test_it():\n  signal.pthread_sigmask(signal.SIG_BLOCK, {%d})\n  time.sleep(60)\n"
    )
    done = run(tmp_path, blocked % time_limit.NUMBER, grace=0.5)
    assert done.returncode == -signal.SIGABRT
    assert "in test_it" in done.stderr
