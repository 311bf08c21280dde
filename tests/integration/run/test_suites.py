# SPDX-License-Identifier: GPL-3.0-or-later

"""Test suites of others on SSH hosts: their files get there, their cases get into the store and into reports."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from call_rack_recipes import CHECKOUT, rack_recipes, results, run_recipe

FILES = {
    "checks/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef limit():\n    return 90\n",
    "checks/deep/test_heat.py": (
        "import os\n\n\ndef test_heat(limit, record_property):\n    record_property('celsius', 85)\n"
        "    assert 85 < limit\n"
        "\n\ndef test_host():\n    assert os.environ['RACK_HOST'] == 'r02'\n"
    ),
    "checks/heat.robot": "*** Test Cases ***\nHost\n    Should Be Equal    %{RACK_HOST}    r02\n",
    "checks/heat.sh": 'echo "1..2"\necho "ok 1 - cold"\n[ "$RACK_HOST" = r02 ] && echo "ok 2 - dry"\n',
    "checks/limit.sh": "grep 90 deep/limit\n",
    "checks/deep/limit": "90\n",
    "checks/hangs.sh": "sleep 600 &\necho $! >$PID_FILE\necho 1..1\nwait\n",
}
PYTEST, ROBOT = ([sys.executable, "-m", tool] for tool in ("pytest", "robot"))
STEPS = (
    {"name": "unit", "module": "suite.pytest", "args": {"src": "checks/", "pytest": PYTEST}},
    {"name": "robot", "module": "suite.robot", "args": {"src": "checks/heat.robot", "robot": ROBOT}},
    {"name": "tap", "module": "suite.tap", "args": {"src": "checks/heat.sh"}},
)


@pytest.fixture(autouse=True)
def _suites(project: Path) -> None:
    """A project with suites."""
    shutil.copytree(CHECKOUT / "scriptlets", project / "scriptlets")
    for path, text in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def run(rack: Any, hosts: str, *steps: dict[str, Any], **recipe: Any) -> int:
    made = [{"parallel": True, **step} for step in steps]
    Path("suites.yml").write_text(json.dumps({"test_meta": {"test_id": "SUITES-1"}, "steps": made, **recipe}))
    return run_recipe("suites.yml", on=rack, hosts=hosts).code


def test_cases_get_into_the_store_and_into_reports(rack: Any, tmp_path: Path):
    """A delegated suite knows its host, too. What a suite leaves behind ends with its step."""
    started = tmp_path / "pid"
    delegated = {**STEPS[2], "name": "delegated", "delegate_to": "localhost"}
    # The program that hangs is ended by the suite's own timeout, what it has started by the executor.
    hanging = {"src": "checks/hangs.sh", "timeout": 1, "env": {"PID_FILE": str(started)}}
    hangs = {"name": "hangs", "module": "suite.tap", "args": hanging, "hosts": "r01"}
    assert run(rack, "r01,r02", *STEPS, delegated, hangs) == 1
    found = results()
    assert found.verdicts() == {
        **{(step, "r02"): "passed" for step in ("unit", "robot", "tap", "delegated")},
        ("unit", "r01"): "failed",
        ("robot", "r01"): "failed",
        ("tap", "r01"): "error",
        ("delegated", "r01"): "error",
        ("hangs", "r01"): "error",
    }
    assert found.steps["hangs", "r01"]["reason"].startswith("checks/hangs.sh did not end within 1 s: see")
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    reason = found.steps["tap", "r01"]["reason"]
    assert reason == "checks/heat.sh: its plan is 1..2, but 1 cases came, not 2"
    values = {(step, host, name): value for step, host, name, value, _unit in found.measurements}
    assert values["unit", "r02", "deep.test_heat::test_heat.celsius"] == 85
    assert values["unit", "r02", "deep.test_heat::test_host"] == "passed"
    assert values["unit", "r01", "deep.test_heat::test_host"].startswith("failed: AssertionError: assert 'r01' ==")
    assert values["robot", "r01", "Heat::Host"] == "failed: r01 != r02"
    assert rack_recipes("report", "--format", "ocp", "--format", "junit", "--to", "out").code == 0
    lines = [json.loads(line) for line in Path("out/ocp/r01.jsonl").read_text().splitlines()]
    names = [line["testStepArtifact"]["measurement"]["name"] for line in lines if "measurement" in str(line)]
    assert "Heat::Host" in names
    cases = ET.parse("out/junit.xml").getroot().find("testsuite[@name='r01.unit']")
    assert cases is not None
    assert {case.get("name"): len(case) for case in cases} == {
        "deep.test_heat::test_heat": 0,
        "deep.test_heat::test_host": 1,
    }


def test_a_changed_file_of_a_folder_makes_another_result(rack: Any):
    args = {"src": "checks/", "argv": ["./limit.sh"]}
    cached = {"name": "limit", "module": "suite.program", "args": args, "cache_key": "limit"}
    assert run(rack, "r02", cached) == 0
    assert run(rack, "r02", cached) == 0
    assert results().verdicts() == {("limit", "r02"): "cached"}
    Path("checks/deep/limit").write_text("80\n")
    assert run(rack, "r02", cached) == 1
    assert results().verdicts() == {("limit", "r02"): "failed"}
