# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/golden_host.yml on this machine: it takes a golden hardware, and finds what is not like it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import CHECKOUT, Results, rack_recipes, results

# Not every machine that runs tests has systemd, or shows the log of its kernel.
RUN = ("run", "recipes/golden_host.yml", "--skip", "services,kernel_log,sensors", "-e", "serials=true")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the recipe becomes root")


@pytest.fixture
def run(shipped: Path) -> Any:
    """A function that runs the recipe with a golden hardware, and gives its results."""
    shutil.copytree(CHECKOUT / "scriptlets", shipped / "scriptlets")

    def run(golden: dict[str, Any]) -> Results:
        known = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        host = {**known, "hardware_golden": golden}
        Path("inventory.yml").write_text(json.dumps({"all": {"hosts": {"r1": host}}}), encoding="utf-8")
        done = rack_recipes(*RUN, "-i", "inventory.yml")
        return results(done.answer["run_id"])

    return run


def test_the_hardware_of_a_run_is_the_golden_one_of_the_next(run):
    first = run({})
    assert first.steps["golden", "r1"]["verdict"] == "skipped"
    golden = json.loads(rack_recipes("ctx", "export").stdout)["hosts"]["r1"]["host.hardware_v1"]
    golden["memory"]["DIMM_Z9"] = {"size_mib": 32768}
    golden["cpu"]["threads"] += 1
    found = run(golden)
    assert found.steps["golden", "r1"]["verdict"] == "failed"
    told = found.context["host.golden_v1", "r1"]
    names = {kind: [each["name"] for each in parts] for kind, parts in told.items()}
    assert names == {"missing": ["memory.DIMM_Z9"], "additional": [], "different": ["cpu.threads"]}
    assert "memory.DIMM_Z9 is missing: reseat the module" in found.steps["golden", "r1"]["reason"]
