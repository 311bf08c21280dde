# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage in a worker: what is asked, what is written down, what Ansible shows."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_REASON
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    artifact,
    delta,
    first,
    planned,
    step,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.stage.scripted_host import REASONS, Host
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.plan.compile.action_names import RECIPE_VARIABLE
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.delegates import group_problem
from rack_recipes.run.earlier_run import EarlierRun
from rack_recipes.run.host import remote_executor
from rack_recipes.run.missing_results_and_artifacts import UNPLANNED, UNRECORDED
from rack_recipes.run.stage.resource_locks import resources
from rack_recipes.run.stage.run_stage import run_stage, summary, task_summary

VARS = {"inventory_hostname": "r1", "ansible_python_interpreter": "python3"}
A, B, TOTAL = ({"name": name, "type": "shell", "module": "s"} for name in ("a", "b", "total"))


@pytest.fixture(autouse=True)
def run(begin: Callable[..., Run]) -> Run:
    """A run of three steps."""
    return begin(planned("a"), planned("b", "r1"), planned("total", "", stage=2), reconnect_timeout=0.1)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_executor, "PAUSE", 0.01)


def told(run: Run) -> list[tuple[str, str, str]]:
    run.catch_up()
    records = [*JournalReader(run.path).records()]
    return [(each["step"], each["verdict"], each["reason"]) for each in records if each["kind"] == "step"]


def test_the_results_are_written_down_and_summed_up(run: Run):
    host = Host(("running", [delta("a.key_v1", 1), step("a", "r1", n=2)]), ("ended", [step("b", "r1", "marginal", 3)]))
    result = run_stage(host, 1, [A, B], {}, VARS)
    assert result["msg"] == "1 marginal, 1 passed in 1.000 s"
    assert not result.keys() & {"failed", "unreachable", "ansible_facts"}
    assert [line.split() for line in result["steps"]] == [
        ["passed", "0.500", "s", "a"],
        ["marginal", "0.500", "s", "b"],
    ]
    assert told(run) == [("a", "passed", ""), ("b", "marginal", "")]
    assert run.context.get("a.key_v1", "r1") == 1
    assert host.asked[1].pop("seal") == host.asked[0]["seal"]
    assert host.asked[1] == {"id": host.asked[0]["id"], "offset": 1, "attach": pytest.approx(0.1 / 3)}


def test_how_far_the_host_s_clock_is_ahead_is_written_down_once_a_stage(run: Run):
    host = Host(("running", [step("a", "r1")]), ("ended", [step("b", "r1", n=2)]))
    host.clock = {"clock": [time.time() + 3600, 0.0]}
    run_stage(host, 1, [A, B], {}, VARS)
    records = [*JournalReader(run.path).records()]
    assert [each["kind"] for each in records] == ["run", "clock", "step", "step"]
    assert (records[1]["stage"], records[1]["host"]) == (1, "r1")
    assert records[1]["offset"] == pytest.approx(3600, abs=30)


def test_what_the_host_is_asked(run: Run):
    append(
        run.path,
        [delta("a.key_v1", 1), delta("b.key_v1", 2, host="", scope="run"), step("before", "r1", "failed", blocks=True)],
    )
    run.catch_up()
    host = Host(("ended", [step("a", "r1")]))
    run.steps = {**run.steps, "before": planned("before")}
    run_stage(host, 3, [{**A, "depends_on": ["before"], "after": ["b"]}], {}, VARS)
    [asked] = host.asked
    assert (asked["run"], asked["stage"], asked["host"], asked["slots"], asked["lease"]) == ("R1", 3, "r1", 4, 0.1)
    assert asked["settled"] == {"before": "failed"}
    assert asked["context"] == {"own": {"a.key_v1": [1, 1]}, "run": {"b.key_v1": [1, 2]}, "hosts": {}}
    assert [name.split("-")[:2] for name in asked["collected"]] == [["R1", "2"]]
    append(run.path, [step("a", "r1", n=2), step("b", "r1", "unreachable", n=0)])
    run.catch_up()
    run.left_out = {"b"}
    host = Host(("ended", [step("a", "r1")]))
    run_stage(host, 3, [A], {}, VARS)
    assert [name.split("-")[:2] for name in host.asked[0]["collected"]] == [["R1", "1"], ["R1", "2"]]


