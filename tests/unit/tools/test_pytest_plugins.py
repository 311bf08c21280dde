# SPDX-License-Identifier: GPL-3.0-or-later

"""Our plugins of pytest, each in a pytest of its own: tests that hang, that repeat others, and that take long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import time_limit

CONFTEST = """
import pathlib, sys
sys.path.append({tools!r})
import repeated_tests, slowest_tests, time_limit
time_limit.AGAIN, time_limit.GRACE = 0.2, {grace}
slowest_tests.NOTABLE = 0.2

def pytest_configure(config):
    config.addinivalue_line("markers", repeated_tests.MARK)
    config.pluginmanager.register(time_limit.TimeLimit(2))
    config.pluginmanager.register(slowest_tests.SlowestTests(pathlib.Path("times.json")))

def pytest_collection_modifyitems(config, items):
    repeated_tests.leave_out(config, items)
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


def run(folder: Path, text: str, *words: str, grace: float = 60.0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run tests with all of our plugins."""
    (folder / "conftest.py").write_text(CONFTEST.format(tools=str(Path(time_limit.__file__).parent), grace=grace))
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *(words or ("test_it.py",))]
    kept = {name: value for name, value in os.environ.items() if name != "RACK_SOAK"}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of others take a second
    return subprocess.run(command, cwd=folder, env=kept | env, capture_output=True, text=True, check=False)


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


REPEATING = """
import pytest

@pytest.mark.repeats(one_in=3)
@pytest.mark.parametrize("way", ["a", "b"])
@pytest.mark.parametrize("value", [1, 2, (3, 4)], ids=["one", "two", "more"])
def test_cases(way, value):
    pass

@pytest.mark.repeats
def test_again():
    pass

def test_once():
    pass
"""
ALL = [f"test_cases[{value}-{way}]" for value in ("one", "two", "more") for way in "ab"]


@pytest.mark.parametrize(
    ("soak", "words", "expected"),
    [
        ({}, (), [ALL[0], ALL[3], "test_once"]),
        ({"RACK_SOAK": "1"}, ("-m", "repeats"), [*ALL, "test_again"]),
    ],
)
def test_what_repeats_is_left_out(soak: dict[str, str], words: tuple[str, ...], expected: list[str], tmp_path: Path):
    done = run(tmp_path, REPEATING, "-v", "--strict-markers", *words, **soak)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"::(\S+) PASSED", done.stdout) == expected
    assert ("5 deselected" in done.stdout) == (not soak and not words)
