# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, one measured command, the order and the verdict of runs."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import (
    BenchError,
    Command,
    Contestant,
    Job,
    Run,
    Size,
    Target,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import (
    alternating_rounds,
    machine_facts,
    target_host_cpu,
)
from ansible_collections.rack.recipes.tests.bench.fleet.page import medians_and_ratios
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import BLANK, TARGETS


def test_target_reads_ansible_variables() -> None:
    variables = {
        "ansible_host": "127.0.1.1",
        "ansible_port": 2201,
        "ansible_user": "me",
        "ansible_ssh_private_key_file": "/keys/id",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o LogLevel=ERROR",
    }
    assert target_host_cpu.target("r01", variables) == TARGETS[0]
    assert target_host_cpu.target("r03", {}) == Target("r03", "r03")


def test_listener_and_its_children_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = Target("here", "127.0.0.1", server.getsockname()[1])
        assert target_host_cpu.listeners([here]) == {os.getpid()}
    with pytest.raises(BenchError, match="no SSH server"):
        target_host_cpu.listeners([here])


def test_target_cpu_grows_with_ended_children() -> None:
    before = target_host_cpu.target_cpu([os.getpid()])
    subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)
    assert target_host_cpu.target_cpu([os.getpid()]) > before


def test_idle_is_waited_for() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        with pytest.raises(BenchError, match=rf"did not end within 0 s: {child.pid} \S+ sleep 60"):
            target_host_cpu.wait_until_idle([os.getpid()], timeout=0.05)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(BenchError, match=f"did not end within 0 s: {child.pid} zombie sleep"):
            target_host_cpu.wait_until_idle([os.getpid()], timeout=0.05)


def measure(tmp_path: Path, *command: str, timeout: str = "30", more: tuple[str, ...] = ()) -> dict[str, Any]:
    files = ["--stdout", str(tmp_path / "out"), "--stderr", str(tmp_path / "err")]
    argv = [sys.executable, str(alternating_rounds.MEASURED), *files, "--timeout", timeout, *more, "--", *command]
    found: dict[str, Any] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return found


def test_measured_command(tmp_path: Path) -> None:
    found = measure(tmp_path, "sh", "-c", "echo out; echo err >&2; sleep 0.2; exit 3")
    assert found["exit_code"] == 3
    assert 0.2 <= found["wall"] < 60
    assert (found["timed_out"], found["left"]) == (False, [])
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("out\n", "err\n")


def test_cpu_of_orphans_counts(tmp_path: Path) -> None:
    burn = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    found = measure(tmp_path, "sh", "-c", f"({burn} &) ; exit 0")
    assert found["cpu"] >= 0.3


def test_memory_of_all_processes_counts_while_they_run(tmp_path: Path) -> None:
    """Each of two processes at once fills 40 MiB of its own."""
    fill = f"{sys.executable} -c 'import time\nheld = bytearray(b\"x\") * 41943040\ntime.sleep(4)'"
    found = measure(tmp_path, "sh", "-c", f"({fill}) & ({fill}); wait", more=("--memory",))
    assert 80 * 1024 < found["memory_kib"] < 160 * 1024
    assert measure(tmp_path, "true")["memory_kib"] is None
    assert measure(tmp_path, "sleep", "60", timeout="1.5", more=("--memory",))["timed_out"]


def test_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    found = measure(tmp_path, "sh", "-c", "(sleep 600 &) ; sleep 600", timeout="0.2")
    assert found["timed_out"]
    assert time.monotonic() - started < 60


def test_machine_is_described() -> None:
    found = machine_facts.facts([{"ansible_python_interpreter": sys.executable}, {}])
    assert found["Python on the hosts"] == platform.python_version()
    assert machine_facts.answer("/nowhere/to/be/found") == ""
    assert sorted(["3.10.1", "3.9.18"], key=machine_facts.numbers) == ["3.9.18", "3.10.1"]


def test_turns_warm_up_on_all_hosts_and_begin_with_another_each_round() -> None:
    pair = (NAMED["ours"], NAMED["plain"])
    found = list(alternating_rounds.turns(pair, [Size(1, 20), Size(8, 100)], 2))
    assert found[:2] == [(0, Size(8, 1), "ours"), (0, Size(8, 1), "plain")]
    assert [name for number, size, name in found[2:] if size == Size(1, 20)] == ["ours", "plain", "plain", "ours"]
    assert [number for number, size, _other in found[2:] if size == Size(8, 100)] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("figure", "error"),
    [
        ({}, "r01 shows 0 steps, 0 of 3 right"),
        ({"timed_out": True}, "took too long"),
        ({"exit_code": 4}, "exit code 4: away"),
        ({"left": ["python"]}, "left running: python"),
    ],
)
def test_a_run_that_did_not_do_the_work_is_wrong(job: Job, figure: dict[str, Any], error: str) -> None:
    held = {"timed_out": False, "exit_code": 0, "left": [], **figure}
    assert alternating_rounds.wrong(NAMED["plain"], job, held, "", "away\n") == error


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "TASK [Step 7] ***\nfatal: [r02]: FAILED! => {}\nPLAY RECAP ***\n" + "r01 : ok=20\n" * 60,
            "fatal: [r02]: FAILED",
        ),
        ("one\n[ERROR]: Task failed: no shell\nfatal: [r02]\n", "[ERROR]: Task failed: no shell\nfatal: [r02]\n"),
        ("x" * 700 + "the end", "x" * 593 + "the end"),
    ],
)
def test_the_reason_of_a_failed_command_is_kept(output: str, said: str) -> None:
    assert alternating_rounds.reason("", output).startswith(said)
    assert alternating_rounds.reason(output, "").startswith(said)


def test_a_warning_does_not_stand_before_the_reason() -> None:
    assert alternating_rounds.reason("[WARNING]: python3.11 was found", "ok: [r01]\nfatal: [r02]") == "fatal: [r02]"


def test_a_contestant_whose_time_is_spent_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(course: alternating_rounds.Course, contestant: Contestant, job: Job, command: Command, number: int) -> Run:
        return dataclasses.replace(BLANK, contestant=contestant.name, round=number)

    monkeypatch.setattr(alternating_rounds, "one", run)
    hosts: dict[str, dict[str, Any]] = {f"r{number}": {} for number in range(8)}
    course = alternating_rounds.Course(hosts, tmp_path, {"noop": Path("/venv/bin")}, 1.0, spend=3.0)
    found = list(alternating_rounds.play(course, [NAMED["noop"]], [medians_and_ratios.SMALL], 5, lambda _other: None))
    assert [run.round for run in found] == [0, 1, 2, 3]