def test_a_step_of_the_run_sees_all_hosts_and_waits_for_them(run: Run):
    append(
        run.path,
        [
            delta("a.key_v1", 1),
            delta("a.key_v1", 2, host="r2"),
            step("a", "r1"),
            step("a", "r2", "failed", blocks=True),
        ],
    )
    run.catch_up()
    host = Host(("ended", [step("total", "", "blocked")]))
    run_stage(host, 2, [{**TOTAL, "scope": "run", "depends_on": ["a"]}], {}, VARS)
    assert host.asked[0]["host"] == ""
    assert host.asked[0]["settled"] == {"a": "failed"}
    assert host.asked[0]["context"]["hosts"] == {"r1": {"a.key_v1": [1, 1]}, "r2": {"a.key_v1": [1, 2]}}


def test_steps_of_other_hosts_are_not_asked_for():
    host = Host(("ended", [step("a", "r2")]))
    run_stage(host, 1, [A, B], {}, {**VARS, "inventory_hostname": "r2"})
    assert [each["name"] for each in host.asked[0]["steps"]] == ["a"]
    assert run_stage(Host(), 1, [B], {}, {**VARS, "inventory_hostname": "r2"}) == {
        "skipped": True,
        "msg": "no step of this stage is for r2",
    }


def test_steps_that_tags_left_out_are_not_asked_for_and_block_nothing(run: Run):
    run.left_out = {"a", "total"}
    host = Host(("ended", [step("b", "r1")]))
    run_stage(host, 1, [A, {**B, "depends_on": ["a", "total"]}], {}, VARS)
    assert [each["name"] for each in host.asked[0]["steps"]] == ["b"]
    assert host.asked[0]["settled"] == {}
    assert run_stage(Host(), 2, [{**TOTAL, "scope": "run"}], {}, VARS)["msg"] == "no step of this stage is for this run"


def test_the_interpreter_that_was_found_is_for_the_host_s_next_stage():
    unknown = {"inventory_hostname": "r1"}
    found = {"discovered_interpreter_python": "/usr/bin/python3.11"}
    assert run_stage(Host(("ended", [step("a", "r1")])), 1, [A], {}, unknown)["ansible_facts"] == found
    assert "ansible_facts" not in run_stage(
        Host(("ended", [step("total", "")])), 2, [{**TOTAL, "scope": "run"}], {}, unknown
    )


SILENT = {"rc": 127, "stdout": "", "stderr": "sh: python3: not found"}


