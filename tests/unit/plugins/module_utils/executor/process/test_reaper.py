# SPDX-License-Identifier: GPL-3.0-or-later

"""A step that is stopped leaves no process behind, whatever its processes do; looked up in /proc."""

from __future__ import annotations

import os
import resource
import signal
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt, process_control
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    children_of,
    is_alive,
    python,
    request,
    wait_for,
)

LEAVE = "trap '' TERM HUP INT; echo $$ >> pids; while :; do sleep 0.05; done"
# Each starts a process that writes its number into `pids`, and goes on for ever.
WAYS = {
    "a child": f"({LEAVE})",
    "a grandchild in the background": f"sh -c \"sh -c '{LEAVE}' & sh -c 'exit' & wait\"".replace("$$", "\\$\\$"),
    "a session of its own": "setsid sh leave.sh & wait",
    "a daemon": "(setsid sh -c '(setsid sh leave.sh &) ' &); sleep 600",
    "a daemon without an environment": "(env -i setsid sh -c '(env -i setsid sh leave.sh &)' &); sleep 600",
    "a daemon that closed its files": "(setsid sh leave.sh < /dev/null > /dev/null 2>&1 &); sleep 600",
    "a daemon whose leader is gone": "(env -i setsid sh leave.sh &); kill -STOP $$",
    "many": "for n in 1 2 3 4 5 6 7 8 9 10; do (env -i setsid sh leave.sh &); done; sleep 600",
    "who ignores TERM": "trap '' TERM; (setsid sh leave.sh &); while :; do sleep 0.05; done",
    "who starts another one at the end": (
        "trap '(env -i setsid sh leave.sh &); sleep 0.2; exit 0' TERM; while :; do sleep 0.05; done"
    ),
    "who is replaced again and again": "(env -i setsid sh hop.sh &); sleep 600",
}


@pytest.fixture
def files(work, monkeypatch):
    """What the scripts of WAYS start; nothing of it is left after the test."""
    monkeypatch.setattr(attempt, "GRACE", 0.5)
    (work.folder / "leave.sh").write_text(LEAVE)
    (work.folder / "hop.sh").write_text("echo $$ >> pids; (setsid sh hop.sh &)\n")
    yield work
    for pid in pids(work):
        assert not is_alive(pid)


def pids(work):
    path = work.folder / "pids"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def marked(mark_range):
    """All living processes but this one with one of these marks."""
    found = []
    for pid in process_control.other_processes():
        try:
            if process_control.mark_of(pid) in mark_range and is_alive(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def own_marks():
    return start_process.marks_of(os.getpid(), start_process._started_at())


@pytest.mark.parametrize("way", list(WAYS))
def test_a_timeout_leaves_nothing_behind(files, way):
    ran = files.run(files.script(WAYS[way], timeout=1.0))
    assert ran.outcome == ("error", "timed out after 1 s")
    assert pids(files)
    assert marked(own_marks()) == []
    assert children_of(os.getpid()) == []


def test_a_fork_is_marked_as_well(files):
    def run(self, ctx, params):
        if not os.fork():
            os.setsid()
            if not os.fork():
                os.execve("/bin/sh", ["sh", "leave.sh"], {"PATH": os.environ["PATH"]})
            os._exit(0)
        time.sleep(600)

    ran = files.run(python(type("Daemon", (Scriptlet,), {"run": run}), timeout=4.0))
    assert ran.outcome == ("error", "timed out after 4 s")
    assert pids(files)


def test_without_marks_the_tree_and_the_session_have_to_do(files, monkeypatch):
    setrlimit = resource.setrlimit

    def refused(what, limits):
        if limits[0] in own_marks():
            raise ValueError("not allowed to raise maximum limit")
        setrlimit(what, limits)

    monkeypatch.setattr(resource, "setrlimit", refused)
    tree = "sh -c 'trap \"\" TERM; setsid sh leave.sh & setsid sh leave.sh & wait' & (sh leave.sh &); kill -STOP $$"
    ran = files.run(files.script(tree, timeout=1.0))
    assert ran.outcome == ("error", "timed out after 1 s")
    assert len(pids(files)) == 3


def test_what_cannot_be_ended_is_named(files, monkeypatch):
    monkeypatch.setattr(process_control, "PATIENCE", 3.0)
    monkeypatch.setattr(process_control, "_kill", lambda _pid: None)  # as of another user
    ran = files.run(files.script("(setsid sh -c 'echo $$ >> pids; exec sleep 600' &); sleep 600", timeout=1.5))
    (pid,) = pids(files)
    assert ran.outcome == (
        "error",
        f"timed out after 1.5 s; could not be ended: sleep (process {pid} of user {os.getuid()})",
    )
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))


