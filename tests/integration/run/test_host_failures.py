# SPDX-License-Identifier: GPL-3.0-or-later

"""A failure on one host is reported for that host, with its reason, and does not affect the others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from call_rack_recipes import COMMAND, LOCAL, environment, results, run_recipe, shell, write_recipe

STEPS = [
    shell("ok"),
    shell("fail"),
    shell("needs_fail", "ok", depends_on=["fail"]),
    shell("hang", timeout=1),
    shell("silent"),
    shell("flood"),
    shell("binary"),
    shell("daemon"),
    shell("flaky", retry={"max": 3, "delay_sec": 0.1}),
    shell("no_key", "ok", success={"ctx_has_keys": ["t.absent_v1"]}),
]
EXPECTED = {
    "ok": ("passed", ""),
    "fail": ("failed", "the link is down"),
    "needs_fail": ("blocked", "fail did not pass (failed)"),
    "hang": ("error", "timed out after 1 s"),
    "silent": ("error", "printed no envelope as its last line, but 12 bytes that end with: all is well"),
    "flood": ("passed", ""),
    "binary": ("passed", ""),
    "daemon": ("passed", ""),
    "flaky": ("marginal", "passed only at try 3, before it failed: not yet (2 times)"),
    "no_key": ("failed", "the context has no key t.absent_v1"),
}


def processes(rack: Any, words: str) -> list[int]:
    """The processes with this command line on hosts of this rack: another test run may have some of its own."""
    return [pid for pid in rack.processes() if _command_line(pid) == words]


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def test_each_fault_has_its_verdict_and_reason(steps: Path, rack: Any):
    hosts = rack.hosts[:5]  # each version of Python
    done = run_recipe(STEPS, on=rack, hosts=hosts)
    assert done.code == 1
    assert done.answer["status"] == "failed"
    found = done.results
    wanted = {(step, host): EXPECTED[step] for step in EXPECTED for host in hosts}
    assert {place: (row["verdict"], row["reason"]) for place, row in found.steps.items()} == wanted
    assert found.run["counts"] == done.answer["counts"]
    for host in hosts:
        assert found.steps["fail", host]["stderr"] == "looked at the link\n"
        assert "bytes left out" in found.steps["flood", host]["stdout"]
        assert len(found.steps["flood", host]["stdout"]) < 50_000
        assert found.steps["binary", host]["stdout"].startswith("\\xff\\xfe")
        tries = [attempt["verdict"] for attempt in found.steps["flaky", host]["attempts"]]
        assert tries == ["failed", "failed", "passed"]
        assert found.steps["hang", host]["seconds"] < 3.5
        assert found.steps["daemon", host]["seconds"] < 3
    assert processes(rack, "sleep 4321") == []
    process_each = run_recipe(STEPS, on=rack, hosts=hosts, RACK_RECIPES_ONE_PROCESS_FROM=0)
    assert {place: (row["verdict"], row["reason"]) for place, row in process_each.results.steps.items()} == wanted
    assert (process_each.code, process_each.results.context) == (done.code, found.context)
    assert recap(process_each.answer["folder"]) == recap(done.answer["folder"])


def test_what_is_wrong_with_the_first_host_is_wrong_with_no_other(steps: Path):
    wrong = ({"ansible_host": "{{ nope }}"}, {"ansible_connection": "nonsense"}, {"ansible_become_user": "{{ nope }}"})
    hosts = {f"a{number}": {**LOCAL, **own} for number, own in enumerate((*wrong, {}))}
    Path("inventory.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    done = run_recipe([shell("ok")], on="inventory.yml")
    found = {host: row["verdict"] for (_step, host), row in done.results.steps.items()}
    assert found == {"a0": "error", "a1": "error", "a2": "error", "a3": "passed"}
    assert "'nope' is undefined" in done.results.steps["ok", "a0"]["reason"]


def test_a_step_without_a_timeout_ends_by_that_of_the_settings(steps: Path, rack: Any):
    """The scriptlet that hangs, and a module of Ansible's; what has a longer timeout of its own goes on."""
    Path("ansible.cfg").write_text(f"{Path('ansible.cfg').read_text()}\n[rack_recipes]\nstep_timeout = 3\n")
    module = {"type": "ansible", "module": "ansible.builtin.command", "args": {"argv": ["sleep", "4321"]}}
    patient = shell("patient", "wait", args={"seconds": 6}, timeout=120)
    found = run_recipe([shell("hang"), patient, {"name": "module", **module}], on=rack, hosts=["r01", "r02"])
    told = {place: (row["verdict"], row["reason"]) for place, row in found.results.steps.items()}
    for host in ("r01", "r02"):
        assert told["hang", host] == ("error", "timed out after 3 s")
        assert told["patient", host] == ("passed", "")
        assert told["module", host] == ("error", "timed out after 3 s")
    assert processes(rack, "sleep 4321") == []


