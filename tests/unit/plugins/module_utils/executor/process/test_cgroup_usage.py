# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import process_control
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK

BUSY = "n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); done"
# One that leaves its parent, and that nobody waits for.
DAEMON = f"(setsid sh -c '{BUSY}; touch done' &); while [ ! -e done ]; do sleep 0.02; done; {OK}"


@pytest.fixture
def real():
    """A group of this host; none where this user may not make one."""
    made = process_control.create_cgroup(f"rack-recipes-test-{os.getpid()}")
    if made is None:
        pytest.skip("no control groups for this user")
    made.end()
    return made


def attempt_of(ran):
    [record] = [record for record in ran.records if record["kind"] == "step"]
    return record["attempts"][0]


def test_a_daemon_counts_where_nobody_waits_for_it(work, real):
    attempt = attempt_of(work.run(work.script(DAEMON, limits={"open_files": 100})))
    assert attempt["verdict"] == "passed"
    assert attempt["group"]["user_sec"] > 0.05
    assert attempt["group"]["user_sec"] > attempt["user_sec"] + 0.04
    mine = f"rack-recipes-{os.getpid()}-"  # others may be at work on this machine
    assert not [name for name in os.listdir(os.path.dirname(real.folder)) if name.startswith(mine)]


def test_whoever_is_left_goes_on_outside(work, real):
    server = f"(setsid sh -c 'echo $$ > pid; exec sleep 600' &); while [ ! -s pid ]; do sleep 0.02; done; {OK}"
    attempt = attempt_of(work.run(work.script(server, limits={"open_files": 100})))
    assert attempt["verdict"] == "passed"
    pid = int((work.folder / "pid").read_text())
    os.kill(pid, 9)
    assert not os.path.exists(real.folder)


def test_one_that_cannot_be_joined_counts_nothing(work, monkeypatch, real):
    def refused(_folder, _pid):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(process_control, "_write", refused)
    attempt = attempt_of(work.run(work.script(OK, limits={"open_files": 100})))
    assert attempt["verdict"] == "passed"
    assert "group" not in attempt


def test_without_limits_there_is_none(work):
    assert "group" not in attempt_of(work.run(work.script(OK)))


def test_a_host_that_has_none(work, monkeypatch):
    monkeypatch.setattr(process_control, "ROOTS", ("/nowhere",))
    assert process_control.create_cgroup("x") is None
    assert "group" not in attempt_of(work.run(work.script(OK, limits={"open_files": 100})))


def test_one_that_may_hold_no_others(monkeypatch, tmp_path):
    (tmp_path / process_control.PROCESSES).touch()
    monkeypatch.setattr(process_control, "ROOTS", (str(tmp_path),))
    monkeypatch.setattr(process_control, "_read_figure", lambda *_path: "0::/\n")
    (tmp_path / "x").touch()
    assert process_control.create_cgroup("x") is None


def test_all_figures_that_a_host_may_have(tmp_path):
    made = process_control.Cgroup(str(tmp_path / "x"))
    files = {
        "cpu.stat": "usage_usec 3500000\nuser_usec 2000000\nsystem_usec 1500000\n",
        "memory.peak": "1048576\n",
        "io.stat": "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1\n",
    }
    for name, text in files.items():
        (tmp_path / "x" / name).write_text(text)
    assert made.end() == {
        "user_sec": 2.0,
        "system_sec": 1.5,
        "memory_peak_kib": 1024,
        "read_bytes": 101,
        "written_bytes": 22,
    }
