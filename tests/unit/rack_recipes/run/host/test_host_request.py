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
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import read_step
from rack_recipes.errors import UsageError
from rack_recipes.run.host import host_request
from rack_recipes.run.host.host_request import (
    UNMET,
    Request,
    StageInputs,
    files_of,
    group_id,
    group_request,
    imports_installed,
    make_request,
    stage_id,
    to_message,
    wait_of,
)
from rack_recipes.run.host.project_files import digest_of
from rack_recipes.run.host.zip_payload import digest_with_imports, executor_code

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
    assert read_step(found.message["steps"][0]).get("sandbox") == wanted
    names = {name for name, _path in found.files if name.endswith("executor/child/sandbox.py")}
    assert len(names) == (wanted is not None)
    assert not names & {*found.message["files"]}
    assert names == {*dict(files_of([{**STEP, "sandbox": said}], AROUND.folders, {}))} - {"scriptlets/t/step.sh"}


def test_a_step_without_a_timeout_gets_that_of_the_settings():
    steps = [STEP, {**STEP, "timeout": 60}, {**STEP, "timeout": None}, {**STEP, "invalid": "args.x: no"}]
    for default, sent in ((None, [None, 60, None, None]), (9.0, [9.0, 60, 9.0, 9.0])):
        found = make_request(2, steps, replace(AROUND, step_timeout=default)).message["steps"]
        assert [step.get("timeout") for step in found] == sent


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


STEP_CASES = Path(__file__).parent / "cases/step_message"


@pytest.mark.parametrize("case", sorted(STEP_CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_compiled_step_as_a_message_that_the_executor_reads(case: Path, golden: Callable[[Path, str], None]):
    step = yaml.safe_load(case.read_bytes())
    message = read_step(to_message(step, {"kind": "shell"}))
    golden(case.with_suffix(".json"), json.dumps(message, indent=1) + "\n")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("True ", True),
        ("no", False),
        ({"value": 1, "eq": 1}, [{"value": 1, "eq": 1}]),
        ({UNMET: "{{ x }}"}, "{{ x }} is false"),
        ([{"value": 1, "min": 1}], [{"value": 1, "min": 1}]),
    ],
)
def test_what_when_came_out_as(said: Any, found: Any):
    assert read_step(to_message({"name": "a", "when": said}, {}))["when"] == found


@pytest.mark.parametrize(
    ("said", "found"),
    [(True, {}), ({}, {}), ({"network": True}, {"network": True}), (False, None), (None, None)],
)
def test_what_a_sandbox_came_out_as(said: Any, found: Any):
    assert read_step(to_message({"name": "a", "sandbox": said}, {})).get("sandbox") == found


@pytest.mark.parametrize("said", ["", "true", 0, 1, []])
def test_a_sandbox_that_is_none_is_refused(said: Any):
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "sandbox": said}, {})
    assert str(caught.value) == f"sandbox: expected true or a mapping, got {said!r}"


@pytest.mark.parametrize("said", ["", "maybe", 1, None])
def test_a_when_that_is_neither_true_nor_false(said: Any):
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "when": said}, {})
    assert str(caught.value) == f"when: expected true or false, got {said!r}"


def test_a_field_that_no_step_has_is_refused():
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "module": "m", "timeoutt": 3}, {})
    assert str(caught.value) == "step 'a': expected a known field, got 'timeoutt' (did you mean 'timeout'?)"


def test_a_step_that_cannot_be_run_keeps_its_place():
    step = {"name": "a", "depends_on": ["b"], "always": True, "loop": "{{ x }}", "args": {"x": 1}, "success": "none"}
    left = {"name": "a", "depends_on": ["b"], "always": True, "invalid": "args.x: no"}
    assert to_message({**step, "invalid": "args.x: no"}, {"kind": "shell"}) == left


VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.floats(0, 2), st.text(max_size=2))
MESSAGES = st.lists(
    st.dictionaries(st.sampled_from(["steps", "params", "context", "secrets"]), VALUES), min_size=1, max_size=4
)


def request_of(host: str, **fields: Any) -> Request:
    message = {"id": f"id-{host}", "host": host, "collected": [f"old-{host}"], "lease": 9, **fields}
    return Request(message, ((f"{host}.txt", Path(host)), ("same.txt", Path("same"))))


