# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage in a worker: what is asked, what is written down, what Ansible shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.rack.recipes.plugins.module_utils.executor.main import MARK
from ansible_collections.rack.recipes.plugins.module_utils.record import encode
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.run import current as holder
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import Run, set_current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.perform import no_result, perform, summary
from ansible_collections.rack.recipes.plugins.plugin_utils.stage import remote, request
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.journals import a_run, delta, planned, step

VARS = {"inventory_hostname": "r1", "ansible_python_interpreter": "python3"}
A, B, TOTAL = ({"name": name, "type": "shell", "module": "s"} for name in ("a", "b", "total"))


class Host:
    """A host that answers each question by a state and records; it keeps what it was asked."""

    def __init__(self, *answers: tuple[str, list[dict[str, Any]]] | Exception | dict[str, Any]) -> None:
        self.answers = [*answers]
        self.asked: list[dict[str, Any]] = []
        self._task = SimpleNamespace(delegate_to=None)
        self._templar = SimpleNamespace(template=lambda value: value)

    def _low_level_execute_command(self, _command: str, in_data: bytes) -> dict[str, Any]:
        sizes, _other, rest = in_data.partition(b"\n")
        message = json.loads(rest[: int(sizes.split()[0])])
        self.asked.append(message)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return answer
        state, records = answer
        status = {"state": state, "offset": 1, "boot_id": "b", "reason": "no space left"}
        text = f"\n{MARK}{message['id']}\n{b''.join(map(encode, records)).decode()}\n{json.dumps(status)}\n"
        return {"rc": 0, "stdout": text, "stderr": ""}

    def _execute_module(self, **_arguments: Any) -> dict[str, Any]:
        return {"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3.11"}}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run of three steps, in a project with one scriptlet."""
    (tmp_path / "scriptlets").mkdir()
    (tmp_path / "scriptlets/s.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scriptlets/s.yml").write_text("description: Nothing\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(holder, "_HOLDER", holder._Holder())
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    request._find.cache_clear()
    made = a_run(
        tmp_path / "runs", planned("a"), planned("b", "r1"), planned("total", "", stage=2), reconnect_timeout=0.1
    )
    set_current(made)
    yield made
    set_current(None)


def told(run: Run) -> list[tuple[str, str, str]]:
    run.catch_up()
    records = [line.record for line in Follower(run.path).read() if line.record]
    return [(each["step"], each["verdict"], each["reason"]) for each in records if each["kind"] == "step"]


def test_the_results_are_written_down_and_summed_up(run: Run):
    host = Host(("running", [delta("a.key_v1", 1), step("a", "r1", n=2)]), ("ended", [step("b", "r1", "marginal", 3)]))
    result = perform(host, 1, [A, B], VARS)
    assert result["msg"] == "1 passed, 1 marginal in 1.000 s"
    assert not result.keys() & {"failed", "unreachable", "ansible_facts"}
    assert [line.split() for line in result["steps"]] == [
        ["passed", "0.500", "s", "a"],
        ["marginal", "0.500", "s", "b"],
    ]
    assert told(run) == [("a", "passed", ""), ("b", "marginal", "")]
    assert run.context.get("a.key_v1", "r1") == 1
    assert host.asked[1] == {"id": host.asked[0]["id"], "offset": 1, "attach": pytest.approx(0.1 / 3)}


def test_what_the_host_is_asked(run: Run):
    append(run.path, [delta("a.key_v1", 1), delta("b.key_v1", 2, host="", scope="run"), step("before", "r1", "failed")])
    run.catch_up()
    host = Host(("ended", [step("a", "r1")]))
    run.steps = {**run.steps, "before": planned("before")}
    perform(host, 3, [{**A, "depends_on": ["before"], "after": ["b"]}], VARS)
    [asked] = host.asked
    assert (asked["run"], asked["stage"], asked["host"], asked["slots"], asked["lease"]) == ("R1", 3, "r1", 4, 0.1)
    assert asked["settled"] == {"before": "failed"}
    assert asked["context"] == {"own": {"a.key_v1": [1, 1]}, "run": {"b.key_v1": [1, 2]}, "hosts": {}}
    assert [name.split("-")[:2] for name in asked["collected"]] == [["R1", "1"], ["R1", "2"]]


def test_a_step_of_the_run_sees_all_hosts_and_waits_for_them(run: Run):
    append(
        run.path, [delta("a.key_v1", 1), delta("a.key_v1", 2, host="r2"), step("a", "r1"), step("a", "r2", "failed")]
    )
    run.catch_up()
    host = Host(("ended", [step("total", "", "blocked")]))
    perform(host, 2, [{**TOTAL, "scope": "run", "depends_on": ["a"]}], VARS)
    assert host.asked[0]["host"] == ""
    assert host.asked[0]["settled"] == {"a": "failed"}
    assert host.asked[0]["context"]["hosts"] == {"r1": {"a.key_v1": [1, 1]}, "r2": {"a.key_v1": [1, 2]}}


def test_steps_of_other_hosts_are_not_asked_for():
    host = Host(("ended", [step("a", "r2")]))
    perform(host, 1, [A, B], {**VARS, "inventory_hostname": "r2"})
    assert [each["name"] for each in host.asked[0]["steps"]] == ["a"]
    assert perform(Host(), 1, [B], {**VARS, "inventory_hostname": "r2"}) == {
        "skipped": True,
        "msg": "no step of this stage is for r2",
    }


def test_steps_that_tags_left_out_are_not_asked_for_and_block_nothing(run: Run):
    run.unselected = {("a", "r1"), ("total", "")}
    host = Host(("ended", [step("b", "r1")]))
    perform(host, 1, [A, {**B, "depends_on": ["a", "total"]}], VARS)
    assert [each["name"] for each in host.asked[0]["steps"]] == ["b"]
    assert host.asked[0]["settled"] == {}
    assert perform(Host(), 2, [{**TOTAL, "scope": "run"}], VARS)["msg"] == "no step of this stage is for this run"


def test_the_interpreter_that_was_found_is_for_the_host_s_next_stage():
    unknown = {"inventory_hostname": "r1"}
    found = {"discovered_interpreter_python": "/usr/bin/python3.11"}
    assert perform(Host(("ended", [step("a", "r1")])), 1, [A], unknown)["ansible_facts"] == found
    assert "ansible_facts" not in perform(Host(("ended", [step("total", "")])), 2, [{**TOTAL, "scope": "run"}], unknown)


SILENT = {"rc": 127, "stdout": "", "stderr": "sh: python3: not found"}


@pytest.mark.parametrize(
    ("answers", "verdict", "reason"),
    [
        ([("killed", [])], "error", "the executor was killed on the host before this step ended"),
        (
            [("unknown", [])],
            "error",
            "the host does not know this stage any more: it rebooted, or its folder was removed",
        ),
        ([("refused", [])], "error", "the host cannot run a stage: no space left"),
        ([SILENT], "error", "the executor did not answer (exit code 127): sh: python3: not found"),
        ([AnsibleConnectionFailure("Permission denied")], "unreachable", "Permission denied"),
        (
            [("running", []), *[AnsibleConnectionFailure("reset")] * 99],
            "unreachable",
            "lost, and not back within 0.1 s: reset",
        ),
    ],
)
def test_a_step_without_a_result_has_the_reason(run: Run, answers: list[Any], verdict: str, reason: str):
    if isinstance(answers[0], tuple):
        answers[0][1][:] = [step("a", "r1", n=1)]
        expected = [("a", "passed", ""), ("b", verdict, reason)]
    else:
        expected = [("a", verdict, reason), ("b", verdict, reason)]
    result = perform(Host(*answers), 1, [A, B], VARS)
    assert told(run) == expected
    assert result["unreachable" if verdict == "unreachable" else "failed"] is True
    assert f" {verdict}: {reason} (" in result["msg"]


def test_a_wrong_argument_is_the_reason_too(run: Run):
    perform(Host(), 1, [{**A, "args": {"src": "absent.csv"}}, B], VARS)
    reason = "src: expected a file inside the project, or an absolute path of the host, got 'absent.csv'"
    assert told(run) == [("a", "error", reason), ("b", "error", reason)]


def test_without_a_run_nothing_is_tried():
    set_current(None)
    with pytest.raises(UsageError, match="no run is being recorded"):
        perform(Host(), 1, [A], VARS)


@pytest.mark.parametrize(
    ("verdicts", "kind", "msg"),
    [
        (["passed", "cached"], None, "1 passed, 1 cached in 1.000 s"),
        (["passed", "failed:hot", "blocked:b"], "failed", "s2 failed: hot (1 passed, 1 failed, 1 blocked)"),
        (["blocked:x", "blocked:y"], "failed", "s1 blocked: x (2 blocked)"),
        (["blocked:x", "error"], "failed", "s2 error: no reason given (1 blocked, 1 error)"),
        (["unreachable:gone", "unreachable:gone"], "unreachable", "s1 unreachable: gone (2 unreachable)"),
        (["passed", "unreachable:gone"], "unreachable", "s2 unreachable: gone (1 passed, 1 unreachable)"),
        (["failed:hot", "unreachable:gone"], "failed", "s1 failed: hot (1 failed, 1 unreachable)"),
    ],
)
def test_what_ansible_shows(verdicts: list[str], kind: str | None, msg: str):
    records = []
    for number, text in enumerate(verdicts, start=1):
        verdict, _other, reason = text.partition(":")
        records.append(step(f"s{number}", "r1", verdict, number, reason))
    found = summary(iter(records))
    assert found["msg"] == msg
    assert [name for name in ("failed", "unreachable") if found.get(name)] == ([kind] if kind else [])
    assert len(found["steps"]) == len(verdicts)


def test_the_record_of_a_step_without_a_result_is_one_of_a_journal(tmp_path: Path):
    record = no_result(1, "a", "r1", "error", "why")
    append(tmp_path / "journal.jsonl", [record])
    [line] = Follower(tmp_path / "journal.jsonl").read()
    assert line.record
    assert line.record.items() >= record.items()
