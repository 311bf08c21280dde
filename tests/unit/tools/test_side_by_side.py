# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import side_by_side

TOLD = re.compile(r"^(\w+): (passed|FAILED \(exit code -?\d+\)) in \d+ s, CPU \d+ s$", re.MULTILINE)


def shell(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def test_all_are_run_and_each_is_shown_whole_with_its_end(capfdbinary: pytest.CaptureFixture[bytes]):
    jobs = {"one": shell("echo a; sleep 0.3; echo b >&2"), "two": shell("echo c; exit 3"), "three": shell("echo d")}
    assert side_by_side.run_all(jobs, at_once=2) == {"one": 0, "two": 3, "three": 0}
    said = capfdbinary.readouterr().out.decode()
    assert sorted(TOLD.findall(said)) == [("one", "passed"), ("three", "passed"), ("two", "FAILED (exit code 3)")]
    assert "a\nb\none: " in said
    assert "c\ntwo: " in said


def test_no_more_at_once_than_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    line = "echo start >> log; sleep 0.2; echo end >> log"
    side_by_side.run_all({str(number): shell(line) for number in range(5)}, at_once=2)
    running = most = 0
    for said in Path("log").read_text().split():
        running += 1 if said == "start" else -1
        most = max(most, running)
    assert (running, most) == (0, 2)


def started(folder: Path, call: str) -> subprocess.Popen[str]:
    """A program in this folder that runs commands; what it prints is in the file `out`."""
    program = f"import sys; sys.path.append({str(Path(side_by_side.__file__).parent)!r}); import side_by_side; {call}"
    with (folder / "out").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-c", program], cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True
        )


def test_it_tells_how_far_those_are_that_run(tmp_path: Path):
    until_told = "until grep -q '^running: tests 12 %, lint$' out; do sleep 0.1; done"
    jobs = {"tests": shell(f"echo '.... [  7%]'; echo '.... [ 12%]'; {until_told}"), "lint": shell(until_told)}
    process = started(tmp_path, f"side_by_side.run_all({jobs!r}, every=0.3)")
    assert process.communicate(timeout=60)[1] == ""
    assert "running: tests 12 %, lint\n" in (tmp_path / "out").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_those_that_run(tmp_path: Path, number: signal.Signals):
    jobs = {"long": shell("echo here; touch runs; exec sleep 600")}
    process = started(tmp_path, f"side_by_side.run_all({jobs!r})")
    while not (tmp_path / "runs").exists():
        time.sleep(0.05)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert (tmp_path / "out").read_text().startswith("here\nlong: FAILED (exit code -15)")
    assert "KeyboardInterrupt" in error
