# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet

MODULE = """
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped, run_as_module

class Halve(Scriptlet):
    options = {"number": {"type": "int", "required": True}}
    writes = ("test.half_v1",)

    def run(self, ctx, params):
        print("halving")
        if not params["number"]:
            raise Skipped("there is nothing to halve")
        if params["number"] % 2:
            raise Failed("%d is odd" % params["number"])
        ctx.set("test.half_v1", params["number"] // 2)
        ctx.measure("half", params["number"] / 2, "pieces")

if __name__ == "__main__":
    run_as_module(Halve)
"""


def test_a_scriptlet_without_run_says_so():
    class Empty(Scriptlet):
        pass

    with pytest.raises(NotImplementedError) as caught:
        Empty().run(None, {})
    assert str(caught.value) == "Empty has no run method"


def test_validate_may_be_left_out():
    assert Scriptlet().validate(None, {}) is None


def as_module(tmp_path, **arguments):
    pytest.importorskip("ansible.module_utils.basic")
    module = tmp_path / "halve.py"
    module.write_text(MODULE)
    message = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, module, message], stdout=subprocess.PIPE, cwd=tmp_path, env=env, check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_published_scriptlet_is_an_ordinary_module(tmp_path):
    code, result = as_module(tmp_path, number=8)
    assert code == 0
    assert (result["changed"], result["verdict"], result["context"]) == (False, "passed", {"test.half_v1": 4})
    assert result["measurements"] == [{"name": "half", "value": 4.0, "unit": "pieces"}]
    assert result["stdout"] == "halving\n"


def test_a_published_scriptlet_fails_with_its_reason(tmp_path):
    code, result = as_module(tmp_path, number=3)
    assert code == 1
    assert (result["failed"], result["msg"], result["verdict"]) == (True, "3 is odd", "failed")


def test_a_published_scriptlet_is_skipped_with_its_reason(tmp_path):
    code, result = as_module(tmp_path, number=0)
    assert code == 0
    assert (result["skipped"], result["msg"], result["verdict"]) == (True, "there is nothing to halve", "skipped")
