# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is asked, as JSON, with the files that go along."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.run.stage import host_request
from rack_recipes.run.stage.host_request import (
    Request,
    StageInputs,
    files_of,
    imports_installed,
    make_request,
    stage_id,
    wait_of,
)
from rack_recipes.run.stage.project_files import digest_of
from rack_recipes.run.stage.zip_payload import digest_with_imports, executor_code

CASES = Path(__file__).parent / "cases"
AROUND = StageInputs(
    run_id="R1",
    host="r1",
    folders=(Path("scriptlets"),),
    slots=4,
    lease=120.0,
    settled={"before": "failed"},
    own={"a.key_v1": [1, {"x": 2}]},
    run={"b.key_v1": [3, "text"]},
    collected=("R1-1-old",),
)
STEP: dict[str, Any] = {"name": "s", "idx": 1, "type": "shell", "module": "t.step"}
HOOK = {"module": "t.limits", "type": "shell", "args": {"src": "data/numbers.csv"}}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CASES / "project", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for found in (host_request._found, digest_of, digest_with_imports):
        found.cache_clear()


def asked(*steps: dict[str, Any], **around: Any) -> Request:
    return make_request(2, steps, replace(AROUND, **around))


def test_a_request_is_json_and_has_all_that_is_known(golden: Callable[[Path, str], None]):
    step = {**STEP, "depends_on": ["before"], "after": ["other"], "timeout": 60, "success": {"ctx_has_keys": ["k_v1"]}}
    found = asked(step)
    message = json.loads(json.dumps(found.message))
    assert message.pop("id") == stage_id("R1", 2, "r1")
    assert message.pop("code") == {"digest": executor_code()[0], "files": [*executor_code()[1]]}
    golden(CASES / "least.json", json.dumps(message, indent=1) + "\n")
    assert found.files == (("scriptlets/t/step.sh", Path("scriptlets/t/step.sh")),)


PYTHON = {"name": "p", "type": "python", "module": "t.plain"}


@pytest.mark.parametrize(
    ("steps", "hooks", "imports"),
    [
        ((STEP,), {}, False),
        ((STEP, PYTHON), {}, True),
        ((STEP,), {"pre_step": [HOOK]}, False),
        ((STEP,), {"pre_step": [HOOK], "post_step": [{"module": "t.plain"}]}, True),
        (({**STEP, "invalid": "no such argument"},), {}, False),
    ],
)
def test_only_python_imports_what_a_host_has_installed(
    steps: tuple[dict[str, Any], ...], hooks: dict[str, Any], imports: bool
):
    assert imports_installed(asked(*steps, recipe={"path": "r.yml", "hooks": hooks}).message) is imports


def test_a_poll_imports_nothing_that_a_host_has_installed():
    assert not imports_installed({"id": "R1-1-x", "offset": 0, "attach": 1.0})


def test_a_request_with_all_that_a_recipe_can_ask_for(golden: Callable[[Path, str], None]):
    recipe = {
        "path": "r.yml",
        "time_box": 3600,
        "priority": 5,
        "fail_fast": True,
        "hooks": {"pre_step": [HOOK], "post_step": [{"module": "t.plain"}]},
        "locks": {"disk": {"of": "host", "capacity": 2, "settle_sec": 5}, "fan": {"of": "host"}, "pdu": {"of": "rack"}},
    }
    found = asked(
        {**STEP, "locks": ["disk", "pdu"], "cache_key": "numbers"},
        recipe=recipe,
        params={"vlan": 12},
        secrets=("s3cret",),
        time_left=12.5,
        halted="canary r2 did not pass",
        check=True,
        debug=True,
        hosts={"r2": {"c_v1": [1, 5]}},
        offers={"s": [{"run": "R0", "inputs": "sha256:0", "verdict": "passed", "kind": "cache", "records": []}]},
    )
    message = {name: value for name, value in found.message.items() if name not in ("id", "code")}
    golden(CASES / "most.json", json.dumps(message, indent=1) + "\n")
    assert [name for name, _path in found.files] == [
        "data/numbers.csv",
        "scriptlets/t/limits.sh",
        "scriptlets/t/plain.py",
        "scriptlets/t/step.sh",
    ]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [(True, {}), ({}, {}), ({"write": ["/srv"]}, {"write": ["/srv"]}), (False, None), (None, None)],
)
def test_what_makes_a_sandbox_travels_with_a_step_that_has_one(said: Any, wanted: Any):
    found = asked({**STEP, "sandbox": said})
    assert found.message["steps"][0].get("sandbox") == wanted
    names = {name for name, _path in found.files if name.endswith("executor/child/sandbox.py")}
    assert len(names) == (wanted is not None)
    assert not names & {*found.message["files"]}
    assert names == {*dict(files_of([{**STEP, "sandbox": said}], AROUND.folders, {}))} - {"scriptlets/t/step.sh"}


def test_how_a_step_is_run_may_be_told_from_outside():
    found = make_request(2, [STEP], AROUND, lambda step, _luggage: {"kind": "call", "module": step["module"]})
    [step] = found.message["steps"]
    assert (step["kind"], step["module"], found.files) == ("call", "t.step", ())


def test_data_that_travels_has_a_digest():
    found = asked({**STEP, "args": {"src": "./data/numbers.csv"}})
    assert found.message["digests"] == {"data/numbers.csv": digest_of(Path("data/numbers.csv"))}


def test_a_folder_that_travels_has_a_digest_for_each_file():
    found = asked({**STEP, "args": {"src": "./data/"}})
    assert "data/numbers.csv" in found.message["digests"]
    assert found.message["digests"].keys() <= {*found.message["files"]}


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
    """It is the reason of its step, and of no other."""
    bad, good = asked({**STEP, "args": {"src": src}}, {**STEP, "name": "b"}).message["steps"]
    assert bad["invalid"] == f"src: expected a file inside the project, or an absolute path of the host, got {src!r}"
    assert "kind" not in bad
    assert good["kind"] == "shell"


def test_an_unknown_scriptlet():
    bad, good = asked({**STEP, "module": "t.nothing"}, STEP).message["steps"]
    assert bad["invalid"].startswith("no scriptlet")
    assert "invalid" not in good


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
    known = files_of(steps, (Path("scriptlets"),), {"hooks": {"post_step": [HOOK]}})
    assert [name for name, _path in known] == [
        "data/numbers.csv",
        "scriptlets/t/limits.sh",
        "scriptlets/t/plain.py",
        "scriptlets/t/step.sh",
    ]
    filled = [{**STEP, "args": {"src": "data/numbers.csv"}}, *steps[1:]]
    assert asked(*filled, recipe={"hooks": {"post_step": [HOOK]}}).files == known


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
