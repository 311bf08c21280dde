# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import CatalogError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage import request
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload import executor_code
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import (
    Request,
    Surroundings,
    files_of,
    make_request,
    stage_id,
    wait_of,
)

PLANS = Path(__file__).parents[1] / "plan" / "cases"
AROUND = Surroundings(
    run_id="R1",
    host="r1",
    folders=(Path("scriptlets"),),
    slots=4,
    lease=120.0,
    settled={"before": "passed"},
    own={"a.key_v1": [1, {"x": 2}]},
    run={"b.key_v1": [3, "text"]},
    hosts={},
    collected=("R1-1-old",),
)
STEP: dict[str, Any] = {"name": "s", "idx": 1, "type": "shell", "module": "t.step"}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PLANS / "scriptlets", tmp_path / "scriptlets")
    shutil.copytree(PLANS / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    request._find.cache_clear()


def asked(*steps: dict[str, Any], **around: Any) -> Request:
    return make_request(2, steps, replace(AROUND, **around))


def test_a_request_is_json_and_has_all_that_is_known():
    found = asked(
        {**STEP, "depends_on": ["before"], "after": ["other"], "timeout": 60, "success": {"ctx_has_keys": ["k_v1"]}}
    )
    message = json.loads(json.dumps(found.message))
    digest = message["steps"][0].pop("digest")
    assert message.pop("code") == {"digest": executor_code()[0], "files": [*executor_code()[1]]}
    assert message == {
        "id": stage_id("R1", 2, "r1"),
        "run": "R1",
        "stage": 2,
        "host": "r1",
        "offset": 0,
        "attach": 5.0,
        "lease": 120.0,
        "slots": 4,
        "settled": {"before": "passed"},
        "context": {"own": {"a.key_v1": [1, {"x": 2}]}, "run": {"b.key_v1": [3, "text"]}, "hosts": {}},
        "collected": ["R1-1-old"],
        "files": ["scriptlets/t/step.sh"],
        "steps": [
            {
                "name": "s",
                "kind": "shell",
                "args": {},
                "options": None,
                "reads": None,
                "depends_on": ["before"],
                "after": ["other"],
                "scope": "host",
                "timeout": 60,
                "retry": {"max": 1, "delay_sec": 0},
                "parallel": False,
                "success": {"ctx_has_keys": ["k_v1"]},
                "file": "scriptlets/t/step.sh",
                "flags": [],
            }
        ],
    }
    assert digest.startswith("sha256:")
    assert found.files == (("scriptlets/t/step.sh", Path("scriptlets/t/step.sh")),)


def test_a_python_scriptlet_is_named_by_its_module():
    found = asked({"name": "s", "module": "t.plain", "args": None})
    step = found.message["steps"][0]
    assert (step["module"], step["function"], step["options"]) == ("scriptlets.t.plain", "Plain", {})
    assert found.message["files"] == []
    assert found.files == (("scriptlets/t/plain.py", Path("scriptlets/t/plain.py")),)


@pytest.mark.parametrize(
    ("module", "said", "reads"),
    [
        ("t.step", {}, None),
        ("t.step", {"reads": []}, []),
        ("t.step", {"reads": ["b_v1", "a_v1"]}, ["a_v1", "b_v1"]),
        ("t.limits", {}, ["link.state_v1"]),
        ("t.limits", {"reads": ["a_v1"]}, ["a_v1", "link.state_v1"]),
    ],
)
def test_what_a_step_may_read(module: str, said: dict[str, Any], reads: list[str] | None):
    assert asked({**STEP, "module": module, **said}).message["steps"][0]["reads"] == reads


@pytest.mark.parametrize("src", ["data/numbers.csv", "./data/numbers.csv", "data//numbers.csv"])
def test_a_file_of_the_project_travels_along(src: str):
    found = asked({**STEP, "args": {"src": src}})
    assert found.message["files"] == ["scriptlets/t/step.sh", "data/numbers.csv"]
    assert dict(found.files)["data/numbers.csv"] == Path.cwd() / "data/numbers.csv"


def test_a_file_that_happens_to_be_python_travels_as_data():
    Path("data/tool.py").write_text("not { python")
    assert asked({**STEP, "args": {"src": "data/tool.py"}}).message["files"] == ["scriptlets/t/step.sh", "data/tool.py"]


@pytest.mark.parametrize("src", [None, "", 7, ["data/numbers.csv"], "/etc/hostname", "${a.key_v1.path}"])
def test_what_is_no_file_of_the_project_stays(src: object):
    assert asked({**STEP, "args": {"src": src}}).message["files"] == ["scriptlets/t/step.sh"]


@pytest.mark.parametrize("src", ["data/absent.csv", "data", "../elsewhere", "data/../../x"])
def test_a_file_that_cannot_travel(src: str):
    with pytest.raises(UsageError) as caught:
        asked({**STEP, "args": {"src": src}})
    assert str(caught.value) == (
        f"src: expected a file inside the project, or an absolute path of the host, got {src!r}"
    )


def test_an_unknown_scriptlet():
    with pytest.raises(CatalogError, match="no scriptlet"):
        asked({**STEP, "module": "t.nothing"})


def test_steps_share_their_files():
    found = asked(STEP, {**STEP, "name": "other"}, {**STEP, "name": "third", "module": "t.limits"})
    assert found.message["files"] == ["scriptlets/t/step.sh", "scriptlets/t/limits.sh"]
    assert [name for name, _path in found.files] == ["scriptlets/t/limits.sh", "scriptlets/t/step.sh"]


def test_the_files_are_known_before_templates_are_filled_in():
    steps = [
        {**STEP, "args": {"src": "{{ source }}"}},
        {**STEP, "name": "b", "args": {"src": "data/numbers.csv"}},
        {"name": "c", "module": "t.plain"},
    ]
    known = files_of(steps, (Path("scriptlets"),))
    assert [name for name, _path in known] == ["data/numbers.csv", "scriptlets/t/plain.py", "scriptlets/t/step.sh"]
    filled = [{**STEP, "args": {"src": "data/numbers.csv"}}, *steps[1:]]
    assert asked(*filled).files == known


def test_stage_ids_differ_by_run_number_and_host():
    ids = {
        stage_id(run, number, host) for run in ("R1", "R2") for number in (1, 2) for host in ("r1", "r2", "", "../x")
    }
    assert len(ids) == 16
    assert not [name for name in ids if "/" in name]


@pytest.mark.parametrize(("lease", "wait", "found"), [(120, 5, 5), (6, 5, 2), (0.3, 10, 0.1)])
def test_a_host_answers_well_before_its_lease_ends(lease: float, wait: float, found: float):
    assert wait_of(lease, wait) == pytest.approx(found)
    assert asked(STEP, lease=lease).message["attach"] == pytest.approx(min(5, lease / 3))
