# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, one measured command, the order and the verdict of runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import (
    BenchError,
    Job,
    Target,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import (
    alternating_rounds,
    target_host_cpu,
)


def test_listener_and_its_children_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = Target("here", "127.0.0.1", server.getsockname()[1])
        assert target_host_cpu.listeners([here]) == {os.getpid()}
    with pytest.raises(BenchError, match="no SSH server"):
        target_host_cpu.listeners([here])


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