def recap(folder: str) -> list[str]:
    """The lines of Ansible's recap."""
    return (Path(folder) / "ansible.log").read_text().partition("PLAY RECAP")[2].splitlines()[1:]


def start(recipe: str, rack: Any, **env: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COMMAND, "run", recipe, "-i", str(rack.inventory), "--limit", "r01,r02,r03"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(**env))


def wait_for(rack: Any, words: str, number: int) -> None:
    """Wait for these processes, and until the controller has heard from each host, however busy its sshd is."""
    deadline = time.monotonic() + 180
    while len(processes(rack, words)) < number:
        assert time.monotonic() < deadline, f"{words!r} did not start {number} times"
        time.sleep(0.05)
    time.sleep(1)


LONG = [shell("first", "ok"), shell("slow", "wait", args={"seconds": 7}), shell("last", "ok", depends_on=["slow"])]
OTHERS = {(step, host): "passed" for step in ("first", "slow", "last") for host in ("r01", "r03")}


def test_a_host_that_dies_in_the_middle_is_unreachable_and_the_others_go_on(steps: Path, rack: Any):
    running = start(write_recipe(LONG), rack, RACK_RECIPES_RECONNECT_TIMEOUT=3)
    wait_for(rack, "sleep 7", 3)
    rack.kill("r02")
    try:
        assert running.wait(180) == 3
    finally:
        rack.revive("r02")
    found = results()
    assert found.run["status"] == "unreachable"
    assert {place: verdict for place, verdict in found.verdicts().items() if place[1] != "r02"} == OTHERS
    for step in ("slow", "last"):
        lost = found.steps[step, "r02"]
        assert lost["verdict"] == "unreachable"
        assert lost["reason"].startswith("lost, and not back within 3 s: ")


def test_a_connection_that_is_cut_costs_nothing(steps: Path, rack: Any):
    """Only the connection is cut, as by a link that goes down: the stage goes on and is collected."""
    running = start(write_recipe(LONG), rack, RACK_RECIPES_RECONNECT_TIMEOUT=30)
    wait_for(rack, "sleep 7", 3)
    cut = [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and is_connection(pid, rack.members["r02"])]
    assert cut
    for pid in cut:
        subprocess.run(["kill", "-9", pid.name], check=False)
    assert running.wait(180) == 0
    assert results().verdicts() == OTHERS | {(step, "r02"): "passed" for step in ("first", "slow", "last")}


def is_connection(pid: Path, member: Any) -> bool:
    """Whether a process is the ssh client of a host's connection."""
    try:
        words = (pid / "cmdline").read_bytes()
    except OSError:
        return False
    return words.startswith((b"ssh\0", b"ssh: ")) and str(member.address).encode() in words


def test_a_host_that_is_away_from_the_start(steps: Path, rack: Any):
    rack.kill("r02")
    try:
        done = run_recipe([shell("ok")], on=rack, hosts="r01,r02")
    finally:
        rack.revive("r02")
    assert (done.code, done.answer["status"]) == (3, "unreachable")
    found = results()
    assert found.verdicts() == {("ok", "r01"): "passed", ("ok", "r02"): "unreachable"}
    assert "Connection refused" in found.steps["ok", "r02"]["reason"]