@pytest.mark.parametrize(
    ("answers", "verdict", "reason"),
    [
        (
            [("killed", [])],
            "error",
            f"the executor was killed on the host before this step ended{REASONS['killed']}",
        ),
        (
            [("unknown", [])],
            "error",
            "the host does not know this stage any more: it rebooted, or its folder was removed",
        ),
        ([("refused", [])], "error", "the host cannot run a stage: no space left"),
        ([("rebooted", [])], "error", "the host was rebooted before this step ended"),
        ([("ended", [])], "error", "the host's answer has no result of this step"),
        ([SILENT], "error", "Python is missing: python3"),
        ([AnsibleError("Incorrect sudo password")], "error", "the become password is wrong: sudo refused it"),
        ([AnsibleConnectionFailure("No route")], "unreachable", "No route"),
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
    result = run_stage(Host(*answers), 1, [A, B], {}, VARS)
    assert told(run) == expected
    assert result["unreachable" if verdict == "unreachable" else "failed"] is True
    assert f" {verdict}: {reason} (" in result["msg"]


def test_a_wrong_become_password_is_not_sent_again(run: Run):
    """Not in a later stage either: each time counts against the account. Without it the host is asked as ever."""
    run_stage(Host(AnsibleError("Incorrect sudo password")), 1, [A], {}, VARS)
    run.catch_up()
    host = Host(("ended", [step("b", "r1")]))
    host._connection.become = "sudo"
    result = run_stage(host, 2, [B], {}, VARS)
    reason = "a has shown that the become password is wrong: not tried again on r1"
    assert (told(run)[1], host.asked, result["failed"]) == (("b", "blocked", reason), [], True)
    host._connection.become = None
    assert "failed" not in run_stage(host, 2, [B], {}, VARS)
    assert len(host.asked) == 1


def test_a_wrong_argument_is_the_reason_too(run: Run):
    host = Host(("ended", [step("a", "r1", "error"), step("b", "r1", n=2)]))
    run_stage(host, 1, [{**A, "args": {"src": "absent.csv"}}, B], {}, VARS)
    reason = "src: expected a file inside the project, or an absolute path of the host, got 'absent.csv'"
    assert [each.get("invalid") for each in host.asked[0]["steps"]] == [reason, None]


def test_what_the_run_and_ansible_say_goes_to_the_host(run: Run):
    locks = {"disk": {"of": "host"}, "pdu": {"of": "rack"}}
    recipe = {"time_box": 60, "fail_fast": True, "locks": locks, "hooks": {"pre_step": [{"module": "raw"}]}}
    run.inputs = RunInputs(recipe=recipe, params={"password": "s3cret"}, secrets=("s3cret",), canary=("r2",))
    run.settings = replace(run.settings, debug=True)
    append(run.path, [step("a", "r2", "failed", blocks=True)])
    run.catch_up()
    hooks = {"pre_step": [{"module": "s", "type": "shell"}]}  # as Ansible has filled them in for the host
    host = Host(("ended", [step("b", "r1")]))
    run_stage(host, 1, [B], {}, {**VARS, RECIPE_VARIABLE: {"hooks": hooks}})
    [asked] = host.asked
    assert (asked["params"], asked["secrets"]) == ({"password": "s3cret"}, ["s3cret"])
    assert 59 < asked["time_left"] <= asked["time_box"] == 60
    assert asked["halted"] == "fail_fast: a did not pass on r2"
    assert (asked["check"], asked["debug"], asked["offers"]) == (False, True, {})
    assert (asked["locks"], [hook["name"] for hook in asked["hooks"]["pre_step"]]) == (
        {"disk": {"capacity": 1, "settle_sec": 0}},
        ["s"],
    )


def test_in_check_mode_no_hook_runs(run: Run):
    run.inputs = RunInputs(recipe={"hooks": {"pre_step": [{"module": "gone"}]}})
    host = Host(("ended", [step("b", "r1", "skipped")]))
    host._task.check_mode = True
    run_stage(host, 1, [B], {}, VARS)
    assert (host.asked[0]["check"], host.asked[0]["hooks"]) == (True, {"pre_step": [], "post_step": []})


def test_of_other_hosts_a_host_gets_the_keys_that_it_reads_there(run: Run):
    run.steps = {**run.steps, "b": replace(run.steps["b"], elsewhere=frozenset({"fan.rpm_v1"}))}
    append(run.path, [delta("fan.rpm_v1", 7), delta("fan.rpm_v1", 9, "r2"), delta("other_v1", 1, "r2", 2)])
    run.catch_up()
    host = Host(("ended", [step("b", "r1")]))
    run_stage(host, 1, [B], {}, VARS)
    assert host.asked[0]["context"]["hosts"] == {"r1": {"fan.rpm_v1": [1, 7]}, "r2": {"fan.rpm_v1": [1, 9]}}


def test_a_step_that_may_fail_blocks_nothing_where_its_host_is_gone(run: Run):
    run_stage(Host(AnsibleConnectionFailure("Permission denied")), 1, [{**A, "continue_on_fail": True}, B], {}, VARS)
    run.catch_up()
    assert {name: end.blocks for (name, _host), end in run.results.ended.items()} == {"a": False, "b": True}


def test_a_secret_is_not_in_the_reason(run: Run):
    run.inputs = RunInputs(mask=Mask(["s3cret"]))
    host = Host(("ended", [step("a", "r1", "error")]))
    run_stage(host, 1, [{**A, "args": {"src": "s3cret.csv"}}], {}, VARS)
    assert host.asked[0]["steps"][0]["invalid"].endswith("got '********.csv'")


def test_what_an_earlier_run_left_on_the_host_is_collected_and_offered(run: Run):
    path = run.folder.parent / "R0/journal.jsonl"
    append(path, [{**first(*run.steps.values(), run_id="R0"), "recipe": {}}])
    run.reusable.earlier = EarlierRun(path)
    run.reusable.earlier.catch_up()
    late = [delta("a.key_v1", 7), step("a", "r1", n=2, inputs="sha256:0")]
    host = Host(("running", late), ("ended", []), ("ended", [step("a", "r1"), step("b", "r1", n=2)]))
    run_stage(host, 1, [A, B], {}, VARS)
    assert [asked["id"].split("-")[:2] for asked in host.asked] == [["R0", "1"], ["R0", "1"], ["R1", "1"]]
    assert [*JournalReader(path).records()][1:] == late
    assert host.asked[2]["offers"] == {
        "a": [{"run": "R0", "inputs": "sha256:0", "verdict": "passed", "kind": "resume", "records": late}]
    }


def pieces(*datas: bytes) -> list[dict[str, Any]]:
    head = {"kind": "piece", "offset": 0}
    return [
        {**head, "sha256": artifact(data)["sha256"], "data": b2a_base64(data, newline=False).decode()} for data in datas
    ]


def transfers(run: Run) -> list[tuple[str | None, str]]:
    records = [*JournalReader(run.path).records()]
    return [(each["path"], each["note"]) for each in records if each["kind"] == "transfer"]


def test_what_steps_attach_is_brought_after_their_results(run: Run):
    attached = [artifact(b"one"), artifact(b"two", n=2, name="b.log"), step("a", "r1", n=3), step("b", "r1", n=4)]
    host = Host(("running", attached[:1]), ("ended", attached[1:]), ("ended", pieces(b"one", b"two")))
    result = run_stage(host, 1, [A, B], {}, VARS)
    assert "warnings" not in result
    digests = [record["sha256"] for record in attached[:2]]
    wanted = [[digest, 0] for digest in digests]
    assert (host.asked[2]["id"], host.asked[2]["artifacts"]) == (host.asked[0]["id"], wanted)
    assert transfers(run) == [(f"artifacts/{digest}", "") for digest in digests]
    assert (run.folder / "artifacts" / digests[1]).read_bytes() == b"two"


def test_an_artifact_that_does_not_come_is_a_warning_and_changes_no_verdict(run: Run):
    run.inputs = RunInputs(mask=Mask(["s3cret"]))
    attached = [artifact(b"one"), step("a", "r1", n=2), step("b", "r1", n=3)]
    host = Host(("ended", attached), *[AnsibleConnectionFailure("reset by s3cret")] * 99)
    result = run_stage(host, 1, [A, B], {}, VARS)
    reason = "lost, and not back within 0.1 s: reset by"
    assert result["warnings"] == [f"artifact a.log of step a on r1 is missing: {reason} ********"]
    assert [verdict for _step, verdict, _reason in told(run)] == ["passed", "passed"]
    assert transfers(run) == [(None, f"{reason} ********")]


def test_a_host_that_was_lost_is_not_waited_for_again(run: Run, monkeypatch: pytest.MonkeyPatch):
    host = Host(("running", [artifact(b"one")]), *[AnsibleConnectionFailure("reset")] * 99)
    result = run_stage(host, 1, [A, B], {}, VARS)
    asked = len(host.asked)
    assert result["unreachable"]
    assert len(result["warnings"]) == 1
    assert all("artifacts" not in each for each in host.asked[:asked])


def test_what_an_earlier_run_left_undone_of_a_file_is_brought_too(run: Run):
    path = run.folder.parent / "R0/journal.jsonl"
    done = step("a", "r1", n=2, inputs="sha256:0"), step("b", "r1", n=3, inputs="sha256:0")
    append(path, [{**first(*run.steps.values(), run_id="R0"), "recipe": {}}, artifact(b"one"), *done])
    run.reusable.earlier = EarlierRun(path)
    run.reusable.earlier.catch_up()
    host = Host(("ended", pieces(b"one")), ("ended", [step("a", "r1"), step("b", "r1", n=2)]))
    run_stage(host, 1, [A, B], {}, VARS)
    assert [asked["id"].split("-")[:2] for asked in host.asked] == [["R0", "1"], ["R1", "1"]]
    assert (path.parent / "artifacts" / artifact(b"one")["sha256"]).read_bytes() == b"one"
    run.reusable.earlier.catch_up()
    assert run.reusable.earlier.missing_artifacts(["a", "b"], "r1") == {}


def test_a_lock_that_hosts_share_is_held_while_the_host_is_asked(run: Run):
    locks = {"pdu": {"of": "pdu"}}
    host = Host(("ended", [step("a", "r1")]))
    [resource] = resources(locks, [{"locks": ["pdu"]}], "r1", lambda _name: "p1")
    [slot] = resource.slots(run.folder / "locks")
    seen: list[bool] = []
    ask = host._low_level_execute_command

    def look(command: str, in_data: bytes) -> dict[str, Any]:
        with slot.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        seen.append(True)
        return ask(command, in_data)

    host._low_level_execute_command = look  # type: ignore[method-assign]
    run_stage(host, 1, [{**A, "locks": ["pdu"]}], locks, {**VARS, "pdu": "p1"})
    assert seen == [True]
    with slot.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


DELEGATED = {**VARS, "groups": {"jump": ["j1"]}, "hostvars": {"j1": {}, "r1": {}}, "ansible_delegated_vars": {}}


DELEGATED_PYTHON = {**DELEGATED, "ansible_delegated_vars": {"j1": {"ansible_python_interpreter": "python3"}}}


def through(delegate: str, *answers: Any) -> Host:
    host = Host(*answers)
    host._task.delegate_to = delegate
    return host


def test_what_ran_through_another_host_says_so(run: Run):
    host = through(
        "j1", ("running", [step("a", "r1", "failed", reason="bad")]), ("killed", [step("b", "r1", "skipped", n=2)])
    )
    result = run_stage(host, 1, [A, B], {}, DELEGATED)
    assert result["msg"].startswith("a failed: bad (through j1)")
    assert "ansible_facts" not in result  # they are not of this host
    run.catch_up()
    assert {place: (end.reason, end.through) for place, end in run.results.ended.items()} == {
        ("a", "r1"): ("bad (through j1)", "j1"),
        ("b", "r1"): ("", ""),
    }


def test_a_delegate_that_is_down_is_named(run: Run):
    host = through("j1", AnsibleConnectionFailure("connect to host j1 port 22: Connection refused"))
    assert run_stage(host, 1, [A], {}, DELEGATED_PYTHON)["unreachable"]
    [(_name, verdict, reason)] = told(run)
    assert verdict == "unreachable"
    assert reason.startswith("connect to host j1 port 22: Connection refused; ")
    assert reason.endswith(" (through j1)")


def test_a_template_that_came_out_as_a_group(run: Run):
    run_stage(through("jump"), 1, [A], {}, DELEGATED)
    [(_name, verdict, reason)] = told(run)
    assert (verdict, reason) == ("error", f"{group_problem('jump')} (through jump)")


def test_a_template_that_came_out_otherwise_than_the_policy_was_told(run: Run):
    """A step may have changed the context, or a file, that it looks at."""
    run.judged = {(1, "r1"): "j2"}
    run_stage(through("j1"), 1, [A], {}, DELEGATED)
    assert told(run) == [("a", "error", "delegate_to: the policy was asked about j2, and this is j1 (through j1)")]
    run.judged = {(1, "r1"): "j1"}
    run_stage(through("j1", ("ended", [step("a", "r1")])), 1, [A], {}, DELEGATED)
    assert told(run)[1:] == [("a", "passed", "")]


def test_a_lock_of_each_delegate(run: Run):
    for delegate, value in (("j1", "j1"), ("", "r1")):
        locks = {"bus": {"of": "delegate"}}
        [resource] = resources(locks, [{"locks": ["bus"]}], "r1", {"delegate": value}.get)
        host = through(delegate, ("ended", [step("a", "r1")]))
        run_stage(host, 1, [{**A, "locks": ["bus"]}], locks, DELEGATED)
        [slot] = resource.slots(run.folder / "locks")
        assert slot.exists()


def test_a_result_that_came_through_another_host_is_not_offered(run: Run):
    offer = {"run": "R0", "inputs": "sha256:0", "verdict": "passed", "kind": "cache"}
    made = {name: {**offer, "records": [step("a", "r1", **more)]} for name, more in OF_DELEGATES.items()}
    run.reusable.cached = {("a", "r1"): list(made.values())}
    for delegate, name in (("j1", "j1"), ("", "own")):
        host = through(delegate, ("ended", [step("a", "r1")]))
        run_stage(host, 1, [A], {}, DELEGATED)
        assert host.asked[0]["offers"] == {"a": [made[name]]}


OF_DELEGATES: dict[str, dict[str, str]] = {"j1": {"through": "j1"}, "j2": {"through": "j2"}, "own": {}}


def test_a_host_without_the_variable_of_a_lock(run: Run):
    run_stage(Host(), 1, [{**A, "locks": ["pdu"]}], {"pdu": {"of": "rack"}}, VARS)
    assert told(run) == [("a", "error", "lock pdu: r1 has no variable 'rack', of which it is one each")]


def test_a_worker_whose_parent_is_gone_waits_for_no_lock(run: Run, monkeypatch: pytest.MonkeyPatch):
    [resource] = resources({"pdu": {}}, [{"locks": ["pdu"]}], "r1", lambda _name: None)
    [slot] = resource.slots(run.folder / "locks")
    slot.parent.mkdir()
    parents = iter([1, 1, 2])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    with slot.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run_stage(Host(), 1, [{**A, "locks": ["pdu"]}], {"pdu": {}}, VARS)
    assert told(run) == [("a", "unreachable", "the controlling process is gone")]


def test_results_that_cannot_be_written_down_stay_on_the_host(run: Run):
    run.path.unlink()
    run.path.mkdir()
    result = run_stage(Host(("ended", [step("a", "r1"), step("b", "r1", n=2)])), 1, [A, B], {}, VARS)
    assert (result["failed"], result[UNRECORDED], result["msg"]) == (True, True, f"{run.path}: Is a directory")
    run.unwritable = result["msg"]
    host = Host()
    assert run_stage(host, 2, [A], {}, VARS)["msg"] == result["msg"]
    assert host.asked == []


class Interrupted(Host):
    """A host that is asked when the worker is told to end."""

    def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, Any]:
        if not self.asked:
            self.answers.insert(0, ("running", []))
            super()._low_level_execute_command(command, in_data)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return super()._low_level_execute_command(command, in_data)


def test_a_worker_that_is_told_to_end_has_its_host_end_the_steps(run: Run):
    host = Interrupted(("running", [step("a", "r1")]), ("ended", []))
    result = run_stage(host, 1, [A, B], {}, VARS)
    assert told(run) == [("a", "passed", ""), ("b", "error", "the run was interrupted")]
    assert result["msg"].startswith("b error: the run was interrupted")
    said = [tuple(asked[name] for name in ("id", "offset", "attach", "end")) for asked in host.asked[1:]]
    assert said == [(host.asked[0]["id"], offset, 5.0, "the run was interrupted") for offset in (0, 1)]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_host_that_cannot_be_told_is_left_to_its_lease(run: Run):
    run_stage(Interrupted(AnsibleConnectionFailure("reset")), 1, [A], {}, VARS)
    reason = "the run was interrupted, and its steps on this host end when their lease is up: reset"
    assert told(run) == [("a", "error", reason)]


def test_a_host_that_does_not_answer_is_left_to_its_lease(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_executor, "END_LIMIT", 0.1)
    host = Interrupted()
    ask = host._low_level_execute_command

    def hang(command: str, in_data: bytes) -> dict[str, Any]:
        if host.asked:
            time.sleep(60)
        return ask(command, in_data)

    host._low_level_execute_command = hang  # type: ignore[method-assign]
    run_stage(host, 1, [A], {}, VARS)
    assert told(run)[0][2].partition("; see ")[0].endswith("end when their lease is up: no answer from r1 within 0.1 s")


def test_a_worker_that_is_told_to_end_waits_for_no_lock(run: Run, monkeypatch: pytest.MonkeyPatch):
    [resource] = resources({"pdu": {}}, [{"locks": ["pdu"]}], "r1", lambda _name: None)
    [slot] = resource.slots(run.folder / "locks")
    slot.parent.mkdir()
    monkeypatch.setattr(remote_executor.time, "sleep", lambda _seconds: os.kill(os.getpid(), signal.SIGTERM))
    host = Host()
    with slot.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run_stage(host, 1, [{**A, "locks": ["pdu"]}], {"pdu": {}}, VARS)
    assert (told(run), host.asked) == ([("a", "error", "the run was interrupted")], [])


def test_a_stage_that_was_not_planned_has_the_last_word(run: Run):
    """Also where it has the name of a step that was, which passed: a policy has seen that one, and not this."""
    append(run.path, [step("a", "r1")])
    host = Host()
    host._task._uuid = "included"
    result = run_stage(host, 1, [A, {**A, "name": "evil"}], {}, VARS)
    assert host.asked == []
    assert result["failed"]
    assert result["msg"].startswith("a error: its stage was not planned when the run began: what is included while a ")
    assert told(run)[1:] == [(name, "error", UNPLANNED) for name in ("a", "evil")]
    assert {end.verdict for end in run.results.ended.values()} == {"error"}


def test_a_long_secret_is_not_in_the_reason_of_a_host_that_does_not_answer(run: Run):
    secret = "s3cret" * 200
    run.inputs = RunInputs(mask=Mask([secret]))
    silent = {"rc": 3, "stdout": f'{{"key": "{secret}"}}', "stderr": ""}
    run_stage(Host(silent), 1, [A], {}, VARS)
    assert told(run) == [("a", "error", 'the executor did not answer (exit code 3): {"key": "********"}')]


def test_a_very_long_reason_is_cut(run: Run):
    run_stage(Host(AnsibleError("x" * 10_000)), 1, [A], {}, VARS)
    assert [len(reason) for _step, _verdict, reason in told(run)] == [LONGEST_REASON]


def test_what_no_step_sends_is_set_aside_and_its_step_is_an_error(run: Run):
    """Also where the step's own result has come before."""
    forged = step("a", "r1", n=3, seconds=float("1e300"))
    host = Host(("running", [step("a", "r1")]), ("ended", [forged, step("b", "r1", n=4)]))
    result = run_stage(host, 1, [A, B], {}, VARS)
    reason = "the host sent what no step sends: a step record whose seconds is 1e+300, expected a number of seconds"
    assert told(run) == [("a", "passed", ""), ("b", "passed", ""), ("a", "error", reason)]
    assert (result["failed"], run.results.ended["a", "r1"].verdict) == (True, "error")
    assert run.results.ended["b", "r1"].verdict == "passed"


def test_what_is_about_no_step_makes_all_of_them_errors(run: Run):
    forged = {"kind": "end", "time": "2026-11-25T12:00:00.000000Z", "status": "passed"}
    host = Host(("ended", [delta("a.key_v1", 1, host="r2"), step("a", "r1"), step("b", "r1", n=2), forged]))
    run_stage(host, 1, [A, B], {}, VARS)
    reason = "the host sent what no step sends: a delta record in the name of 'r2'"
    assert sorted(told(run)) == [("a", "error", reason), ("b", "error", reason)]
    assert run.context.keys() == []


@pytest.mark.parametrize("entry", [{}, {"secret": 7}, {"secret": "x" * 20_000}, {"key": "a.key_v1", "value": 1}, []])
def test_a_secret_that_is_none_is_set_aside(run: Run, monkeypatch: pytest.MonkeyPatch, entry: Any):
    monkeypatch.setattr(remote_executor, "decrypt_entries", lambda _key, _text: [entry])
    host = Host(("ended", [step("a", "r1")]))
    host.clock = {"concealed": "sealed"}  # type: ignore[dict-item]
    run_stage(host, 1, [A], {}, VARS)
    [(name, verdict, reason)] = told(run)
    assert (name, verdict) == ("a", "error")
    assert reason.startswith("the host sent what no step sends: as a secret what is not a text of at most 16384")


@pytest.mark.parametrize(
    ("verdicts", "kind", "msg"),
    [
        (["passed", "cached"], None, "1 cached, 1 passed in 1.000 s"),
        (["passed", "skipped:when"], None, "1 skipped, 1 passed in 1.000 s"),
        (["skipped:when", "blocked:x"], "failed", "s2 blocked: x (1 blocked, 1 skipped)"),
        (["passed", "failed:hot", "blocked:b"], "failed", "s2 failed: hot (1 failed, 1 blocked, 1 passed)"),
        (["blocked:x", "blocked:y"], "failed", "s1 blocked: x (2 blocked)"),
        (["blocked:x", "error"], "failed", "s2 error: no reason given (1 error, 1 blocked)"),
        (["unreachable:gone", "unreachable:gone"], "unreachable", "s1 unreachable: gone (2 unreachable)"),
        (["passed", "unreachable:gone"], "unreachable", "s2 unreachable: gone (1 unreachable, 1 passed)"),
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


def test_of_a_looped_step_the_instances_are_shown():
    instances = [step("a[x]", "r1", parent="a"), step("a[y]", "r1", "failed", 2, "hot", parent="a")]
    found = summary([*instances, step("a", "r1", "failed", 3, "a[y] failed", instances=2)])
    assert found["msg"] == "a[y] failed: hot (1 failed, 1 passed)"
    assert [line.split()[3] for line in found["steps"]] == ["a[x]", "a[y]"]


def test_a_task_for_many_hosts_names_each():
    records = [step("a", "r1"), step("a", "r2", "failed", reason="hot"), *(step("a", f"p{n}") for n in range(21))]
    found = task_summary(records, ["r1", "r2", *(f"p{n}" for n in range(21))])
    assert (found["msg"], found["failed"]) == ("r2: a failed: hot (1 failed)", True)
    assert found["others"] == [
        "r2: a failed: hot (1 failed)",
        f"passed  {', '.join(f'p{n}' for n in range(20))}",
        "passed  p20",
    ]


def test_a_task_for_one_host_is_as_ever():
    records = [step("a", "r1", "failed", reason="hot")]
    assert task_summary(records, ["r1"]) == summary(records)
