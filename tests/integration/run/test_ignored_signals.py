# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal that is ignored when the command starts does not end the run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from call_rack_recipes import shell, write_recipe
from controller_process import Controller, running, wait_for

STEP = f"sleep 7125.{os.getpid()}"  # a process of these tests, not of others beside them
OK = '{"status": "ok", "outputs": {"t.ok_v1": 1}}'
IGNORING = (
    "sh",
    "-c",
    "trap '' INT TERM HUP; exec \"$@\"",
    "sh",
)  # as `nohup`, and as a script does for its background


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
