# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the slowest tests, of one run and of several."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import slowest_tests
from slowest_tests import Time, main, table

CONFTEST = """
import pathlib, sys
sys.path.append({tools!r})
import slowest_tests
slowest_tests.NOTABLE = 0.2

def pytest_configure(config):
    config.pluginmanager.register(slowest_tests.SlowestTests(pathlib.Path("times.json")))
"""
TESTS = '''
"""What the file is for.

More.
"""
import pytest, time

@pytest.fixture
def slow():
    time.sleep(0.3)

def test_with_a_slow_fixture(slow):
    """What the test is for.

    More.
    """

def test_of_the_file():
    time.sleep(0.25)

@pytest.mark.parametrize("number", [1])
def test_quick(number):
    pass
'''


def test_a_run_tells_what_was_slow_and_what_for(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST.format(tools=str(Path(slowest_tests.__file__).parent)))
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    slowest = said[said.index("The 2 slowest tests, with their fixtures:") :].splitlines()[1:5]
    assert slowest[0].endswith(" s  test_it.py::test_with_a_slow_fixture")
    assert slowest[1].strip() == "What the test is for."
    assert slowest[2].endswith(" s  test_it.py::test_of_the_file")
    assert slowest[3].strip() == "What the file is for."
    times = json.loads((tmp_path / "times.json").read_text())
    assert [name for name, _seconds, _purpose in times] == [
        f"test_it.py::test_{name}" for name in ("with_a_slow_fixture", "of_the_file", "quick[1]")
    ]


def test_several_runs_have_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, seconds in (("unit", 3.0), ("integration", 7.0)):
        (tmp_path / f"{name}.json").write_text(json.dumps([(f"{name}::test", seconds, "Why.")]))
    assert main([str(tmp_path / f"{name}.json") for name in ("unit", "integration", "away")]) == 0
    assert capsys.readouterr().out == (
        "The 2 slowest tests, with their fixtures:\n"
        "    7.0 s  integration::test\n           Why.\n"
        "    3.0 s  unit::test\n           Why.\n"
    )


def test_no_more_than_twenty_are_shown():
    lines = table(Time(f"test_{number}", number, "") for number in range(30))
    assert len(lines) == 1 + slowest_tests.SHOWN
    assert "test_29" in lines[1]
    assert table([]) == []
