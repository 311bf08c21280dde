# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `stop`; which process it tells is tested in run/test_stop_run.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import Writer
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.test_stop_run import HOLDS


def test_a_run_is_stopped_by_the_beginning_of_its_id(project):
    run = Writer("20261125-140000-bbbbbb")
    run.path.parent.mkdir(parents=True)
    run.begin("sha256:2", ("wire",))
    words = [sys.executable, "-c", HOLDS, str(run.path.parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        code, out, _err = call("stop", "20261125", "--json")
        child.wait()
    assert (code, json.loads(out)["controller"]) == (0, child.pid)
    assert "has stopped this run" in run.path.read_text()


def test_of_a_group_the_parts_that_go_on_are_stopped(project):
    parts = [Writer(f"20261125-14000{number}-bbbbbb") for number in range(2)]
    for number, part in enumerate(parts):
        part.path.parent.mkdir(parents=True)
        part.begin("sha256:2", ("wire",), group={"id": "night-42", "part": f"job {number}", "info": {}})
    words = [sys.executable, "-c", HOLDS, str(parts[1].path.parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        code, out, _err = call("stop", "night", "--json")
        child.wait()
    told = {"status": "ok", "run_id": "night-42", "parts": {parts[1].run_id: child.pid}}
    assert (code, json.loads(out)) == (0, told)
    assert ["has stopped this run" in part.path.read_text() for part in parts] == [False, True]


def test_a_run_that_is_not_there_or_is_over_is_told(project):
    code, out, err = call("stop", "2026")
    assert (code, "there is no run '2026' in" in out + err) == (2, True)
    run = Writer("20261125-140000-bbbbbb")
    Path(run.path).parent.mkdir(parents=True)
    run.begin("sha256:2", ("wire",))
    code, out, err = call("stop", "2026")
    assert (code, "does not go on here" in out + err) == (2, True)