def test_who_cannot_be_ended_at_all_is_not_waited_for(files, monkeypatch):
    """Such as a child that became root's."""
    monkeypatch.setattr(attempt, "GRACE", 0.2)
    monkeypatch.setattr(process_control, "PATIENCE", 0.2)
    monkeypatch.setattr(attempt, "_sent", lambda *_signal: False)
    monkeypatch.setattr(process_control, "_kill", lambda _pid: None)
    started = time.monotonic()
    ran = files.run(files.script("echo $$ >> pids; exec sleep 600", timeout=1.5))
    assert time.monotonic() - started < 60
    (pid,) = pids(files)
    name = f"sleep (process {pid} of user {os.getuid()})"
    assert ran.outcome == ("error", f"timed out after 1.5 s; could not be ended: {name}")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_others_are_left_alone(files):
    server = files.script(f"(setsid sh leave.sh &); while [ ! -s pids ]; do sleep 0.05; done; {OK}", "server")
    beside = files.script(
        f"(setsid sh -c 'sleep 1.5; touch done' &); while [ ! -e done ]; do sleep 0.05; done; {OK}",
        "beside",
        parallel=True,
    )
    slow = files.script("sleep 600", "slow", timeout=0.5, parallel=True)
    use = files.script(f"kill -0 $(cat pids) && {OK}", "use")
    ran = files.run(server, beside, slow, use)
    assert ran.verdicts == {"server": "passed", "beside": "passed", "slow": "error", "use": "passed"}
    os.kill(*pids(files), signal.SIGKILL)
    wait_for(lambda: not is_alive(*pids(files)))


def test_a_step_of_a_later_stage_has_another_mark(files):
    server = files.script(f"(setsid sh leave.sh &); while [ ! -s pids ]; do sleep 0.05; done; {OK}", "server")
    files.run(server)
    files.run(files.script("sleep 600", "slow", timeout=0.3))
    (pid,) = pids(files)
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))


def test_the_mark_is_taken_back(work):
    before = resource.getrlimit(start_process.MARK)
    work.run(work.script(OK))
    assert resource.getrlimit(start_process.MARK) == before


def test_without_a_controller_nothing_is_left(files, monkeypatch):
    monkeypatch.setattr(stage_run, "TICK", 0.05)
    ran = files.run(files.script("(env -i setsid sh leave.sh &); sleep 600"), alive=lambda: not os.path.exists("pids"))
    assert ran.outcome == ("error", "stopped: the controller was not heard of any more")


def test_an_executor_that_fails_leaves_nothing(files):
    def write(record):
        wait_for(lambda: os.path.exists("pids"))
        raise KeyError("a fault of our own")

    whole = request(
        files.script("(env -i setsid sh leave.sh &); sleep 600", parallel=True), files.script(OK, "b", parallel=True)
    )
    with pytest.raises(KeyError):
        stage_run.StageRun(whole, files.launcher(whole), write, lambda: True).run()
    assert pids(files)
    assert children_of(os.getpid()) == []


def test_marks_are_apart():
    one, other = start_process.marks_of(1, 5), start_process.marks_of(4_194_303, 10**9)
    assert not set(range(one.start, one.start + 3)) & set(range(other.start, other.start + 3))
    assert max(one.stop, other.stop) < 2**63
    assert start_process.marks_of(1, 5) == start_process.marks_of(1, 5 + 0x10000)
    assert len(one) == start_process.MOST_MARKS
    assert one.stop <= start_process.marks_of(1, 6).start or one.start >= start_process.marks_of(1, 6).stop


@pytest.mark.parametrize("leader", [0, 1, os.getsid(0)])
def test_whoever_started_this_process_is_spared(monkeypatch, leader):
    killed = []
    monkeypatch.setattr(process_control, "PATIENCE", 0.0)
    monkeypatch.setattr(process_control, "_kill", killed.append)
    monkeypatch.setattr(process_control, "mark_of", lambda _pid: start_process.FIRST_MARK)
    child = os.posix_spawnp("sleep", ["sleep", "600"], os.environ)
    process_control.kill_processes(range(start_process.FIRST_MARK, start_process.FIRST_MARK + 1), leader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert child in killed
    assert not {1, os.getpid(), os.getppid()} & set(killed)


def test_who_died_while_it_was_looked_at_may_have_started_another(work, monkeypatch):
    looks = []
    others = process_control.other_processes

    def seen():
        looks.append(1)
        return others() if len(looks) > 1 else iter([starter])

    own = start_process.ProcessMarks()
    mark = own.put()
    starter = os.posix_spawnp("sh", ["sh", "-c", "sleep 600 & echo $! > pids"], os.environ)
    own.remove()
    wait_for(lambda: process_control.stat_of(starter)[0] in process_control.DEAD)
    monkeypatch.setattr(process_control, "other_processes", seen)
    assert process_control.kill_processes(range(mark, mark + 1)) == ""
    os.waitpid(starter, 0)
    (started,) = pids(work)
    assert not is_alive(started)


def test_a_process_without_a_mark_never_has_one_that_is_looked_for():
    assert process_control.mark_of(os.getppid()) == process_control.UNMARKED
    assert (
        process_control.count_marked_processes(0)
        == process_control.count_marked_processes(process_control.UNMARKED + 1)
        == 0
    )
