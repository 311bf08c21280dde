# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller is killed at any moment, and another run resumes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import reliability_sweeps
from call_rack_recipes import COMMAND, Done, environment, rack_recipes
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
