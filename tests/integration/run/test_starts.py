# SPDX-License-Identifier: GPL-3.0-or-later

"""Before a run: recipes that are refused, and signals that were ignored."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from call_rack_recipes import run_recipe, shell, write_recipe
from controller_process import Controller, running, wait_for

CASES = Path(__file__).parent / "cases" / "refused"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=lambda case: case.stem)
def test_refused(case: Path, steps: Path):
    shutil.copy(case, "recipe.yml")
    done = run_recipe("recipe.yml")
    error = re.sub(r"[^ ]*/ansible_collections/rack/recipes/", "COLLECTION/", done.stderr)
    assert done.code == done.answer["exit_code"] == 2
    assert error == case.with_suffix(".txt").read_text()
    assert error.count("\n") == 1
    assert not Path(".rack-recipes/runs").exists()


def test_missing_file(project: Path):
    done = run_recipe("absent.yml", "--json")
    assert done.code == 2
    assert done.answer == {"status": "error", "reason": done.stderr.strip(), "exit_code": 2}
    assert "absent.yml" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_host_matches(steps: Path):
    shutil.copy(CASES.parent / "ok.yml", "recipe.yml")
    done = run_recipe("recipe.yml", hosts="nobody")
    assert done.code == 2
    assert "nothing was run" in done.stderr
    assert "Traceback" not in done.stderr
    done = run_recipe("recipe.yml", on="absent_inventory")
    assert done.code == 2


def test_step_that_matches_no_host(steps: Path):
    text = (CASES.parent / "ok.yml").read_text() + "    hosts: spines\n"
    Path("recipe.yml").write_text(text)
    done = run_recipe("recipe.yml")
    assert done.code == 2
    assert "no host of this run matches the hosts of any step: ok" in done.stderr


STEP = f"sleep 7125.{os.getpid()}"  # a process of these tests, not of others beside them
OK = '{"status": "ok", "outputs": {"t.ok_v1": 1}}'
IGNORING = (
    "sh",
    "-c",
    "trap '' INT TERM HUP; exec \"$@\"",
    "sh",
)  # as `nohup`, and as a script does for its background


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("more", [[], ["-v"]])
def test_the_run_goes_on(more: list[str], project: Path):
    script = project / "scriptlets/t/ok.sh"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n{STEP} || echo '{OK}'\n")
    script.with_suffix(".yml").write_text("description: Takes long\nwrites: [t.ok_v1]\n")
    found = Controller.start("ignoring", "rack-recipes", write_recipe([shell("ok")]), None, (), *more, prefix=IGNORING)
    wait_for("the step runs", lambda: running(STEP))
    (step,) = running(STEP)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(found.child.pid, number)
    assert found.child.poll() is None
    os.kill(step, signal.SIGKILL)
    assert found.ended() == 0, found.said()
    assert found.last()["status"] == "passed"
