# SPDX-License-Identifier: GPL-3.0-or-later

"""Many devices behind one delegate: one executor for all of them, also where the controller or a process is killed."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import call, results
from controller_process import Controller, wait_for

DEVICES = tuple(f"bmc{number:02}" for number in range(12))
ONCE = """\
#!/bin/sh
echo x >>"$RACK_PARAM_FOLDER/$RACK_HOST"
[ -e "$RACK_PARAM_FOLDER/open" ] || [ "$RACK_HOST" \\< bmc06 ] || sleep 4
[ ! -e "$RACK_PARAM_FOLDER/kill-$RACK_HOST" ] || { kill -9 $PPID; exit 1; }
echo '{"status": "ok", "outputs": {"t.once_v1": 1}}'
"""
SIDECAR = "description: Runs once\noptions:\n  folder: {type: str, required: true, description: Where it is noted.}\n"


@pytest.fixture
def devices(steps: Path) -> Path:
    """A project with twelve devices behind two SSH hosts."""
    once = steps / "scriptlets/t/once.sh"
    once.write_text(ONCE)
    once.with_suffix(".yml").write_text(SIDECAR)
    (steps / "count").mkdir()
    hosts = {name: {"jump": f"r0{1 + number % 2}"} for number, name in enumerate(DEVICES)}
    (steps / "devices.yml").write_text(json.dumps({"devices": {"hosts": hosts}}))
    step = {"name": "once", "type": "shell", "module": "t.once", "args": {"folder": str(steps / "count")}}
    step.update(delegate_to="{{ jump }}", success={"ctx_has_keys": ["t.once_v1"]})
    (steps / "recipe.yml").write_text(json.dumps({"test_meta": {"test_id": "T"}, "hosts": "devices", "steps": [step]}))
    return steps


def runs_of(project: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().split()) for path in (project / "count").glob("bmc*")}


def test_each_delegate_has_one_executor_and_ansible_names_every_device(devices: Path, rack: Any):
    """A killed process of the delegate costs one device its result."""
    (devices / "count/open").touch()
    (devices / "count/kill-bmc03").touch()
    inventories = ("-i", rack.inventory, "-i", "devices.yml")
    done = call("ansible-playbook", *inventories, "rack.recipes.run", "-e", "recipe=recipe.yml")
    assert done.code == 2, done.stdout + done.stderr
    found = results()
    assert Counter(row["through"] for row in found.steps.values()) == {"r01": 6, "r02": 6}
    bad = {host: (row["verdict"], row["reason"]) for (_step, host), row in found.steps.items() if row["reason"]}
    reason = "the executor was killed on the delegate before this step ended (through r02)"
    assert bad == {"bmc03": ("error", reason)}
    assert found.verdicts() == {("once", host): "passed" for host in DEVICES} | {("once", "bmc03"): "error"}
    assert runs_of(devices) == dict.fromkeys(DEVICES, 1)
    assert set(re.findall(r"bmc\d\d", done.stdout)) == set(DEVICES)
    bases = (Path(base, f"rack-recipes-{os.geteuid()}") for base in ("/var/tmp", "/tmp"))
    stages = [path for base in bases if base.is_dir() for path in base.glob(f"{found.run['run_id']}-*")]
    assert len(stages) == 2


def test_a_run_whose_controller_was_killed_goes_on_and_no_device_is_tested_twice(devices: Path, rack: Any):
    more = ("-i", "devices.yml")
    controller = Controller.start("state", "rack-recipes", "recipe.yml", rack, (*DEVICES, "r01", "r02"), *more)
    wait_for("six devices", lambda: len(runs_of(devices)) == len(DEVICES))
    controller.signal(signal.SIGKILL)
    controller.ended()
    (devices / "count/open").touch()
    done = controller.resumed("recipe.yml", *more)
    assert done.code == 0, done.stdout + done.stderr
    assert runs_of(devices) == dict.fromkeys(DEVICES, 1)
    assert done.answer["counts"] == {"passed": len(DEVICES)}


def test_an_interrupted_run_ends_the_steps_of_all_devices(devices: Path, rack: Any):
    more = ("-i", "devices.yml")
    controller = Controller.start("state", "rack-recipes", "recipe.yml", rack, (*DEVICES, "r01", "r02"), *more)
    wait_for("all devices", lambda: len(runs_of(devices)) == len(DEVICES))
    controller.signal(signal.SIGINT)
    assert controller.ended() == 130
    ends = controller.ends()
    late = {host: ends["once", host] for host in DEVICES if host >= "bmc06"}
    assert {verdict for verdict, _reason in late.values()} == {"error"}
    assert all("the run was interrupted" in reason for _verdict, reason in late.values())
