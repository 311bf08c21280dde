# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that repeat others, in a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import repeated_tests

CONFTEST = """
import sys
sys.path.append({tools!r})
import repeated_tests

def pytest_configure(config):
    config.addinivalue_line("markers", repeated_tests.MARK)

def pytest_collection_modifyitems(config, items):
    repeated_tests.leave_out(config, items)
"""
TESTS = """
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
        ({"RACK_SOAK": "1"}, (), [*ALL, "test_again", "test_once"]),
        ({"RACK_SOAK": "1"}, ("-m", "repeats"), [*ALL, "test_again"]),
        ({}, ("test_it.py::test_cases[two-a]",), [ALL[2]]),
    ],
)
def test_what_repeats_is_left_out(soak: dict[str, str], words: tuple[str, ...], expected: list[str], tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST.format(tools=str(Path(repeated_tests.__file__).parent)))
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--strict-markers", *words]
    env = {name: value for name, value in os.environ.items() if name != "RACK_SOAK"} | soak
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"::(\S+) PASSED", done.stdout) == expected
    assert ("5 deselected" in done.stdout) == (not soak and not words)
