# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals at random moments of the first seconds of `rack-recipes run`: each of them ends the command."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest

import reliability_sweeps
from call_rack_recipes import shell, write_recipe
from controller_process import Controller, running

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST = 3.0  # seconds, in which the signals come
STEP = f"sleep 7123.{os.getpid()}"  # a step of these tests, which no command outlasts
# How many commands go on at once on each core, and how many signals of each kind there are, in a test and in all.
LOADS = {"idle": (1, 1, 150), "busy": (5, 2, 1850)}


@dataclass(frozen=True)
class Case:
    """One command: the signal that it gets, after how many seconds, and whether its whole process group gets it."""

    name: str
    number: signal.Signals
    moment: float
    is_for_group: bool


def cases(load: str, count: int) -> list[Case]:
    chance = random.Random(f"{load} {reliability_sweeps.seed()}")
    drawn = [
        Case(f"{number.name}-{turn}", number, chance.uniform(0, FIRST), chance.random() < 0.5)
        for turn in range(count)
        for number in SIGNALS
    ]
    chance.shuffle(drawn)
    return drawn


@pytest.fixture
def endless(project: Path) -> str:
    """A recipe whose one step does not end by itself."""
    script = project / "scriptlets/t/endless.sh"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n{STEP}\n")
    script.with_suffix(".yml").write_text("description: Goes on\nwrites: []\n")
    return write_recipe([shell("endless")])


@pytest.fixture
def started() -> Iterator[list[Controller]]:
    """The controllers that a signal has not ended yet; what is left of them is removed in the end."""
    found: list[Controller] = []
    yield found
    for pid in (pid for each in found for pid in each.processes()):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("load", LOADS)
def test_a_signal_in_the_first_seconds(load: str, endless: str, started: list[Controller]):
    at_once, small, whole = LOADS[load]
    drawn = cases(load, reliability_sweeps.count(small, whole))
    with (
        reliability_sweeps.sweep(
            f"controller: signals in the first {FIRST:g} s, {load}",
            "the command ends, nothing runs on, nothing is lost",
        ) as made,
        ThreadPoolExecutor(at_once * (os.cpu_count() or 1)) as pool,
    ):
        ends = Counter[str]()
        slowest = 0.0
        for when, seconds in pool.map(lambda case: outcome(case, endless, started), drawn):
            made.done += 1
            ends[when] += 1
            slowest = max(slowest, seconds)
            made.found = {**dict(sorted(ends.items())), "seconds to the slowest end": round(slowest, 1)}
        assert not running(STEP)


def outcome(case: Case, recipe: str, started: list[Controller]) -> tuple[str, float]:
    """Send the signal to a command, and check its end. Return when it came, and the seconds to the end."""
    found = Controller.start(case.name, "rack-recipes", recipe, None, ())
    started.append(found)
    sleep(case.moment)
    is_ours = send(case, found.child.pid)
    sent = monotonic()
    code = found.ended()
    seconds = monotonic() - sent
    where = f"{case}: exit code {code}\n{found.said()}"
    assert code == 128 + case.number if is_ours else code, where
    assert "Traceback" not in (found.folder / "stderr").read_text() or not is_ours, where
    when = "in the run" if found.has_begun() else "before the run" if is_ours else "before the first line"
    if found.has_begun():
        assert (found.last()["status"], found.last()["exit_code"]) == ("interrupted", 128 + case.number), where
        assert found.lost() == [], where
        for folder in found.stages():
            shutil.rmtree(folder, ignore_errors=True)
    started.remove(found)
    shutil.rmtree(found.folder)
    return when, seconds


def send(case: Case, pid: int) -> bool:
    """Send the signal. Return False if only Python has a handler yet, as before the command's first line.

    The process is stopped meanwhile, so that this does not change.
    """
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    is_ours = handled(pid) != {signal.SIGINT}
    (os.killpg if case.is_for_group else os.kill)(pid, case.number)
    os.kill(pid, signal.SIGCONT)
    return is_ours


def handled(pid: int) -> set[int]:
    """Which of the signals a process has a handler for."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
    return {number for number in SIGNALS if caught >> (number - 1) & 1}
