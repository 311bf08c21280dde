# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of a step, what it may use of its host, and its control group.

A step that is stopped leaves no process behind, whatever its processes do; looked up in /proc. Its limits are held by
the kernel, in real children.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt, process_control
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    children_of,
    does,
    is_alive,
    python,
    request,
    wait_for,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


def test_who_started_this_process():
    found = process_control.ancestors()
    assert {1, os.getppid()} <= found
    assert os.getpid() not in found


def test_a_parent_may_go_while_it_is_looked_at():
    told, tell = os.pipe()
    parent = os.fork()
    if not parent:
        if os.fork():
            signal.pause()
        _tell_ancestors_without_their_first(tell)
    os.waitpid(parent, 0)  # with this the kernel forgets it
    os.close(tell)
    with open(told, encoding="utf-8") as answer:
        assert json.loads(answer.read()) == [1, parent]


def test_a_parent_may_be_hidden(monkeypatch):
    def stat_of(pid):
        raise FileNotFoundError(pid)

    monkeypatch.setattr(process_control, "stat_of", stat_of)
    assert process_control.ancestors() == {1, os.getppid()}


def _tell_ancestors_without_their_first(tell):
    """Look for the ancestors of this process, of whom the first is killed before it is looked at."""
    first, look = os.getppid(), process_control.stat_of

    def stat_of(pid):
        if os.getppid() == first:
            os.kill(first, signal.SIGKILL)
            while os.path.exists(f"/proc/{first}"):
                time.sleep(0.01)
        return look(pid)

    try:
        process_control.stat_of = stat_of
        os.write(tell, json.dumps(sorted(process_control.ancestors())).encode())
    finally:
        os._exit(0)


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
    return start_process.marks_of_process(os.getpid())


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
    monkeypatch.setattr(attempt, "try_to", lambda *_signal: False)
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


ALL = {"cpu_sec": 7.2, "memory_mib": 4096, "processes": 50, "open_files": 99, "file_mib": 3}


def in_python(text):
    """A script in the interpreter of the tests."""
    return f'#!{sys.executable}\n{text}\nprint(\'{{"status": "ok"}}\')\n'


def test_a_script_has_its_limits(work):
    text = in_python(
        "import json, resource\n"
        "names = ('CPU', 'AS', 'NPROC', 'NOFILE', 'FSIZE')\n"
        "found = {name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in names}\n"
        "print(json.dumps({'status': 'ok', 'outputs': {'found_v1': found}}))\n"
        "raise SystemExit"
    )
    found = work.run(work.script(text, limits=ALL)).deltas[0]["after"]
    assert (found["CPU"], found["AS"], found["NOFILE"]) == ([8, 9], [2**32, 2**32], [99, 99])
    assert found["FSIZE"] == [3 * 2**20, 3 * 2**20]
    assert found["NPROC"][0] >= 50


def test_only_what_is_said_is_limited(work):
    before = resource.getrlimit(resource.RLIMIT_AS)
    step = python(
        does(
            "limits = [resource.getrlimit(each)[0] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)]; "
            "ctx.set('a_v1', limits)"
        ),
        limits={"open_files": 64},
    )
    assert work.run(step).deltas[0]["after"] == [64, before[0]]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 64


def test_a_hard_limit_of_the_host_is_kept():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60))
        process_control.set_limits({"open_files": 1000})
        os._exit(resource.getrlimit(resource.RLIMIT_NOFILE) != (60, 60))
    assert os.waitpid(pid, 0)[1] == 0
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


@table("name", "most", "text", "verdict")
def test_a_script_that_wants_more_says_which_limit(work, name, most, text, verdict):
    ran = work.run(work.script(in_python(text), limits={name: most}))
    assert ran.only["verdict"] == "error"
    assert ran.only["reason"].endswith(verdict)


@table("name", "most", "statement", "reason")
def test_a_class_that_wants_more_says_which_limit(work, name, most, statement, reason):
    assert work.run(python(does(statement), limits={name: most})).outcome == ("error", reason)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")
def test_a_compiler_is_not_limited_but_what_it_makes_is(work):
    source = (
        "#include <stdio.h>\n#include <stdlib.h>\n"
        'int main(void) { if (malloc(1 << 27) == NULL) { perror("malloc"); return 1; } }\n'
    )
    ran = work.run(work.source(source, limits={"memory_mib": 16}))
    reason = "exit code 1: malloc: Cannot allocate memory) (limits.memory_mib is 16 MiB of memory)"
    assert ran.outcome == ("error", f"printed no envelope: its stdout is empty ({reason}")


def test_who_stays_below_is_left_alone(work):
    ran = work.run(work.script(OK, limits=ALL), python(does("pass"), limits=ALL))
    assert set(ran.verdicts.values()) == {"passed"}


def test_another_failure_names_no_limit(work):
    ran = work.run(work.script("exit 3", limits=ALL))
    assert ran.outcome == ("error", "printed no envelope: its stdout is empty (exit code 3)")


@pytest.mark.skipif(os.getuid() != 0, reason="the kernel counts what else the user has, which comes and goes")
def test_too_many_processes(work, monkeypatch):
    """Root is not counted by the kernel, so the executor counts."""
    text = "for n in 1 2 3 4 5 6 7 8; do (setsid sleep 600 &) ; done; sleep 600"
    started = time.monotonic()
    ran = work.run(work.script(text, limits={"processes": 5}, timeout=60))
    assert time.monotonic() - started < 30
    assert ran.only["verdict"] == "error"
    assert ran.only["reason"].startswith("stopped: it has ")
    assert "processes, its limit is 5" in ran.only["reason"]


def test_a_user_who_is_not_root_is_counted_by_the_kernel(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert process_control.describe_surplus_processes({"processes": 0}, Attempt(None, [].append)) == ""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_kernel_counts_what_the_user_has_already(tmp_path):
    pid = os.fork()
    if not pid:
        os.setuid(65_534)
        process_control.set_limits({"processes": 3})
        counted = os.getpid()
        try:
            for _more in range(2):
                if not os.fork():
                    while os.getppid() == counted:
                        time.sleep(0.02)
                    os._exit(0)
            os.fork()
        except BlockingIOError as error:
            os._exit(0 if "temporarily unavailable" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@table("given", "attempt", "reason", "expected")
def test_signs_of_a_limit(given, attempt, reason, expected):
    ended = Attempt(None, [].append)
    ended.exit_code, ended.signal = attempt.get("exit_code", 0), attempt.get("signal", 0)
    assert process_control.describe_exceeded_limit(given, ended, reason) == expected
    ended.stderr.add(reason.encode())
    assert process_control.describe_exceeded_limit(given, ended, "") == expected
