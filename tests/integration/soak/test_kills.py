# SPDX-License-Identifier: GPL-3.0-or-later

"""Controllers that are killed at any moment, and signals that come while a run begins."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import reliability_sweeps
from call_rack_recipes import COMMAND, Done, environment, rack_recipes, shell, write_recipe
from controller_process import Controller, running
from run_outcome import Outcome, outcome

HOSTS = ("r01", "r02")
RUNS = Path(".rack-recipes/runs")


def step(name: str, key: str, value: str, **fields: Any) -> dict[str, Any]:
    work = {"type": "shell", "module": "s.slow", "args": {"key": key, "value": value}, "writes": [f"s.{key}_v1"]}
    return {"name": name, **work, "success": {"ctx_has_keys": [f"s.{key}_v1"]}, **fields}


STEPS = [
    step("first", "a", "1"),
    step("second", "b", "[${s.a_v1}, 2]"),
    {"name": "count", "module": "s.count_hosts", "scope": "run", "success": {"ctx_has_keys": ["s.count_v1"]}},
    step("third", "c", "${s.count_v1}"),
    step("looped", "d", "${item}", loop=[1, 2, 3]),
    step("again", "a", "${s.d_v1}", depends_on=["looped"]),
]


def undisturbed(rack: Any) -> Outcome:
    done = rack_recipes("run", "slow.yml", "--json", *where(rack))
    assert done.code == 0, done.stdout + done.stderr
    return settled(outcome(done.code, done.answer))


def where(rack: Any) -> tuple[str, ...]:
    return ("-i", str(rack.inventory), "--limit", ",".join(HOSTS))


def settled(found: Outcome) -> Outcome:
    """Without the reasons, which name the run that a result is reused from."""
    return replace(found, steps=[(*row[:3], *row[4:]) for row in found.steps])


def killed(rack: Any, chance: random.Random, longest: float) -> str:
    """Begin a run, kill its controller, with or without its workers; the run's id, empty where it had not begun."""
    known = set(RUNS.iterdir())
    command = [sys.executable, "-c", COMMAND, "run", "slow.yml", "--json", *where(rack)]
    child = subprocess.Popen(
        command, start_new_session=True, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(chance.uniform(0.1, longest))
    if chance.random() < 0.5:
        for pid in children_of(child.pid):
            os.kill(pid, signal.SIGKILL)
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    (new,) = set(RUNS.iterdir()) - known or {None}
    return new.name if new and has_begun(new / "journal.jsonl") else ""


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(number) for number in text.split()]


def has_begun(journal: Path) -> bool:
    return journal.exists() and b'"kind":"run"' in journal.read_bytes()


def resumed(rack: Any, run: str) -> Done:
    """Go on; a run whose workers still end is asked again."""
    until = time.monotonic() + 180
    while True:
        done = rack_recipes("run", "slow.yml", "--json", "--resume", run, *where(rack))
        if done.code != 2 or time.monotonic() > until:
            return done
        time.sleep(0.5)


def test_killed_at_any_moment(swept: Path, rack: Any):
    chance = random.Random(reliability_sweeps.seed())
    Path("slow.yml").write_text(json.dumps({"test_meta": {"test_id": "SLOW"}, "steps": STEPS}))
    started = time.monotonic()
    wanted = undisturbed(rack)
    longest = time.monotonic() - started
    with reliability_sweeps.sweep(
        "kill and resume", "the store of the run that goes on equals that of an undisturbed one"
    ) as made:
        not_begun = reused = 0
        while made.done < reliability_sweeps.count(2, 100):
            run = killed(rack, chance, longest)
            if not run:
                not_begun += 1
                continue
            made.done += 1
            done = resumed(rack, run)
            assert done.code == 0, done.stdout + done.stderr
            found = outcome(done.code, done.answer)
            reused += sum(run in (row[3] or "") for row in found.steps)
            assert settled(found) == wanted
            made.found = {"killed before the run had begun": not_begun, "results reused": reused}


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
        for when, seconds in pool.map(lambda case: signalled(case, endless, started), drawn):
            made.done += 1
            ends[when] += 1
            slowest = max(slowest, seconds)
            made.found = {**dict(sorted(ends.items())), "seconds to the slowest end": round(slowest, 1)}
        assert not running(STEP)


def signalled(case: Case, recipe: str, started: list[Controller]) -> tuple[str, float]:
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