@given(MESSAGES)
def test_each_host_gets_back_what_was_its_own(found: list[dict[str, Any]]):
    requests = [request_of(f"h{number}", **fields) for number, fields in enumerate(found)]
    message = group_request("name", requests, ["gone"]).message
    shared = {name: value for name, value in message.items() if name not in ("hosts", "at_once", "id", "collected")}
    for request, own in zip(requests, message["hosts"], strict=True):
        expected = {name: value for name, value in request.message.items() if name not in ("id", "collected")}
        assert repr(sorted({**shared, **own}.items())) == repr(sorted(expected.items()))


def test_what_all_share_is_said_once():
    request = group_request("name", [request_of("a", steps=[1]), request_of("b", steps=[1])], ["gone"])
    assert request.message == {
        "id": "name",
        "collected": ["gone"],
        "lease": 9,
        "steps": [1],
        "hosts": [{"host": "a"}, {"host": "b"}],
        "at_once": 32,
    }
    assert [name for name, _path in request.files] == ["a.txt", "b.txt", "same.txt"]


def test_one_and_true_are_not_the_same():
    message = group_request("name", [request_of("a", x=1), request_of("b", x=True), request_of("c", x=1.0)], ()).message
    assert [repr(own["x"]) for own in message["hosts"]] == ["1", "True", "1.0"]


def test_no_stage_of_a_host_has_the_name_of_a_group():
    assert group_id("r", 1, "j1") != stage_id("r", 1, "j1")
    assert group_id("r", 1, "j1") != group_id("r", 1, "j2")


def test_a_python_step_of_any_host_needs_what_is_installed():
    python, shell = {"kind": "python"}, {"kind": "shell"}
    for steps, expected in (([python], True), ([shell], False)):
        message = group_request("name", [request_of("a", steps=[shell]), request_of("b", steps=steps)], ()).message
        assert imports_installed(message) is expected


LIMITS = [
    {"step": "s", "measurement": "rpm", "min": 9, "where": {"model": "h100", "groups": "leafs"}},
    {"step": "s[a]", "measurement": "rpm", "min": 8, "where": {"position": 7}},
    {"step": "other", "measurement": "rpm", "min": 7},
    {"measurement": "t", "min": 6},
]


@pytest.mark.parametrize(
    ("attributes", "bounds"),
    [
        ({}, [6]),
        ({"model": "h100", "groups": ["leafs", "odd"], "position": "7"}, [9, 8, 6]),
        ({"model": "h100", "groups": ["spines"], "position": 8}, [6]),
    ],
)
def test_a_host_gets_the_limits_that_are_for_it(attributes: dict[str, Any], bounds: list[int]):
    [step] = asked(STEP, recipe={"path": "r.yml", "limits": LIMITS}, attributes=attributes).message["steps"]
    assert [limit["min"] for limit in step["success"]["limits"]] == bounds
    assert not any("where" in limit for limit in step["success"]["limits"])


@pytest.mark.parametrize(
    ("module", "said", "patterns"),
    [
        ("t.step", {}, None),
        ("t.bare", {"envelope": "none"}, {}),
        ("t.step", {"envelope": "none", "writes": {"a.b_v1": {"pattern": "x"}}}, {"a.b_v1": {"pattern": "x"}}),
        ("t.asis", {}, {"a.own_v1": {"pattern": "y", "type": "int"}}),
        (
            "t.asis",
            {"envelope": "none", "writes": {"a.b_v1": {"pattern": "x"}}},
            {"a.own_v1": {"pattern": "y", "type": "int"}, "a.b_v1": {"pattern": "x"}},
        ),
    ],
)
def test_the_patterns_of_a_script_without_an_envelope(module: str, said: dict[str, Any], patterns: Any):
    for name in ("bare", "asis"):
        Path(f"scriptlets/t/{name}.sh").write_text("#!/bin/sh\n")
    Path("scriptlets/t/asis.yml").write_text(
        "envelope: none\nwrites: {a.own_v1: {pattern: y, type: int, description: jobs}}\n"
    )
    (step,) = asked({"name": "s", "type": "shell", "module": module, **said}).message["steps"]
    assert step.get("patterns") == patterns
    assert not {"envelope", "writes"} & step.keys()
